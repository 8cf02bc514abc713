"""Case directories: `incident.json` and the tables beside it, in CSV or Parquet."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from components.core.errors import InputError
from components.core.files import TABLE_SUFFIXES, read_frame
from components.core.times import TIME_DTYPE, parse_instant, parse_times
from components.rootcause.case import COLUMNS, TIME_COLUMN, Case, Incident
from components.rootcause.clocks import aligned
from components.rootcause.series import MAX_VALUE
from components.rootcause.tracing import MAX_DURATION_US

INCIDENT_FILE = "incident.json"
_TABLES = ("metrics", "calls", "spans", "logs", "alerts", "changes")
#: Every name that a file of a case may have.
CASE_FILES = (INCIDENT_FILE, *(name + suffix for name in _TABLES for suffix in TABLE_SUFFIXES))
_OPTIONAL = {
    "spans": {"parent_span_id", "name", "status_code"},
    "logs": {"severity"},
    "alerts": {"direction", "timestamp", "peer", "name"},
}
_NULLS = ("", "nan", "none", "null", "na")
#: What lies further from the incident is a broken clock's and says nothing about it.
_FAR = timedelta(days=366)
#: The numbers of a table, and what they may be.
_VALUES = {"metrics": ("value", -MAX_VALUE, MAX_VALUE), "spans": ("duration_us", 0.0, MAX_DURATION_US)}


def read_case(folder: Path) -> Case:
    """Read one case; InputError names the file and column that is missing or malformed."""
    incident = read_incident(folder / INCIDENT_FILE)
    tables: dict[str, pl.DataFrame] = {}
    notes: list[str] = []
    for name in _TABLES:
        paths = [path for suffix in TABLE_SUFFIXES if (path := folder / (name + suffix)).exists()]
        if paths:
            tables[name] = _read_table(paths[0], name, incident.time, notes)
            notes += [f"{unread.name} was not read: {paths[0].name} is there too" for unread in paths[1:]]
    if not tables.keys() & {"metrics", "spans", "alerts"}:
        raise InputError(f"{folder}: none of metrics, spans, alerts (.csv or .parquet) is there; add at least one")
    return aligned(Case(incident, **tables, notes=tuple(notes)))


def read_incident(path: Path) -> Incident:
    """Read incident.json; InputError where it is missing, no JSON object or without a usable `time`."""
    if not path.is_file():
        raise InputError(f'{path}: no such file; write {{"time": "2026-01-31T12:00:00Z"}} into it')
    try:
        content = json.loads(path.read_text("utf-8-sig"))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise InputError(f"{path}: not JSON ({error}); is it complete?") from None
    except (ValueError, RecursionError):
        raise InputError(f"{path}: nested too deeply, or a number of too many digits; write a plain object") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check its permissions") from None
    if not isinstance(content, dict) or content.get("time") in (None, ""):
        raise InputError(f"{path}: no 'time'; say when the incident was noticed, ISO 8601 or Unix seconds")
    times = {name: _instant(content.get(name), path, name) for name in ("time", "normal_start", "end")}
    time = times["time"]
    assert time is not None
    if times["normal_start"] and times["normal_start"] >= time:
        raise InputError(f"{path}: 'normal_start' does not lie before 'time'; correct one of them")
    if times["end"] and times["end"] < time:
        raise InputError(f"{path}: 'end' lies before 'time'; correct one of them")
    texts = {name: _text(content.get(name), path, name) for name in ("service", "metric", "cause")}
    return Incident(time, texts["service"], texts["metric"], times["normal_start"], times["end"], texts["cause"])


def _instant(value: Any, path: Path, name: str) -> datetime | None:
    if value is None or value == "":
        return None
    try:
        return parse_instant(value)
    except InputError as error:
        raise InputError(f"{path}: {name!r}: {error}") from None


def _text(value: Any, path: Path, name: str) -> str | None:
    if isinstance(value, bool | list | dict):
        raise InputError(f"{path}: {name!r} is {json.dumps(value)[:50]}; write one name in quotes")
    return None if value is None or value == "" else str(value)


def _read_table(path: Path, name: str, at: datetime, notes: list[str]) -> pl.DataFrame:
    frame = read_frame(path)
    columns = COLUMNS[name]
    for column in columns:
        if column not in frame.columns and column not in _OPTIONAL.get(name, set()):
            raise InputError(f"{path}: no column {column!r} (found {', '.join(frame.columns)}); add or rename it")
    absent = [pl.lit(None).alias(column) for column in columns if column not in frame.columns]
    frame = frame.with_columns(absent).select(list(columns))
    for column, dtype in columns.items():
        frame = frame.with_columns(_converted(frame[column], dtype, path))
    time = TIME_COLUMN.get(name, "timestamp")
    needed = [c for c in (time, "service", "caller", "callee") if c in columns]
    if name == "alerts":
        needed = ["service"]
    kept = frame.drop_nulls(needed)
    kept = kept.unique(maintain_order=True) if name != "logs" else kept
    near = _near(kept, time, at) if time in columns else kept
    near, useless = _usable_values(near, *_VALUES[name]) if name in _VALUES else (near, 0)
    counts = {
        "duplicated or unusable rows of {} left out": len(frame) - len(kept),
        "rows of {} more than a year from the incident left out": len(kept) - len(near),
        "values of {} missing or unusable": useless,
        "samples of {} out of order": _out_of_order(near) if name == "metrics" else 0,
    }
    notes += [f"{count} {text.format(path.name)}" for text, count in counts.items() if count]
    return near


def _near(frame: pl.DataFrame, time: str, at: datetime) -> pl.DataFrame:
    """Without the rows that are far from the incident, unless all of them are."""
    far = pl.col(time).is_not_null() & ((pl.col(time) - at).abs() > _FAR)
    near = frame.filter(~far)
    return frame if near.is_empty() else near


def _usable_values(frame: pl.DataFrame, column: str, low: float, high: float) -> tuple[pl.DataFrame, int]:
    usable = frame.with_columns(pl.when(pl.col(column).is_between(low, high)).then(column))
    return usable, usable[column].null_count()


def _out_of_order(metrics: pl.DataFrame) -> int:
    """How many samples stand below a later one of their series."""
    if metrics["timestamp"].is_sorted():
        return 0
    # One number for a series: comparing texts would take most of the time.
    series = pl.col("service").hash(1) ^ pl.col("metric").hash(2)
    earlier = pl.col("timestamp").diff().over(series) < timedelta(0)
    return int(metrics.select(earlier.sum()).item())


def _converted(column: pl.Series, dtype: pl.DataType, path: Path) -> pl.Series:
    if column.dtype.is_nested():
        raise InputError(f"{path}: column {column.name!r} holds {column.dtype}; write one value per row")
    if column.null_count() == len(column):
        return pl.Series(column.name, [None], dtype=dtype).new_from_index(0, len(column))
    if dtype == TIME_DTYPE:
        return parse_times(column, str(path))
    if column.dtype.is_temporal():
        wanted = "text" if dtype == pl.String() else "numbers"
        raise InputError(f"{path}: column {column.name!r} holds {column.dtype}, not {wanted}; convert it")
    if dtype == pl.String():
        text = column.cast(pl.String)
        frame = pl.DataFrame([text])
        blank = pl.col(column.name).str.strip_chars() == ""
        return frame.select(pl.when(~blank).then(pl.col(column.name))).to_series()
    return _numbers(column, path)


def _numbers(column: pl.Series, path: Path) -> pl.Series:
    text = column.dtype == pl.String
    numbers = (column.str.strip_chars() if text else column).cast(pl.Float64, strict=False)
    if text:
        given = column.drop_nulls().str.strip_chars().str.to_lowercase()
        if numbers.null_count() == len(numbers) and not given.is_in(_NULLS).all():
            raise InputError(
                f"{path}: column {column.name!r} is not numeric (first value {column.drop_nulls()[0]!r}); convert it"
            )
    finite = pl.when(pl.col(column.name).is_finite()).then(pl.col(column.name))
    return pl.DataFrame([numbers.alias(column.name)]).select(finite.alias(column.name)).to_series()
