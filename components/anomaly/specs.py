"""The interface of the anomaly steps and of `traceo detect`."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from components.core.spec import Params, Port, Resources, Spec


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


class TrainParams(DetectParams):
    """What the models are trained and compared on."""

    as_of: datetime | None = Field(
        default=None, description="the instant of the run; default: the watermark of metrics"
    )
    history_days: int = Field(default=30, ge=1, le=365, description="days of features to learn from")
    holdout_h: float = Field(
        default=24.0, ge=1, le=168, description="newest hours kept for comparing models, not learned"
    )
    folds: int = Field(default=2, ge=0, le=14, description="days held out, one after the other, in cross-validation")
    cv_series: int = Field(default=60, ge=1, le=100_000, description="most series in cross-validation, whole services")
    detector: Literal["best", "auto", "seasonal", "isolation_forest"] = Field(
        default="best", description="what serves; best: the highest mean average precision in cross-validation"
    )


class EvaluateParams(Params):
    """How models are compared on the holdout."""


class ScoreParams(Params):
    """What is scored, and in which portions."""

    as_of: datetime | None = Field(
        default=None, description="the instant of the run; default: the watermark of metrics"
    )
    lookback_h: float = Field(default=24.0, gt=0, le=24 * 366, description="how far back missing rows are scored")
    batch_rows: int = Field(default=20_000, ge=2_000, le=1_000_000, description="most rows in one request")


_LAKE = Port("lake", "lake", "the lake")
_HOLDOUT = Port("holdout", "table", "the newest hours with injected anomalies, labelled, and a day before them")

TRAIN = Spec(
    name="anomaly.train",
    title="Train and cross-validate the anomaly detectors on the lake's features",
    params=TrainParams,
    inputs=(_LAKE, Port("training_set", "table", "features point in time, for the Isolation Forests", optional=True)),
    outputs=(
        Port("model", "folder", "the fitted detectors as plain data"),
        _HOLDOUT,
        Port("training", "json", "the MLflow run, cross-validation means, what serves"),
    ),
    resources=Resources(cpu=2.0, memory_mb=3072),
    example={"folds": 1, "history_days": 3, "holdout_h": 6},
)
EVALUATE = Spec(
    name="anomaly.evaluate",
    title="Compare champion, challenger and the trailing z-score on the holdout, series by series",
    params=EvaluateParams,
    inputs=(
        Port("champion", "folder", "the serving model", optional=True),
        Port("challenger", "folder", "the new model"),
        _HOLDOUT,
    ),
    outputs=(Port("evaluation", "json", "average precision per series for both models and the baseline"),),
)
SCORE = Spec(
    name="anomaly.score",
    title="Score the features that have no anomaly row yet with the champion",
    params=ScoreParams,
    inputs=(
        _LAKE,
        Port("online_features", "table", "newest features, taken before the lake's", "features", optional=True),
    ),
    outputs=(_LAKE, Port("scored", "json", "windows, rows and anomalies written, model version")),
)
SPECS = [TRAIN, EVALUATE, SCORE]
