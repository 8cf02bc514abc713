"""Interfaces of the steps that turn findings into incidents and alerts."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from components.core.spec import Params, Port, Resources, Spec

_AS_OF = "the instant to look from; default: the lake's watermark of metrics"


class CorrelateParams(Params):
    """How findings are grouped and what is enough to be an incident."""

    as_of: datetime | None = Field(default=None, description=_AS_OF)
    lookback_h: float = Field(default=24.0, gt=0, le=24 * 31, description="hours of anomalies looked at")
    join_gap_min: float = Field(
        default=15.0, ge=0, le=240, description="minutes between events of one incident at most"
    )
    quiet_min: float = Field(default=30.0, ge=5, le=24 * 60, description="minutes without anomaly that end an incident")
    min_series: int = Field(default=2, ge=1, le=50, description="series that must be abnormal at the same time")
    lone_rows: int = Field(default=4, ge=1, le=288, description="or: abnormal five-minute rows of a single series")
    lone_score: float = Field(default=2.0, ge=1, description="… whose highest score reaches this")
    open_probability: float = Field(default=0.7, gt=0, le=1, description="forecast failure probability that opens")
    close_probability: float = Field(default=0.3, ge=0, lt=1, description="probability below which it is withdrawn")


class AlertParams(Params):
    """Which incidents are told to the alert receiver."""

    as_of: datetime | None = Field(default=None, description=_AS_OF)
    hold_min: float = Field(default=30.0, ge=5, le=24 * 60, description="minutes an alert stands if nothing follows")


_LAKE = Port("lake", "lake", "root of the partitioned tables")

CORRELATE = Spec(
    name="actions.correlate",
    title="group anomalies, forecasts and log changes into incidents",
    params=CorrelateParams,
    inputs=(_LAKE,),
    outputs=(_LAKE, Port("correlated", "json", "counts of open and resolved incidents")),
    resources=Resources(cpu=1, memory_mb=1024),
)
ALERT = Spec(
    name="actions.alert",
    title="tell the alert receiver about open and newly resolved incidents",
    params=AlertParams,
    inputs=(_LAKE,),
    outputs=(_LAKE, Port("alerted", "json", "what was sent and whether it arrived")),
    resources=Resources(cpu=0.5, memory_mb=512),
)
SPECS = [CORRELATE, ALERT]
