"""The tables Traceo keeps, their columns and types; names follow OpenTelemetry.

A *window* table is written once per half-open window of its time column; a *snapshot* table is written
whole for one instant (`as_of`) and the latest one counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import polars as pl

from components.core.errors import SchemaError
from components.core.times import TIME_DTYPE

F64, I64, STR, BOOL = pl.Float64(), pl.Int64(), pl.String(), pl.Boolean()
QUANTILES = (0.025, 0.1, 0.25, 0.5, 0.75, 0.9, 0.975)
QUANTILE_COLUMNS = tuple(f"q{q}" for q in QUANTILES)


@dataclass(frozen=True)
class TableSchema:
    """A table's required and optional columns, its time column and the key that makes a row unique."""

    name: str
    required: Mapping[str, pl.DataType]
    optional: Mapping[str, pl.DataType] = field(default_factory=dict)
    time: str = "timestamp"
    key: tuple[str, ...] = ()

    @property
    def columns(self) -> dict[str, pl.DataType]:
        return {**self.required, **self.optional}

    def conform(self, frame: pl.DataFrame, where: str) -> pl.DataFrame:
        """Order and cast the columns of `frame` to this schema; SchemaError names what does not fit."""
        missing = [name for name in self.required if name not in frame.columns]
        if missing:
            raise SchemaError(
                f"{where}: table {self.name!r} lacks column {missing[0]!r}; it has {', '.join(frame.columns) or 'none'}"
            )
        present = {name: dtype for name, dtype in self.columns.items() if name in frame.columns}
        for name, dtype in present.items():
            try:
                frame = frame.with_columns(pl.col(name).cast(dtype))
            except pl.exceptions.PolarsError as error:
                raise SchemaError(f"{where}: column {name!r} should be {dtype}: {str(error).splitlines()[0]}") from None
        return frame.select(list(present))

    def empty(self) -> pl.DataFrame:
        return pl.DataFrame(schema=dict(self.columns))


def _table(name: str, required: dict[str, pl.DataType], **extra: object) -> TableSchema:
    return TableSchema(name, required, **extra)  # type: ignore[arg-type]


_SERIES: dict[str, pl.DataType] = {"timestamp": TIME_DTYPE, "service": STR, "metric": STR}
_AS_OF: dict[str, pl.DataType] = {"as_of": TIME_DTYPE}

