"""An incident with the telemetry around it, and the preparations that every source of it needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

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
        return min((start for column in self._times() if isinstance(start := column.min(), datetime)), default=None)

    def last(self) -> datetime | None:
        """The last such instant."""
        return max((end for column in self._times() if isinstance(end := column.max(), datetime)), default=None)

    def _times(self) -> tuple[pl.Series, ...]:
        return self.metrics["timestamp"], self.spans["start_time"], self.logs["timestamp"]

    def services(self) -> list[str]:
        """Every service that a table names, sorted."""
        columns = [self.metrics["service"], self.spans["service"], self.logs["service"], self.log_counts["service"]]
        columns += [self.alerts["service"], self.alerts["peer"], self.calls["caller"], self.calls["callee"]]
        return sorted({name for column in columns for name in column.unique().to_list()} - {"", None})
