"""The median of the same hour on the last days: seasonal-naive that forgives an odd day."""

from __future__ import annotations

import numpy as np

from components.forecasting.model import Candidate
from components.forecasting.series import FloatArray, History

#: Days looked back over, one variant each.
WINDOWS_D = (2, 3, 7, 14, 28)


class SeasonalMedian(Candidate):
    """One value per step of the day, level and shape together."""

    name = "seasonal_median"

    def __init__(self, window_d: int = 7, name: str = name) -> None:
        self.name = name
        self.window_d = window_d

    def variants(self) -> tuple[Candidate, ...]:
        return tuple(SeasonalMedian(window, f"seasonal_median.{window}d") for window in WINDOWS_D)

    def forecast(self, history: History, horizon: int) -> FloatArray:
        day = history.day
        days = min(self.window_d, len(history) // day)
        cycle: FloatArray = np.median(history.values[-days * day :].reshape(days, day), axis=0)
        return cycle[np.arange(horizon) % day]


MODEL = SeasonalMedian()
