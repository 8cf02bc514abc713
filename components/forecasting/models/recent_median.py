"""The median level of the last hours under the daily and weekly profile: robust where means are not."""

from __future__ import annotations

import numpy as np

from components.forecasting.model import Candidate
from components.forecasting.series import FloatArray, History

#: Hours looked back over, one variant each: from the last value to the last two weeks.
WINDOWS_H = (1, 3, 8, 24, 72, 168, 336)


class RecentMedian(Candidate):
    """A flat level plus the profile."""

    name = "recent_median"

    def __init__(self, window_h: int = 24, name: str = name) -> None:
        self.name = name
        self.window_h = window_h

    def variants(self) -> tuple[Candidate, ...]:
        return tuple(RecentMedian(window, f"recent_median.{window}h") for window in WINDOWS_H)

    def forecast(self, history: History, horizon: int) -> FloatArray:
        steps = max(1, round(self.window_h * history.day / 24))
        level = float(np.median(history.level[-steps:]))
        return level + history.profile.future(horizon)


MODEL = RecentMedian()
