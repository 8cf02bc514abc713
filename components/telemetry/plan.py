"""Which window an import covers, and which of a source's rows came too late for theirs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import polars as pl

from components.core.errors import ParamsError
from components.core.schema import TableSchema
from components.core.times import DAY, Window, floor

#: Every import ends on a whole five minutes: the step of features, scores and log counts.
STEP = timedelta(minutes=5)

#: A source with an end is read whole up to a quarter of a year, so that no history is lost to a default.
WHOLE_UP_TO = 92 * DAY


def choose_window(extent: Window | None, live: bool, days: int, end: datetime | None, name: str) -> Window | None:
    """The window to import: `days` days up to `end`, within what the source has; None where nothing is left.

    A source that is not live is read whole where it spans at most WHOLE_UP_TO. ParamsError where the end of
    a live source was not given.
    """
    if end is None and (live or extent is None):
        raise ParamsError(
            f"telemetry.ingest: {name} goes on growing, so parameter 'end' is needed; "
            'give the end of the window, as in --params \'{"end": "2026-01-31T12:00:00Z"}\''
        )
    last = floor(end, STEP) if end else None
    if extent is None:
        assert last is not None
        return Window(last - days * DAY, last)
    oldest, newest = floor(extent.start, STEP), floor(extent.end, STEP)
    last = min(last, newest) if last else newest
    whole = not live and newest - oldest <= WHOLE_UP_TO
    first = oldest if whole else max(oldest, last - days * DAY)
    return Window(first, last) if first < last else None


def late_rows(rows: pl.DataFrame, present: pl.LazyFrame, schema: TableSchema) -> pl.DataFrame:
    """Those of `rows` that the lake does not have: by the table's key, by every column where it has no key."""
    key = [name for name in schema.key or tuple(schema.columns) if name in rows.columns]
    return rows.join(present.select(key).collect(), on=key, how="anti", nulls_equal=True, maintain_order="left")


def in_order(rows: pl.DataFrame, schema: TableSchema) -> pl.DataFrame:
    """The rows by time, then key, so that one window always gives the same file."""
    names = _present(rows, [schema.time, *schema.key])
    return rows.sort(names, maintain_order=True)


def _present(rows: pl.DataFrame, names: Sequence[str]) -> list[str]:
    return [name for name in dict.fromkeys(names) if name in rows.columns]
