"""The default: a weighted consensus of the seasonal residual and the Isolation Forest.

The seasonal residual leads, since it knows what is usual at this hour; the forest's opinion counts for a
column as far as that column itself is unusual, so that one strange column does not accuse its neighbours.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from components.anomaly import detector
from components.anomaly.detector import Scores, Surprise, Tuning
from components.anomaly.detectors import isolation_forest, seasonal
from components.anomaly.panel import FloatArray, Panel

SEASONAL_WEIGHT = 0.75
#: How far above a column's own score the forest's opinion may lie.
_LEAD = 2.0


def consensus(own: FloatArray, joint: FloatArray) -> FloatArray:
    """Weighted mean of calibrated scores, rows by columns; where the forest abstains the other stands alone."""
    supported = np.fmin(joint, _LEAD * own)
    both = SEASONAL_WEIGHT * own + (1 - SEASONAL_WEIGHT) * supported
    return np.where(np.isnan(joint), own, both)


class Detector(detector.Detector):
    """Both members learn and walk forward by themselves; their scores meet before persistence."""

    name: ClassVar[str] = "auto"

    def __init__(self, tuning: Tuning) -> None:
        super().__init__(tuning)
        self.seasonal = seasonal.Detector(tuning)
        self.forest = isolation_forest.Detector(tuning)

    def fit(self, history: Panel) -> None:
        self.seasonal.fit(history)
        self.forest.fit(history)
        self.step_us = self.seasonal.step_us

    def score(self, panel: Panel) -> Scores:
        own, joint = self.seasonal.surprise(panel), self.forest.surprise(panel)
        columns = consensus(self.seasonal.calibrate(own), self.forest.calibrate(joint))
        return self.seasonal.finish(own, columns, self.seasonal.limits[None, :])

    def score_causally(self, panel: Panel) -> Scores:
        own, limits, mine = self.seasonal.walk(panel)
        _, _, joint = self.forest.walk(panel)
        return self.seasonal.finish(own, consensus(mine, joint), limits)

    def learn(self, history: Panel) -> None:
        self.seasonal.learn(history)
        self.forest.learn(history)

    def surprise(self, panel: Panel) -> Surprise:
        """The leading member's surprise; the consensus is formed from calibrated scores."""
        return self.seasonal.surprise(panel)

    @property
    def context_rows(self) -> int:
        return max(self.seasonal.context_rows, self.forest.context_rows)

    def arrays(self) -> dict[str, Any]:
        members = (("seasonal", self.seasonal), ("forest", self.forest))
        return {f"{name}_{key}": value for name, member in members for key, value in member.arrays().items()}

    def restore(self, arrays: dict[str, Any]) -> None:
        for name, member in (("seasonal", self.seasonal), ("forest", self.forest)):
            start = f"{name}_"
            member.restore({key.removeprefix(start): value for key, value in arrays.items() if key.startswith(start)})
        self.step_us = self.seasonal.step_us
