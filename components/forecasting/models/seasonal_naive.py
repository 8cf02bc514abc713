"""The same hour of the day before: the baseline every other model has to beat."""

from __future__ import annotations

import numpy as np

from components.forecasting.model import Candidate
from components.forecasting.series import FloatArray, History


class SeasonalNaive(Candidate):
    """Repeats the last day; a history shorter than a day repeats its last value."""

    name = "seasonal_naive"
    min_days = 0.0

    def forecast(self, history: History, horizon: int) -> FloatArray:
        season = history.day if len(history) >= history.day else 1
        last = history.values[-season:]
        return last[np.arange(horizon) % season]


MODEL = SeasonalNaive()
