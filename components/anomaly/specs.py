"""The interface of the anomaly steps and of `traceo detect`."""

from __future__ import annotations

from pydantic import Field

from components.core.spec import Params


class DetectParams(Params):
    """What every detector may be told."""

    expected_false_events_per_week: float = Field(
        default=0.5, gt=0, le=1000, description="false alarms accepted per series and week; more finds more"
    )
    persistence_needed: int = Field(default=2, ge=1, le=60, description="rows over the threshold that make an anomaly")
    persistence_of: int = Field(default=3, ge=1, le=60, description="… among this many newest rows")
    minimum_effect: float = Field(
        default=0.05, ge=0, le=10, description="smallest change worth an alarm, as a share of the usual level"
    )
    minimum_history_h: float = Field(
        default=24.0, gt=0, le=24 * 60, description="hours of history before it speaks (or a thousand rows)"
    )
    merge_gap_minutes: float = Field(
        default=60.0, ge=0, le=24 * 60, description="pauses up to this long do not end an event"
    )
    seed: int = Field(default=0, ge=0, description="fixes every random choice")
