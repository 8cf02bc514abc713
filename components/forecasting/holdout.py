"""The newest hours, kept from training: made once, then the ground on which champion and challenger meet."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import polars as pl

from components.core.times import TIME_DTYPE
from components.forecasting import evaluation, models, trained
from components.forecasting.model import BASELINE
from components.forecasting.series import HOUR, FloatArray, History

SCHEMA = {"series_id": pl.String(), "timestamp": TIME_DTYPE, "value": pl.Float64(), "held_out": pl.Boolean()}


def split_at(rows: pl.DataFrame, as_of: datetime | None, holdout_h: int) -> datetime | None:
    """Where the held-out hours begin: a short history keeps three quarters of itself for training."""
    if as_of is None or rows.is_empty():
        return None
    oldest: datetime = rows["timestamp"].min()  # type: ignore[assignment]
    quarter = timedelta(hours=max(1, int((as_of - oldest) / HOUR) // 4))
    return as_of - min(holdout_h * HOUR, quarter)


def take(rows: pl.DataFrame, split: datetime | None, known: set[str]) -> pl.DataFrame:
    """The held-out rows of the trained series and the history before them, as SCHEMA."""
    if split is None:
        return pl.DataFrame(schema=SCHEMA)
    kept = rows.filter(pl.col("series_id").is_in(sorted(known)))
    return kept.select("series_id", "timestamp", "value", (pl.col("timestamp") >= split).alias("held_out"))


def errors(model: trained.TrainedModel, holdout: pl.DataFrame) -> dict[str, tuple[float, float]]:
    """MASE of the model and of seasonal-naive per series; a series that cannot be scaled is left out."""
    found = {}
    baseline = models.candidate(BASELINE)
    histories = model.histories(holdout.filter(~pl.col("held_out")).drop("held_out"))
    for name, history in histories.items():
        rows = holdout.filter(pl.col("series_id") == name, pl.col("held_out"))
        actual = _actual(history, rows)
        scale = evaluation.naive_scale(history.values, history.day)
        if scale is None or not len(actual):
            continue
        own = model.forecast({name: history}, len(actual))[name].mean
        points = baseline.points(history, len(actual))
        found[name] = (evaluation.mase(actual, own, scale), evaluation.mase(actual, points, scale))
    return found


def _actual(history: History, rows: pl.DataFrame) -> FloatArray:
    """Held-out values by step after the history's end, NaN where none was measured."""
    steps = [int((timestamp - history.end) / history.step) for timestamp in rows["timestamp"]]
    actual: FloatArray = np.full(max(steps, default=-1) + 1, np.nan)
    for step, value in zip(steps, rows["value"], strict=True):
        actual[step] = value
    return actual
