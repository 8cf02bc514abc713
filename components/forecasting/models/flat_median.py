"""The median of the last hours, without a season: for what is mostly idle, or steps from level to level."""

from __future__ import annotations

import numpy as np

from components.forecasting.model import Candidate
from components.forecasting.series import FloatArray, History

#: Hours looked back over, one variant each.
WINDOWS_H = (1, 6, 24, 72, 168, 336)


class FlatMedian(Candidate):
    """One value for all steps."""

    name = "flat_median"

    def __init__(self, window_h: int = 24, name: str = name) -> None:
        self.name = name
        self.window_h = window_h

    def variants(self) -> tuple[Candidate, ...]:
        return tuple(FlatMedian(window, f"flat_median.{window}h") for window in WINDOWS_H)

    def forecast(self, history: History, horizon: int) -> FloatArray:
        steps = max(1, round(self.window_h * history.day / 24))
        return np.full(horizon, float(np.median(history.values[-steps:])))


MODEL = FlatMedian()
