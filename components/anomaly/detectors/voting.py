"""Isolation Forest, LSTM autoencoder and z-score with fixed weights: the usual ensemble, made causal, as a baseline.

Each member's surprise is standardized by history, the weighted sum compared with the mean plus two standard deviations
of history's sums. Nothing in it is robust: that is how it is commonly built.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from components.anomaly import detector
from components.anomaly.detector import Scores, Surprise
from components.anomaly.detectors import isolation_forest, lstm_autoencoder, zscore
from components.anomaly.forestfile import forest_bytes, forest_of
from components.anomaly.panel import FloatArray, Panel

WEIGHTS = {isolation_forest: 0.3, lstm_autoencoder: 0.4, zscore: 0.3}
_SIGMAS = 2.0
#: A member whose surprise varies by less than this does not vary.
_LEAST_DEVIATION = 0.1


class Detector(detector.Detector):
    """Weighted sum per column; `means` and `deviations` (members by columns) are those of history's surprise."""

    name: ClassVar[str] = "voting"
    #: As rarely as its slowest member.
    growth: ClassVar[float] = lstm_autoencoder.Detector.growth
    most_wait_us = lstm_autoencoder.Detector.most_wait_us
    #: No vote says more than a member's surprise a standard deviation above its mean.
    least_threshold: ClassVar[float] = 1.0
    means: FloatArray
    deviations: FloatArray

    def __init__(self, tuning: detector.Tuning) -> None:
        super().__init__(tuning)
        self.members = [member.Detector(tuning) for member in WEIGHTS]

    @property
    def context_rows(self) -> int:
        rows: int = max(member.context_rows for member in self.members)
        return rows + self.tuning.persistence_of

    def learn(self, history: Panel) -> None:
        for member in self.members:
            member.step_us = self.step_us
            member.learn(history)
        seen = self._seen(history)
        self.means = _known(np.nanmean, seen)
        self.deviations = np.maximum(_known(np.nanstd, seen), _LEAST_DEVIATION)

    def surprise(self, panel: Panel) -> Surprise:
        votes = (self._seen(panel) - self.means[:, None]) / self.deviations[:, None]
        # A member that abstains has a usual day.
        votes = np.where(np.isfinite(votes), votes, 0.0)
        combined = np.tensordot(list(WEIGHTS.values()), votes, axes=1)
        return Surprise(np.where(np.isfinite(panel.values), combined, np.nan), sides=1)

    def set_limits(self, panel: Panel, seen: FloatArray) -> None:
        """The mean plus two standard deviations of the sums seen so far."""
        recent = seen[-int(max(detector.MOST_HISTORY_US // self.step_us, 1)) :]
        above = _known(np.nanmean, recent) + _SIGMAS * _known(np.nanstd, recent)
        self.limits = np.maximum(above, self.least_threshold)

    def finish(self, surprise: Surprise, calibrated: FloatArray, limits: FloatArray) -> Scores:
        """A sum below the mean is as usual as can be."""
        return super().finish(surprise, np.maximum(calibrated, 0.0), limits)

    def arrays(self) -> dict[str, Any]:
        kept = {"means": self.means, "deviations": self.deviations, **self.common_arrays()}
        for member in self.members:
            kept |= {f"{member.name}_{key}": value for key, value in member.arrays().items()}
        return {**kept, "forest": np.frombuffer(forest_bytes(self._forest.forest), dtype=np.uint8)}

    def restore(self, arrays: dict[str, Any]) -> None:
        self.restore_common(arrays)
        self.means, self.deviations = arrays["means"], arrays["deviations"]
        for member in self.members:
            start = f"{member.name}_"
            member.restore({key.removeprefix(start): value for key, value in arrays.items() if key.startswith(start)})
        self._forest.forest = forest_of(arrays["forest"].tobytes())

    @property
    def _forest(self) -> isolation_forest.Detector:
        (forest,) = (member for member in self.members if isinstance(member, isolation_forest.Detector))
        return forest

    def _seen(self, panel: Panel) -> FloatArray:
        """Members by rows by columns: each member's surprise."""
        found = [member.surprise(panel) for member in self.members]
        return np.stack([surprise.per_column(surprise.channels) for surprise in found])


def _known(statistic: Any, values: FloatArray) -> FloatArray:
    """A statistic over the rows (the axis before the last) of what is known; 0 where nothing is."""
    known = np.isfinite(values).any(axis=-2, keepdims=True)
    result: FloatArray = statistic(np.where(known, values, 0.0), axis=-2)
    return result
