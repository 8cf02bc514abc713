"""The error of extending a parabola through the last two dozen rows by one row (piecewise polynomial forecast)."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from components.anomaly import residual, windows
from components.anomaly.panel import FloatArray, Panel

_ROWS, _DEGREE = 24, 2


def _extension() -> FloatArray:
    """Weights of the last rows, oldest first, that give the fitted parabola's next value."""
    places = np.vander(np.arange(_ROWS) / _ROWS, _DEGREE + 1)
    weights: FloatArray = np.vander([1.0], _DEGREE + 1)[0] @ np.linalg.pinv(places)
    return weights


class Detector(residual.Detector):
    """Extrapolation error per column in robust standard deviations; it knows no season and needs little history."""

    name: ClassVar[str] = "polynomial"

    @property
    def level_rows(self) -> int:
        return _ROWS + 1

    def learn(self, history: Panel) -> None:
        recent = windows.newest(history)
        self.least = windows.least_spread(recent, self.tuning.minimum_effect)
        self.measure(self.error(recent))

    def error(self, panel: Panel) -> FloatArray:
        values = windows.filled(panel.values)
        before = np.vstack([values[:1], values[:-1]])
        forecast = windows.sub_sequences(before, _ROWS) @ _extension()
        error: FloatArray = panel.values - forecast.T
        return error
