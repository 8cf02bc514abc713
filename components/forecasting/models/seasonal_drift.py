"""The daily and weekly profile on a robust straight line: what a filling disk needs."""

from __future__ import annotations

import numpy as np

from components.forecasting.model import Candidate
from components.forecasting.series import FloatArray, History

#: Windows tried, longest first, in days; the first whose line still fits its last day is taken.
WINDOWS_DAYS = (14, 7, 3, 2)


class SeasonalDrift(Candidate):
    """Extends the recent trend, shrunk by its own uncertainty, from the present level."""

    name = "seasonal_drift"

    def forecast(self, history: History, horizon: int) -> FloatArray:
        profile = history.profile
        level = history.values - profile.past()
        slope, present = recent_line(level, history.day)
        return present + slope * np.arange(1, horizon + 1) + profile.future(horizon)


def recent_line(level: FloatArray, day: int) -> tuple[float, float]:
    """Slope per step and level at the last step of the newest stretch that is straight."""
    for days in WINDOWS_DAYS:
        window = level[-days * day :]
        if days > WINDOWS_DAYS[-1] and len(level) < days * day:
            continue
        slope, present, rest = robust_line(window, day)
        spread = float(np.std(rest))
        # Half a standard deviation of lasting bias at the end says that the trend has changed since.
        if abs(float(np.median(rest[-day:]))) <= 0.5 * spread:
            break
    return slope, present + float(np.median(rest[-max(2, day // 4) :]))


def robust_line(window: FloatArray, day: int) -> tuple[float, float, FloatArray]:
    """Theil-Sen slope per step, shrunk by its standard error; the line's last value; the residuals."""
    width = max(1, day // 4)
    blocks = len(window) // width
    means = window[len(window) - blocks * width :].reshape(blocks, width).mean(axis=1)
    i, j = np.triu_indices(blocks, 1)
    slopes = (means[j] - means[i]) / ((j - i) * width)
    slope = float(np.median(slopes)) if len(slopes) else 0.0
    rest = means - slope * width * np.arange(blocks)
    noise = float(np.std(rest))
    # Standard error of a slope over `blocks` points, doubled in variance for their autocorrelation.
    error2 = 2.0 * 12.0 * noise**2 / max(blocks, 2) ** 3 / width**2
    slope *= max(0.0, 1.0 - error2 / slope**2) if slope else 0.0
    line = slope * (np.arange(len(window)) - (len(window) - 1))
    present = float(np.median(window - line))
    return slope, present, window - line - present


MODEL = SeasonalDrift()
