"""The distance from what the last seven days had at this time, once the level of the last hours is taken out."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from components.anomaly import residual, robust, windows
from components.anomaly.daily import DailyLevel, learn_daily
from components.anomaly.panel import FloatArray, Panel

_LEVEL_HOURS, _LEAST_ROWS, _MOST_ROWS = 8, 24, 500


class Detector(residual.Detector):
    """Seasonal residual per column in robust standard deviations; follows a season that changes within a week."""

    name: ClassVar[str] = "recent_days"
    daily: DailyLevel

    @property
    def level_rows(self) -> int:
        return windows.rows_of_hours(_LEVEL_HOURS, self.step_us, _LEAST_ROWS, _MOST_ROWS)

    def learn(self, history: Panel) -> None:
        recent = windows.newest(history)
        self.least = windows.least_spread(recent, self.tuning.minimum_effect)
        self.daily, past = learn_daily(recent, self.step_us)
        # The newest errors are enough to measure, and a rolling median is dear.
        start = max(0, len(recent) - residual.usual_rows(self.step_us) - self.level_rows)
        newest = recent.rows(start, len(recent))
        self.measure(newest.values - self._expected(newest, past[start:]))

    def error(self, panel: Panel) -> FloatArray:
        return panel.values - self._expected(panel, self.daily.at(panel.times))

    def arrays(self) -> dict[str, Any]:
        return {"daily": self.daily.levels, **super().arrays()}

    def restore(self, arrays: dict[str, Any]) -> None:
        super().restore(arrays)
        self.daily = DailyLevel(arrays["daily"])

    def _expected(self, panel: Panel, daily: FloatArray) -> FloatArray:
        """The daily level shifted by how far the last hours lay from it; only the last hours where no day is known."""
        (shift,) = robust.trailing_quantiles(panel.values - daily, self.level_rows, (0.5,))
        (level,) = robust.trailing_quantiles(panel.values, self.level_rows, (0.5,))
        return np.where(np.isfinite(daily), daily + np.nan_to_num(shift), level)
