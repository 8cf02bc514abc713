"""How unlikely the shape of the last rows is, measured along the principal components of history's shapes."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from components.anomaly import detector, robust, windows
from components.anomaly.detector import Surprise
from components.anomaly.panel import FloatArray, Panel

ROWS = 32
_MOST_SHAPES, _CHUNK = 4_000, 50_000
#: Values beyond this many standard deviations do not shape the components.
_EXTREME = 8.0
#: Components weaker than this share of the strongest are noise of the numbers.
_WEAKEST = 1e-3


class Detector(detector.Detector):
    """Mahalanobis distance of each column's last rows, by eigenvalues of the shapes (PCA reconstruction, weighted)."""

    name: ClassVar[str] = "subsequence_pca"
    centre: FloatArray
    spread: FloatArray
    whitening: FloatArray

    @property
    def level_rows(self) -> int:
        return ROWS

    def learn(self, history: Panel) -> None:
        recent = windows.newest(history)
        values = windows.filled(recent.values)
        shapes = windows.sub_sequences(values, ROWS)
        shapes = shapes[:, :: max(1, shapes.shape[1] // _MOST_SHAPES)]
        self.centre = np.median(shapes, axis=1)
        away = shapes - self.centre[:, None, :]
        deviation = np.median(np.abs(away), axis=(1, 2)) * robust.MAD_TO_SIGMA
        least = windows.least_spread(recent, self.tuning.minimum_effect)
        self.spread = np.maximum.reduce([deviation, 0.1 * shapes.std(axis=(1, 2)), least])
        scaled = np.clip(away / self.spread[:, None, None], -_EXTREME, _EXTREME)
        strength, components = np.linalg.eigh(scaled.transpose(0, 2, 1) @ scaled / scaled.shape[1])
        strength = np.maximum(strength, np.maximum(_WEAKEST * strength[:, -1:], 1e-12))
        self.whitening = components / np.sqrt(strength)[:, None, :]

    def surprise(self, panel: Panel) -> Surprise:
        values = windows.filled(panel.values)
        strange = np.empty(values.shape)
        for start in range(0, len(values), _CHUNK):
            before = max(0, start - ROWS + 1)
            shapes = windows.sub_sequences(values[before : start + _CHUNK], ROWS)[:, start - before :]
            scaled = (shapes - self.centre[:, None, :]) / self.spread[:, None, None]
            strange[start : start + _CHUNK] = np.sqrt(((scaled @ self.whitening) ** 2).mean(axis=2)).T
        # A gap filled with the last value is a shape of its own; where there is one, the others judge.
        strange[~windows.whole(panel.values, ROWS)] = np.nan
        return Surprise(windows.directed(strange, panel.values - self.centre[:, -1], panel), sides=1)

    def arrays(self) -> dict[str, Any]:
        return {"centre": self.centre, "spread": self.spread, "whitening": self.whitening, **self.common_arrays()}

    def restore(self, arrays: dict[str, Any]) -> None:
        self.restore_common(arrays)
        self.centre, self.spread, self.whitening = arrays["centre"], arrays["spread"], arrays["whitening"]
