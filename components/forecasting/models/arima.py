"""ARIMA with a bounded automatic search (statsforecast) under the daily and weekly profile."""

from __future__ import annotations

from components.forecasting.model import Candidate
from components.forecasting.models.theta import deseasonalized
from components.forecasting.series import FloatArray, History

#: Newest days given to the fit: the search's cost grows with the length.
FIT_DAYS = 14


class Arima(Candidate):
    """AutoARIMA up to (2, 1, 2), stepwise and approximate; the season is the profile's, so none is searched for."""

    name = "arima"
    slow = True

    def forecast(self, history: History, horizon: int) -> FloatArray:
        from statsforecast.models import AutoARIMA

        search = AutoARIMA(
            season_length=1, max_p=2, max_q=2, max_d=1, nmodels=8, approximation=True, stepwise=True, allowdrift=True
        )
        return deseasonalized(search, history, horizon, FIT_DAYS)


MODEL = Arima()
