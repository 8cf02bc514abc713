"""Case directories: `incident.json` and the tables beside it, in CSV or Parquet."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl

from components.core.errors import InputError
from components.core.files import TABLE_SUFFIXES, read_frame
from components.core.times import TIME_DTYPE, parse_instant, parse_times
from components.rootcause.case import COLUMNS, TIME_COLUMN, Case, Incident, aligned

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


def read_case(folder: Path) -> Case:
    """Read one case; InputError names the file and column that is missing or malformed."""
    incident = read_incident(folder / INCIDENT_FILE)
    tables: dict[str, pl.DataFrame] = {}
    notes: list[str] = []
    for name in _TABLES:
        path = next(
            (folder / (name + suffix) for suffix in TABLE_SUFFIXES if (folder / (name + suffix)).exists()), None
        )
        if path is not None:
            tables[name] = _read_table(path, name, notes)
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
    if not isinstance(content, dict) or content.get("time") in (None, ""):
        raise InputError(f"{path}: no 'time'; say when the incident was noticed, ISO 8601 or Unix seconds")
    times = {name: _instant(content.get(name), path, name) for name in ("time", "normal_start", "end")}
    time = times["time"]
    assert time is not None
    if times["normal_start"] and times["normal_start"] >= time:
        raise InputError(f"{path}: 'normal_start' does not lie before 'time'; correct one of them")
    if times["end"] and times["end"] < time:
        raise InputError(f"{path}: 'end' lies before 'time'; correct one of them")
    texts = {name: str(content[name]) if content.get(name) else None for name in ("service", "metric", "cause")}
    return Incident(time, texts["service"], texts["metric"], times["normal_start"], times["end"], texts["cause"])


def _instant(value: Any, path: Path, name: str) -> datetime | None:
    if value is None or value == "":
        return None
    try:
        return parse_instant(value)
    except InputError as error:
        raise InputError(f"{path}: {name!r}: {error}") from None


def _read_table(path: Path, name: str, notes: list[str]) -> pl.DataFrame:
    frame = read_frame(path)
    columns = COLUMNS[name]
    for column in columns:
        if column not in frame.columns and column not in _OPTIONAL.get(name, set()):
            raise InputError(f"{path}: no column {column!r} (found {', '.join(frame.columns)}); add or rename it")
    absent = [pl.lit(None).alias(column) for column in columns if column not in frame.columns]
    frame = frame.with_columns(absent).select(list(columns))
    for column, dtype in columns.items():
        frame = frame.with_columns(_converted(frame[column], dtype, path))
    needed = [c for c in (TIME_COLUMN.get(name, "timestamp"), "service", "caller", "callee") if c in columns]
    if name == "alerts":
        needed = ["service"]
    kept = frame.drop_nulls(needed)
    kept = kept.unique(maintain_order=True) if name != "logs" else kept
    _note(notes, path, len(frame) - len(kept))
    return kept


def _note(notes: list[str], path: Path, dropped: int) -> None:
    if dropped:
        notes.append(f"{dropped} duplicated or unusable rows of {path.name} left out")


def _converted(column: pl.Series, dtype: pl.DataType, path: Path) -> pl.Series:
    if column.dtype.is_nested():
        raise InputError(f"{path}: column {column.name!r} holds {column.dtype}; write one value per row")
    if column.null_count() == len(column):
        return column.cast(dtype, strict=False)
    if dtype == TIME_DTYPE:
        return parse_times(column, str(path))
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
