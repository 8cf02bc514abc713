"""Exponential smoothing with automatic error and (damped) trend (statsforecast) under the profile."""

from __future__ import annotations

from components.forecasting.model import Candidate
from components.forecasting.models.theta import deseasonalized
from components.forecasting.series import FloatArray, History

#: Newest days given to the fit.
FIT_DAYS = 14


class Ets(Candidate):
    """Additive errors, trend damped where there is one: an undamped or multiplicative one explodes over days."""

    name = "ets"
    slow = True

    def forecast(self, history: History, horizon: int) -> FloatArray:
        from statsforecast.models import AutoETS

        return deseasonalized(AutoETS(season_length=1, model="AZN", damped=True), history, horizon, FIT_DAYS)


MODEL = Ets()
