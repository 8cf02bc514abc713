"""The error of forecasting the next row from the rows before it and the usual levels at this time of day."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from components.anomaly import residual, robust, windows
from components.anomaly.daily import DailyLevel, learn_daily
from components.anomaly.panel import FloatArray, Panel

LAGS = 12
#: Ridge penalty as a share of the mean variance, and from how many median errors on a row counts less (Huber).
_RIDGE, _HUBER = 1e-3, 3.0
_KEPT = ("middle", "low", "high", "weights")


class Detector(residual.Detector):
    """Robust ridge regression per column on twelve lags and the daily level now and a row ago."""

    name: ClassVar[str] = "autoregressive"
    daily: DailyLevel
    middle: FloatArray
    low: FloatArray
    high: FloatArray
    weights: FloatArray

    @property
    def level_rows(self) -> int:
        return LAGS + 1

    def learn(self, history: Panel) -> None:
        recent = windows.newest(history)
        values = windows.filled(recent.values)
        self.least = windows.least_spread(recent, self.tuning.minimum_effect)
        self.daily, past = learn_daily(recent, self.step_us)
        self.middle = np.median(values, axis=0)
        low, high = np.quantile(values, [0.01, 0.99], axis=0)
        reach = np.maximum(high - low, 1e-9)
        self.low, self.high = low - reach, high + reach
        inputs = self._inputs(values, [np.vstack([past[:1], past[:-1]]), past])
        self.weights = _fit(inputs[:, LAGS:], self._bounded(values).T[:, LAGS:])
        self.measure(recent.values - self._forecast(inputs))

    def error(self, panel: Panel) -> FloatArray:
        daily = [self.daily.at(panel.times - self.step_us), self.daily.at(panel.times)]
        return panel.values - self._forecast(self._inputs(windows.filled(panel.values), daily))

    def arrays(self) -> dict[str, Any]:
        own = {name: getattr(self, name) for name in _KEPT}
        return {"daily": self.daily.levels, **own, **super().arrays()}

    def restore(self, arrays: dict[str, Any]) -> None:
        super().restore(arrays)
        self.daily = DailyLevel(arrays["daily"])
        for name in _KEPT:
            setattr(self, name, arrays[name])

    def _bounded(self, values: FloatArray) -> FloatArray:
        """Around the median and within twice the usual range: one huge value must not bend the regression."""
        result: FloatArray = np.clip(values, self.low, self.high) - self.middle
        return result

    def _inputs(self, values: FloatArray, daily: list[FloatArray]) -> FloatArray:
        """Columns by rows by features: the lags, oldest first, then the daily level a row ago and now."""
        before = np.vstack([values[:1], values[:-1]])
        lags = windows.sub_sequences(self._bounded(before), LAGS)
        levels = [self._bounded(np.where(np.isfinite(level), level, before)).T[:, :, None] for level in daily]
        return np.concatenate([lags, *levels], axis=2)

    def _forecast(self, inputs: FloatArray) -> FloatArray:
        forecast: FloatArray = np.einsum("knf,kf->nk", inputs, self.weights) + self.middle
        return forecast


def _fit(inputs: FloatArray, targets: FloatArray) -> FloatArray:
    """Ridge weights per column (columns by features), then once more with large errors counting less."""
    weights = _solve(inputs, targets, np.ones_like(targets))
    error = np.abs(targets - np.einsum("knf,kf->kn", inputs, weights))
    usual = _HUBER * robust.median(error, axis=1)[:, None] + 1e-12
    return _solve(inputs, targets, 1 / np.maximum(1.0, error / usual))


def _solve(inputs: FloatArray, targets: FloatArray, counts: FloatArray) -> FloatArray:
    weighted = (inputs * counts[:, :, None]).transpose(0, 2, 1)
    rows = max(inputs.shape[1], 1)
    gram = weighted @ inputs / rows
    size = gram.shape[1]
    penalty = _RIDGE * np.trace(gram, axis1=1, axis2=2) / size + 1e-12
    right = weighted @ targets[:, :, None] / rows
    weights: FloatArray = np.linalg.solve(gram + penalty[:, None, None] * np.eye(size), right)[:, :, 0]
    return weights
