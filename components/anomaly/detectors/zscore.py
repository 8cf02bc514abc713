"""The distance from the mean of the last day in standard deviations: the baseline everything else must beat."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import polars as pl

from components.anomaly import detector
from components.anomaly.detector import Band, Surprise
from components.anomaly.panel import DAY_US, Panel


class Detector(detector.Detector):
    """Trailing mean and standard deviation over a day; it learns nothing beyond its thresholds."""

    name: ClassVar[str] = "zscore"
    least_threshold: ClassVar[float] = 3.0

    @property
    def level_rows(self) -> int:
        return int(np.clip(DAY_US // max(self.step_us, 1), detector.LEAST_LEVEL_ROWS, detector.MOST_LEVEL_ROWS))

    def learn(self, history: Panel) -> None:
        """Nothing to learn: mean and deviation are those of the last day."""

    def surprise(self, panel: Panel) -> Surprise:
        rows, least = self.level_rows, max(2, self.level_rows // 4)
        frame = pl.DataFrame(panel.values, nan_to_null=True).shift(1)
        mean = frame.select(pl.all().rolling_mean(rows, min_samples=least)).fill_null(float("nan")).to_numpy()
        deviation = frame.select(pl.all().rolling_std(rows, min_samples=least)).fill_null(float("nan")).to_numpy()
        spread = np.maximum(deviation, 1e-9 + self.tuning.minimum_effect * np.abs(mean) / self.least_threshold)
        distance = (panel.values - mean) / spread
        rises = np.where(panel.rises, np.maximum(distance, 0), 0 * distance)
        falls = np.where(panel.falls, np.maximum(-distance, 0), 0 * distance)
        return Surprise(np.hstack([rises, falls]), band=Band(mean, mean, mean, spread))

    def arrays(self) -> dict[str, Any]:
        return {"limits": self.limits, "step_us": np.array(self.step_us)}

    def restore(self, arrays: dict[str, Any]) -> None:
        self.limits, self.step_us = arrays["limits"], int(arrays["step_us"])
