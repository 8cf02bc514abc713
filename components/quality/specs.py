"""The interface of the quality steps."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from components.core.spec import Params, Port, Resources, Spec

_LAKE = Port("lake", "lake", "the lake with its zones for what is not validated yet and what was refused")


class ValidateParams(Params):
    """What counts as the present."""

    as_of: datetime | None = Field(
        default=None,
        description="the instant of the run; default: the end of the newest window, published or incoming",
    )
    clock_slack_s: int = Field(
        default=300, ge=0, le=86_400, description="how far a row may lie after as_of before its clock counts as wrong"
    )


class DriftParams(Params):
    """Which days are compared, and what counts as drift."""

    as_of: datetime | None = Field(
        default=None, description="the instant of the run; default: the lake's watermark of metrics"
    )
    days: int = Field(default=7, ge=1, le=28, description="days in the current window; fewer where history is short")
    column_threshold: float = Field(
        default=0.1, gt=0, le=10, description="normed Wasserstein distance from which a series has drifted"
    )
    share_threshold: float = Field(
        default=0.5, gt=0, le=1, description="share of drifted series from which a retraining is asked for"
    )
    max_columns: int = Field(
        default=400, ge=1, le=5000, description="most series compared; the first by name where there are more"
    )


VALIDATE = Spec(
    name="quality.validate",
    title="Check incoming partitions; publish the good ones, quarantine the bad ones with the reason",
    params=ValidateParams,
    inputs=(_LAKE,),
    outputs=(
        _LAKE,
        Port("validation", "json", "partitions published and quarantined, with reasons and warnings"),
        Port("data_docs", "folder", "Great Expectations' Data Docs, static HTML"),
    ),
    resources=Resources(cpu=2.0, memory_mb=2560),
)
DRIFT = Spec(
    name="quality.drift",
    title="Compare the features of the last days with those of the same hours before",
    params=DriftParams,
    inputs=(_LAKE,),
    outputs=(
        Port("drift", "json", "share of drifted series, distances, whether the threshold is exceeded"),
        Port("report", "folder", "Evidently's report, one HTML file"),
    ),
    resources=Resources(cpu=1.0, memory_mb=2048),
    example={"days": 1},
)
SPECS = [VALIDATE, DRIFT]