TABLES: dict[str, TableSchema] = {
    table.name: table
    for table in (
        _table(
            "metrics",
            {**_SERIES, "value": F64},
            optional={"instance": STR, "attributes": STR},
            key=("timestamp", "service", "instance", "metric"),
        ),
        _table(
            "spans",
            {
                "trace_id": STR,
                "span_id": STR,
                "parent_span_id": STR,
                "service": STR,
                "name": STR,
                "start_time": TIME_DTYPE,
                "duration_us": I64,
                "status_code": STR,
            },
            optional={"kind": STR, "attributes": STR},
            time="start_time",
            key=("trace_id", "span_id"),
        ),
        _table(
            "logs",
            {"timestamp": TIME_DTYPE, "service": STR, "severity": STR, "body": STR},
            optional={"instance": STR, "trace_id": STR, "span_id": STR, "attributes": STR},
        ),
        # Deployments, configuration changes and recorded remediations.
        _table("changes", {"timestamp": TIME_DTYPE, "service": STR, "what": STR}, key=("timestamp", "service", "what")),
        # Five-minute aggregates; `timestamp` is the start of the five minutes, `event_timestamp` their end:
        # the instant from which a model may know them.
        _table(
            "features",
            {**_SERIES, "event_timestamp": TIME_DTYPE, "mean": F64, "min": F64, "max": F64, "last": F64, "count": I64},
            optional={"std": F64, "slope_per_h": F64, "ratio_1h": F64, "ratio_24h": F64},
            key=("timestamp", "service", "metric"),
        ),
        # One row per feature row: score > 1 is an anomaly; the band is what was expected.
        _table(
            "anomalies",
            {
                **_SERIES,
                "value": F64,
                "score": F64,
                "is_anomaly": BOOL,
                "expected": F64,
                "lower": F64,
                "upper": F64,
                "detector": STR,
                "reason": STR,
            },
            optional={"model_version": STR},
            key=("timestamp", "service", "metric"),
        ),
        # What people said of alarms: `verdict` is false_alarm or real, about the series from `start` to `end`.
        _table(
            "feedback",
            {**_SERIES, "start": TIME_DTYPE, "end": TIME_DTYPE, "verdict": STR, "who": STR},
            optional={"incident_id": STR},
            key=("timestamp", "service", "metric"),
        ),
        # The ledger of marks: what each did to its series' expected false events per week.
        _table(
            "knobs",
            {**_SERIES, "verdict": STR, "who": STR, "knob_before": F64, "knob_after": F64, "why": STR},
            key=("timestamp", "service", "metric"),
        ),
        # Lines per five minutes and template.
        _table(
            "log_counts",
            {
                "timestamp": TIME_DTYPE,
                "service": STR,
                "severity": STR,
                "template_id": STR,
                "template": STR,
                "count": I64,
                "example": STR,
            },
            optional={"trace_id": STR},
            key=("timestamp", "service", "severity", "template_id"),
        ),
        # Templates that were new or came far more often than before, per five minutes.
        _table(
            "log_changes",
            {
                "timestamp": TIME_DTYPE,
                "service": STR,
                "severity": STR,
                "template_id": STR,
                "template": STR,
                "change": STR,
                "count": I64,
                "expected": F64,
                "example": STR,
            },
            # The id of the most frequent template that says nearly the same, and the metrics that move with it (JSON).
            optional={"trace_id": STR, "cluster": STR, "series": STR},
            key=("timestamp", "service", "severity", "template_id"),
        ),
        _table(
            "forecasts",
            {**_AS_OF, **_SERIES, "mean": F64, **dict.fromkeys(QUANTILE_COLUMNS, F64), "model": STR},
            time="as_of",
            key=("service", "metric", "timestamp"),
        ),
        # P(cross the limit within 1, 4, 24, 72, 168 h); the time-to-limit quantiles are instants, null past 168 h.
        _table(
            "risks",
            {
                **_AS_OF,
                "service": STR,
                "metric": STR,
                "failure_kind": STR,
                "limit": F64,
                "direction": STR,
                **dict.fromkeys(("p_1h", "p_4h", "p_24h", "p_72h", "p_168h"), F64),
                **dict.fromkeys(("limit_at_q10", "limit_at_q50", "limit_at_q90"), TIME_DTYPE),
                "already_crossed": BOOL,
                "abstained": BOOL,
                "reason": STR,
                "model": STR,
            },
            time="as_of",
            key=("service", "metric"),
        ),
        # `evidence` is a JSON list of {"kind": "anomaly"|"forecast"|"log", "service", "metric", "start", "end",
        # "text", "score"}; `timeline` is a JSON list of {"time", "text"}.
        _table(
            "incidents",
            {
                **_AS_OF,
                "incident_id": STR,
                "status": STR,
                "severity": STR,
                "title": STR,
                "service": STR,
                "metric": STR,
                "services": STR,
                "started_at": TIME_DTYPE,
                "detected_at": TIME_DTYPE,
                "updated_at": TIME_DTYPE,
                "resolved_at": TIME_DTYPE,
                "evidence": STR,
                "timeline": STR,
                "recommendation": STR,
            },
            time="as_of",
            key=("incident_id",),
        ),
        # `causes` is the JSON of `traceo diagnose`'s causes for the incident.
        _table(
            "diagnoses",
            {
                **_AS_OF,
                "incident_id": STR,
                "diagnosed_at": TIME_DTYPE,
                "abstained": BOOL,
                "reason": STR,
                "causes": STR,
                "elapsed_ms": F64,
            },
            time="as_of",
            key=("incident_id",),
        ),
        _table(
            "calls",
            {
                **_AS_OF,
                "caller": STR,
                "callee": STR,
                "calls": I64,
                "calls_per_s": F64,
                "error_ratio": F64,
                "passed_on_ratio": F64,
                "p95_us": F64,
                "first_seen": TIME_DTYPE,
                "last_seen": TIME_DTYPE,
            },
            time="as_of",
            key=("caller", "callee"),
        ),
        # What was sent to the alert receiver, so that a retry sends nothing twice.
        _table(
            "alerts",
            {
                **_AS_OF,
                "incident_id": STR,
                "status": STR,
                "sent_at": TIME_DTYPE,
                "receiver": STR,
                "delivered": BOOL,
                "detail": STR,
            },
            time="as_of",
            key=("incident_id",),
        ),
    )
}
