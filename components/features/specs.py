"""The interface of the feature steps."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from components.core.spec import Params, Port, Resources, Spec

_AS_OF = Field(default=None, description="the instant of the run; default: the lake's watermark of metrics")
_LAKE = Port("lake", "lake", "the lake")


class BuildParams(Params):
    """Up to when features are built."""

    as_of: datetime | None = _AS_OF


class TrainingSetParams(Params):
    """Which feature rows make the training set."""

    as_of: datetime | None = _AS_OF
    days: int = Field(default=14, ge=1, le=365, description="days before as_of that are taken")
    max_rows: int = Field(
        default=150_000, ge=100, le=5_000_000, description="most rows; instants are taken at a wider stride to keep it"
    )


class OnlineParams(Params):
    """How old a vector of the online store may be."""

    as_of: datetime | None = _AS_OF
    max_age_min: int = Field(default=30, ge=5, le=1440, description="older vectors are left out, in minutes")


BUILD = Spec(
    name="features.build",
    title="Aggregate metrics to five-minute features and push the newest to the online store",
    params=BuildParams,
    inputs=(_LAKE,),
    outputs=(_LAKE, Port("built", "json", "windows and rows written, series pushed, the features' watermark")),
    resources=Resources(cpu=2.0, memory_mb=2560),
)
TRAINING_SET = Spec(
    name="features.training_set",
    title="Read the features of the last days point in time from Feast's offline store",
    params=TrainingSetParams,
    inputs=(_LAKE,),
    outputs=(Port("training_set", "table", "one row per instant and series, as known at that instant"),),
    resources=Resources(cpu=2.0, memory_mb=2560),
    example={"days": 1, "max_rows": 1000},
)
ONLINE = Spec(
    name="features.online",
    title="Read the latest feature vector of every series from Feast's online store",
    params=OnlineParams,
    inputs=(_LAKE,),
    outputs=(Port("online_features", "table", "the latest vector of every series", schema="features"),),
)
SPECS = [BUILD, TRAINING_SET, ONLINE]
