"""The interface of the step rootcause.diagnose, and of the `traceo diagnose` command."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from components.core.spec import Params, Port, Resources, Spec


class ScorerParams(Params):
    """How a case is scored; shared by the command and the step."""

    seed: int = Field(default=0, ge=0, description="fixes every random choice (the bootstrap of effects of changes)")
    lead_s: float = Field(
        default=120.0, ge=0, le=86400, description="seconds before the noticed time in which it may have begun"
    )
    horizon_min: float = Field(
        default=5.0,
        gt=0,
        le=24 * 60,
        description="minutes after the noticed time that are looked at (at least 4 samples)",
    )
    min_deviation: float = Field(
        default=5.0, gt=0, le=1000, description="robust deviations from the median that count as abnormal"
    )
    change_before_min: float = Field(
        default=30.0, gt=0, le=24 * 60, description="a change counts when it precedes the onset by at most this"
    )
    counterfactual: bool = Field(
        default=False,
        description="also say what would have been without each of the first causes, and how much of it arises in "
        "which service (DoWhy, seconds)",
    )
    abstain: bool = Field(default=True, description="give no causes where nothing is abnormal")


class DiagnoseParams(ScorerParams):
    """What rootcause.diagnose looks at in the lake."""

    as_of: datetime | None = Field(
        default=None, description="the instant to look from; default: the lake's watermark of metrics"
    )
    lookback_h: float = Field(default=2.0, gt=0, le=48, description="hours before an incident's start that are normal")
    graph_h: float = Field(default=24.0, gt=0, le=24 * 31, description="hours of spans the call graph is made from")
    resolved_h: float = Field(
        default=24.0,
        ge=0,
        le=24 * 31,
        description="hours in which resolved incidents without a diagnosis still get one",
    )
    max_incidents: int = Field(default=50, ge=1, le=10_000, description="incidents diagnosed at most, newest first")


_LAKE = Port("lake", "lake", "root of the partitioned tables")

DIAGNOSE = Spec(
    name="rootcause.diagnose",
    title="rank what caused each open incident, with evidence",
    params=DiagnoseParams,
    inputs=(_LAKE,),
    outputs=(_LAKE, Port("diagnosed", "json", "how many incidents were diagnosed, carried over or abstained on")),
    resources=Resources(cpu=1, memory_mb=2048),
)
SPECS = [DIAGNOSE]
