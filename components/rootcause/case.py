"""An incident with the telemetry around it, and the preparations that every source of it needs."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import polars as pl

from components.core.times import TIME_DTYPE

F64, I64, STR = pl.Float64(), pl.Int64(), pl.String()

COLUMNS: Mapping[str, Mapping[str, pl.DataType]] = {
    "metrics": {"timestamp": TIME_DTYPE, "service": STR, "metric": STR, "value": F64},
    "calls": {"caller": STR, "callee": STR},
    "spans": {
        "trace_id": STR,
        "span_id": STR,
        "parent_span_id": STR,
        "service": STR,
        "name": STR,
        "start_time": TIME_DTYPE,
        "duration_us": F64,
        "status_code": STR,
    },
    "logs": {"timestamp": TIME_DTYPE, "service": STR, "severity": STR, "body": STR},
    #: Counted lines, what the lake keeps instead of logs.
    "log_counts": {"timestamp": TIME_DTYPE, "service": STR, "severity": STR, "template": STR, "count": I64},
    "alerts": {
        "service": STR,
        "signal": STR,
        "name": STR,
        "direction": STR,
        "timestamp": TIME_DTYPE,
        "peer": STR,
    },
    "changes": {"timestamp": TIME_DTYPE, "service": STR, "what": STR},
}
TIME_COLUMN: Mapping[str, str] = {"spans": "start_time"}
#: Clocks that are off by a zone are off by whole hours, 14 at most.
_MAX_ZONE_H = 14


def _empty(name: str) -> pl.DataFrame:
    return pl.DataFrame(schema=dict(COLUMNS[name]))


@dataclass(frozen=True)
class Incident:
    """When something was noticed, and optionally where, in which metric, and what period around it counts.

    cause: the service that turned out to be behind it, for incidents of the past.
    """

    time: datetime
    service: str | None = None
    metric: str | None = None
    normal_start: datetime | None = None
    end: datetime | None = None
    cause: str | None = None


@dataclass(frozen=True)
class Case:
    """An incident and the tables around it; a table that a source lacks is empty. Columns are those of COLUMNS.

    notes: what was mended while reading, in words.
    """

    incident: Incident
    metrics: pl.DataFrame = field(default_factory=lambda: _empty("metrics"))
    calls: pl.DataFrame = field(default_factory=lambda: _empty("calls"))
    spans: pl.DataFrame = field(default_factory=lambda: _empty("spans"))
    logs: pl.DataFrame = field(default_factory=lambda: _empty("logs"))
    log_counts: pl.DataFrame = field(default_factory=lambda: _empty("log_counts"))
    alerts: pl.DataFrame = field(default_factory=lambda: _empty("alerts"))
    changes: pl.DataFrame = field(default_factory=lambda: _empty("changes"))
    notes: tuple[str, ...] = ()

    def first(self) -> datetime | None:
        """The first instant of metrics, spans or logs; None where there is none of them."""
        columns = (self.metrics["timestamp"], self.spans["start_time"], self.logs["timestamp"])
        starts = [start for column in columns if isinstance(start := column.min(), datetime)]
        return min(starts, default=None)

    def services(self) -> list[str]:
        """Every service that a table names, sorted."""
        columns = [self.metrics["service"], self.spans["service"], self.logs["service"], self.log_counts["service"]]
        columns += [self.alerts["service"], self.alerts["peer"], self.calls["caller"], self.calls["callee"]]
        return sorted({name for column in columns for name in column.unique().to_list()} - {"", None})


def aligned(case: Case) -> Case:
    """The case with tables whose clock is whole hours off moved onto the incident's, and a note for each.

    A table is moved only where it does not reach the incident's time as it stands and a shift by whole
    hours makes it.
    """
    moved: dict[str, pl.DataFrame] = {}
    notes = list(case.notes)
    for name in ("metrics", "spans", "logs", "log_counts"):
        frame: pl.DataFrame = getattr(case, name)
        column = TIME_COLUMN.get(name, "timestamp")
        hours = _hours_off(frame[column], case.incident.time)
        if hours:
            moved[name] = frame.with_columns(pl.col(column) + timedelta(hours=hours))
            notes.append(f"{name} were moved by {hours:+d} h to reach the incident's time")
    return dataclasses.replace(case, notes=tuple(notes), **moved) if moved else case  # type: ignore[arg-type]


def _hours_off(times: pl.Series, at: datetime) -> int:
    first, last = times.min(), times.max()
    if not isinstance(first, datetime) or not isinstance(last, datetime):
        return 0
    slack = timedelta(minutes=10)

    def reaches(hours: int) -> bool:
        shift = timedelta(hours=hours)
        return first + shift <= at <= last + shift + slack

    candidates = sorted(range(-_MAX_ZONE_H, _MAX_ZONE_H + 1), key=lambda hours: (abs(hours), hours))
    return next((hours for hours in candidates if reaches(hours)), 0)
