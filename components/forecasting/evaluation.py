"""How good forecasts were: MASE and CRPS, lower is better, and the same relative to seasonal-naive."""

from __future__ import annotations

import numpy as np

from components.forecasting.intervals import LEVELS
from components.forecasting.series import FloatArray


def naive_scale(values: FloatArray, season: int) -> float | None:
    """Mean absolute change over one season, MASE's denominator; None for a series that never changes."""
    lag = season if len(values) > season else 1
    if len(values) <= lag:
        return None
    scale = float(np.mean(np.abs(values[lag:] - values[:-lag])))
    # Below a billionth of the level the series is constant but for rounding.
    return scale if scale > 1e-9 * max(1e-9, float(np.abs(values).max())) else None


def mase(actual: FloatArray, forecast: FloatArray, scale: float) -> float:
    """Mean absolute error over the measured steps, in units of `scale`; NaN where nothing was measured."""
    error = np.abs(actual - forecast)
    return float(np.nanmean(error)) / scale if np.isfinite(error).any() else float("nan")


def crps(actual: FloatArray, quantiles: FloatArray) -> float:
    """Continuous ranked probability score from (7, horizon) quantiles: twice the mean pinball loss."""
    error = actual[None, :] - quantiles
    loss = np.maximum(LEVELS[:, None] * error, (LEVELS[:, None] - 1.0) * error)
    return 2.0 * float(np.nanmean(loss)) if np.isfinite(loss).any() else float("nan")


def geometric_mean(ratios: FloatArray) -> float:
    """Geometric mean of the finite ratios, each held within a hundredfold; NaN where there is none."""
    finite = ratios[np.isfinite(ratios)]
    return float(np.exp(np.mean(np.log(np.clip(finite, 0.01, 100.0))))) if len(finite) else float("nan")
