"""What the main components of history cannot reproduce: of all columns at an instant, or of one column's last rows."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from components.anomaly import residual, robust, windows
from components.anomaly.panel import FloatArray, Panel

#: Rows of a sub-sequence where there is one column.
ROWS = 32
_MOST_SHAPES = 4_000
#: Components are kept until they explain this share of the variance.
_EXPLAINED = 0.9
#: Values beyond this many standard deviations do not shape the components.
_EXTREME = 8.0


class Detector(residual.Detector):
    """Reconstruction error per column by principal components (Shyu et al., 2003).

    `middle` and `scale` standardize the inputs (columns, or the rows of a sub-sequence), `axes` (inputs by kept
    components) spans what is usual.
    """

    name: ClassVar[str] = "pca"
    middle: FloatArray
    scale: FloatArray
    axes: FloatArray

    @property
    def level_rows(self) -> int:
        return ROWS

    def learn(self, history: Panel) -> None:
        recent = windows.newest(history)
        self.least = windows.least_spread(recent, self.tuning.minimum_effect)
        inputs = _inputs(recent)
        known = inputs[:: max(1, len(inputs) // _MOST_SHAPES)]
        self.middle = np.median(known, axis=0)
        away = np.abs(known - self.middle)
        deviation = np.median(away, axis=0) * robust.MAD_TO_SIGMA
        self.scale = np.maximum.reduce([deviation, 0.1 * known.std(axis=0), np.broadcast_to(self.least, away.shape[1])])
        scaled = np.clip((known - self.middle) / self.scale, -_EXTREME, _EXTREME)
        strength, components = np.linalg.eigh(scaled.T @ scaled / len(scaled))
        self.axes = components[:, _kept(strength)]
        self.measure(self.error(recent))

    def error(self, panel: Panel) -> FloatArray:
        known = np.isfinite(panel.values).any(axis=0)
        scaled = np.where(known, (_inputs(panel) - self.middle) / self.scale, 0.0)
        bounded = np.clip(scaled, -_EXTREME, _EXTREME)
        beyond = (scaled - bounded @ self.axes @ self.axes.T) * self.scale
        columns = panel.values.shape[1]
        result: FloatArray = np.where(np.isfinite(panel.values), beyond[:, -columns:], np.nan)
        return result

    def arrays(self) -> dict[str, Any]:
        return {"middle": self.middle, "scale": self.scale, "axes": self.axes, **super().arrays()}

    def restore(self, arrays: dict[str, Any]) -> None:
        super().restore(arrays)
        self.middle, self.scale, self.axes = arrays["middle"], arrays["scale"], arrays["axes"]


def _inputs(panel: Panel) -> FloatArray:
    """Rows by columns; of one column rows by its last rows, oldest first."""
    values = windows.filled(panel.values)
    return values if values.shape[1] > 1 else windows.sub_sequences(values, ROWS)[0]


def _kept(strength: FloatArray) -> slice:
    """Which eigenvectors are kept, given eigenvalues in ascending order; never all of them."""
    explained = np.cumsum(strength[::-1]) / max(float(strength.sum()), 1e-12)
    count = int(np.searchsorted(explained, _EXPLAINED)) + 1
    return slice(len(strength) - min(count, len(strength) - 1), None)
