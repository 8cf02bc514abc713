"""How much the newest row stands out once the average of the log spectrum is taken away (Ren et al., KDD 2019)."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from components.anomaly import detector, windows
from components.anomaly.detector import Surprise
from components.anomaly.panel import FloatArray, Panel

#: Rows of a window; of the average of the log spectrum and of the saliency before the newest row; points estimated
#: beyond the newest row, and rows their gradient is taken from: the paper's q, z, kappa and m.
ROWS = 64
_SPECTRUM, _SALIENCY, _ESTIMATED, _GRADIENT = 3, 21, 5, 5
_CHUNK = 20_000
#: Amplitudes below this share of the window's largest are noise of the numbers.
_LEAST_AMPLITUDE = 1e-6


class Detector(detector.Detector):
    """Relative saliency of each column's last row in the window that ends there; finds spikes and edges alone.

    `least` is the least scale per column: what deviates by less than the minimum effect does not count.
    """

    name: ClassVar[str] = "spectral_residual"
    #: The paper's threshold.
    least_threshold: ClassVar[float] = 3.0
    least: FloatArray

    @property
    def level_rows(self) -> int:
        return ROWS

    def learn(self, history: Panel) -> None:
        self.least = self.least_threshold * windows.least_spread(windows.newest(history), self.tuning.minimum_effect)

    def surprise(self, panel: Panel) -> Surprise:
        values = windows.filled(panel.values)
        salient, away = np.zeros(values.shape), np.zeros(values.shape)
        for start in range(0, len(values), _CHUNK):
            before = max(0, start - ROWS + 1)
            shapes = windows.sub_sequences(values[before : start + _CHUNK], ROWS)[:, start - before :]
            salient[start : start + _CHUNK] = _saliency(shapes).T
            away[start : start + _CHUNK] = (shapes[:, :, -1] - np.median(shapes, axis=2)).T
        strange = np.where(np.abs(away) > self.least, salient, 0.0)
        return Surprise(windows.directed(strange, away, panel), sides=1)

    def arrays(self) -> dict[str, Any]:
        return {"least": self.least, **self.common_arrays()}

    def restore(self, arrays: dict[str, Any]) -> None:
        self.restore_common(arrays)
        self.least = arrays["least"]


def _saliency(shapes: FloatArray) -> FloatArray:
    """By how much the last row's saliency exceeds that of the rows before it, relatively; columns by windows."""
    lengthened = np.concatenate([shapes - shapes.mean(axis=2, keepdims=True), _estimated(shapes)], axis=2)
    spectrum = np.fft.fft(lengthened, axis=2)
    amplitude = np.abs(spectrum)
    amplitude = np.maximum(amplitude, _LEAST_AMPLITUDE * amplitude.max(axis=2, keepdims=True) + 1e-12)
    logarithm = np.log(amplitude)
    usual = sum(np.roll(logarithm, shift, axis=2) for shift in (-1, 0, 1)) / _SPECTRUM
    saliency = np.abs(np.fft.ifft(spectrum / amplitude * np.exp(logarithm - usual), axis=2))
    newest = saliency[:, :, ROWS - 1]
    before = saliency[:, :, ROWS - 1 - _SALIENCY : ROWS - 1].mean(axis=2)
    result: FloatArray = np.maximum(newest / np.maximum(before, 1e-12) - 1, 0.0)
    return result


def _estimated(shapes: FloatArray) -> FloatArray:
    """The point expected after each window, several times, in the unit of the centred window.

    The newest row would lie at the window's edge otherwise, where the transform is least reliable. It is left out of
    the gradient: an outlier would be followed by larger ones of its own making, and no longer stand out.
    """
    last = shapes[:, :, -2:-1]
    gradients = (last - shapes[:, :, -2 - _GRADIENT : -2]) / np.arange(_GRADIENT, 0, -1)
    point = shapes[:, :, -1 - _GRADIENT, None] + gradients.mean(axis=2, keepdims=True) * _GRADIENT
    return np.repeat(point - shapes.mean(axis=2, keepdims=True), _ESTIMATED, axis=2)
