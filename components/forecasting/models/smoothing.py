"""Exponential smoothing of the level under the daily and weekly profile, its speed chosen a day ahead."""

from __future__ import annotations

import numpy as np

from components.forecasting.model import Candidate
from components.forecasting.series import FloatArray, History

#: Half-lives of the level tried, in hours: from "the last hours" to "the last two weeks".
HALF_LIVES_H = (3.0, 8.0, 24.0, 72.0, 168.0, 336.0)


class Smoothing(Candidate):
    """A flat level plus the profile."""

    name = "smoothing"

    def forecast(self, history: History, horizon: int) -> FloatArray:
        profile = history.profile
        level = history.values - profile.past()
        steps = [hours / 24 * history.day for hours in HALF_LIVES_H]
        smoothed = [exponential_mean(level, half_life) for half_life in steps]
        lead = min(horizon, history.day)
        errors = [float(np.abs(level[lead:] - s[:-lead])[history.day :].mean()) for s in smoothed]
        best = int(np.argmin(errors))
        return np.full(horizon, smoothed[best][-1]) + profile.future(horizon)


def exponential_mean(values: FloatArray, half_life: float) -> FloatArray:
    """Exponentially weighted mean up to and including each step, the first day's median as its start."""
    keep = 0.5 ** (1.0 / half_life)
    # A truncated kernel instead of a loop over steps: past ten half-lives a weight is below 0.001.
    width = min(len(values), int(10 * half_life) + 1)
    kernel = keep ** np.arange(width)
    padded = np.concatenate([np.full(width - 1, float(np.median(values[:24]))), values])
    size = 1 << int(np.ceil(np.log2(len(padded) + width)))
    product = np.fft.irfft(np.fft.rfft(padded, size) * np.fft.rfft(kernel, size), size)
    smoothed: FloatArray = product[width - 1 : width - 1 + len(values)] / kernel.sum()
    return smoothed


MODEL = Smoothing()
