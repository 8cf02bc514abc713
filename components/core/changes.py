"""Deployments, configuration changes and the like, in words beside what followed them."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import polars as pl

from components.core.errors import InputError
from components.core.files import read_frame
from components.core.times import parse_times

#: What lies further back explains nothing by its time alone.
_BEFORE = timedelta(hours=1)


def read_changes(path: Path) -> pl.DataFrame:
    """Rows `timestamp` (UTC), `service` (null where not given), `what` of a CSV or Parquet file.

    Rows without a time are left out. InputError names the column that is missing.
    """
    rows = read_frame(path, strings=True)
    missing = [name for name in ("timestamp", "what") if name not in rows.columns]
    if missing:
        raise InputError(
            f"{path}: no column {missing[0]!r} (found {', '.join(rows.columns)}); it needs timestamp, what and may "
            "have service"
        )
    service = pl.col("service").cast(pl.String) if "service" in rows.columns else pl.lit(None, dtype=pl.String)
    read = rows.select(
        parse_times(rows["timestamp"], str(path)).alias("timestamp"), service.alias("service"), pl.col("what")
    )
    return read.drop_nulls(["timestamp", "what"])


def follows(changes: pl.DataFrame, start: datetime, within: timedelta = timedelta()) -> str:
    """Text such as "12 minutes after release 4.1": the newest of `changes` in the hour before `start`, else empty.

    changes: rows `timestamp`, `what` of the services concerned; within: how long after `start` it may have begun, where
    instants are rounded down.
    """
    near = changes.filter(pl.col("timestamp") > start - _BEFORE, pl.col("timestamp") <= start + within)
    if near.is_empty():
        return ""
    newest = near.sort("timestamp", "what").row(-1, named=True)
    minutes = max(0, round((start - newest["timestamp"]) / timedelta(minutes=1)))
    how_long = f"{minutes} minute{'s' * (minutes != 1)}" if minutes else "right"
    return f"{how_long} after {newest['what']}"
