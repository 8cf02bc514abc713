"""The theta method (statsforecast) under the daily and weekly profile: half the trend, smoothed level."""

from __future__ import annotations

import warnings

import numpy as np

from components.forecasting.model import Candidate, Unfit
from components.forecasting.series import FloatArray, History

#: Newest days given to the fit: its cost grows with the length, the level forgets older ones anyway.
FIT_DAYS = 14


class Theta(Candidate):
    """Optimized theta of the series without its profile."""

    name = "theta"
    slow = True

    def forecast(self, history: History, horizon: int) -> FloatArray:
        from statsforecast.models import OptimizedTheta

        return deseasonalized(OptimizedTheta(season_length=1), history, horizon, FIT_DAYS)


def deseasonalized(model: object, history: History, horizon: int, fit_days: int) -> FloatArray:
    """A statsforecast model's forecast without the profile, the profile put back; Unfit where it raises."""
    profile = history.profile
    level = (history.values - profile.past())[-fit_days * history.day :]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            fitted = model.forecast(y=np.ascontiguousarray(level), h=horizon)  # type: ignore[attr-defined]
    except Exception as problem:
        # statsforecast raises bare exceptions of many kinds ("No suitable ARIMA model found", linear algebra).
        raise Unfit(f"{type(model).__name__} failed: {problem!r}"[:200]) from None
    mean: FloatArray = np.asarray(fitted["mean"], dtype=float) + profile.future(horizon)
    return mean


MODEL = Theta()
