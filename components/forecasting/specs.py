"""The steps of forecasting: train, evaluate, predict."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from components.core.spec import Params, Port, Resources, Spec

MODEL_NAME = "traceo-forecasting"

LAKE = Port("lake", "lake", "root of the lake; `features` is read")
MODEL = Port("model", "folder", "per-series weights and residual quantiles, with model.json")
HOLDOUT = Port("holdout", "table", "series_id, timestamp, value, held_out: the last hours and the history before them")
TRAINING = Port("training", "json", "what was trained, the MLflow run and the backtest figures")


class TrainParams(Params):
    """How much is learnt from, and by whom."""

    as_of: datetime | None = Field(default=None, description="nothing later is read; default: the metrics' watermark")
    history_days: int = Field(default=30, ge=2, le=366, description="days of history before the held-out hours")
    holdout_h: int = Field(default=48, ge=1, le=168, description="newest hours, kept from training for the gate")
    horizon_h: int = Field(default=168, ge=1, le=336, description="hours ahead that backtests and intervals cover")
    origins: int = Field(
        default=12, ge=3, le=60, description="backtest origins, a day apart; every fourth for slow models"
    )
    candidates: tuple[str, ...] = Field(
        default=(
            "autoregression",
            "daily_shape",
            "ets",
            "flat_median",
            "recent_median",
            "seasonal_drift",
            "seasonal_mean",
            "seasonal_median",
            "seasonal_naive",
            "smoothing",
            "theta",
        ),
        description="models backtested on every series",
    )
    costly_candidates: tuple[str, ...] = Field(
        default=("arima", "prophet"), description="models backtested on the first `costly_series` series only"
    )
    costly_series: int = Field(default=6, ge=0, le=400, description="series with a limit that the costly models see")
    max_series: int = Field(default=400, ge=1, le=10_000, description="series trained, those with a limit first")
    model: str = Field(
        default="auto", description="what chooses or weighs the candidates: auto, ensemble or one of them"
    )
    workers: int = Field(default=2, ge=1, le=64, description="processes; the result does not depend on it")
    engine: Literal["local", "spark", "ray"] = Field(
        default="local", description="where series are trained: processes here, or a cluster; the result is the same"
    )
    experiment: str = Field(default=MODEL_NAME, min_length=1, description="MLflow experiment")


class EvaluateParams(Params):
    """Nothing to choose: the held-out hours say how far ahead is compared."""


class PredictParams(Params):
    """What is forecast, and when."""

    as_of: datetime | None = Field(default=None, description="forecasts start here; default: the metrics' watermark")
    history_days: int = Field(default=30, ge=2, le=366, description="days of history given to the model")
    horizon_h: int = Field(default=168, ge=1, le=336, description="hours ahead")
    max_series: int = Field(default=400, ge=1, le=10_000, description="series forecast, those with a limit first")
    stale_h: int = Field(default=24, ge=1, le=168, description="a series silent for longer is not forecast")
    batch: int = Field(default=30, ge=1, le=400, description="series per request to the model server")
    seed: int = Field(default=0, ge=0, le=2**31, description="fixes the sample paths of the risks")


TRAIN = Spec(
    name="forecasting.train",
    title="Backtest every candidate model on every watched series; keep weights and conformal residual quantiles.",
    params=TrainParams,
    inputs=(LAKE,),
    outputs=(MODEL, HOLDOUT, TRAINING),
    resources=Resources(cpu=2.0, memory_mb=3072),
    example={"origins": 3, "costly_series": 0, "candidates": ["seasonal_naive", "smoothing"], "workers": 1},
)

EVALUATE = Spec(
    name="forecasting.evaluate",
    title="Compare champion, challenger and seasonal-naive series by series on the held-out hours (MASE).",
    params=EvaluateParams,
    inputs=(
        Port("champion", "folder", "the serving model", optional=True),
        Port("challenger", "folder", "the new model"),
        HOLDOUT,
    ),
    outputs=(Port("evaluation", "json", "metric, direction and one row per series"),),
)

PREDICT = Spec(
    name="forecasting.predict",
    title="Forecast the watched series seven days ahead and the risk of those with a limit.",
    params=PredictParams,
    inputs=(LAKE,),
    outputs=(
        Port("lake", "lake", "snapshots `forecasts` and `risks` are added"),
        Port("predicted", "json", "how much was forecast, and the likeliest failures"),
    ),
    resources=Resources(cpu=1.0, memory_mb=2048),
)

SPECS = [TRAIN, EVALUATE, PREDICT]
