"""The distance from the usual level at this hour of the week, in robust standard deviations.

The level adapts: a shift that lasts becomes the new normal, and going back to the old one is no anomaly
either. With less than three days of history, or rows further apart than an hour, only the recent level counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from components.anomaly import detector, robust
from components.anomaly.detector import Band, Surprise
from components.anomaly.panel import DAY_US, HOUR_US, FloatArray, Panel
from components.anomaly.profile import Profile, learn_profile

#: A season must explain this much of what the recent level leaves unexplained to be used.
_WORTH = 0.92
#: An hour's noise is not believed to be smaller than this share of the whole day's.
_CALM = 0.5


class Detector(detector.Detector):
    """Seasonal residual per column; `spread` is 24 by columns, `profile` the usual level."""

    name: ClassVar[str] = "seasonal"
    profile: Profile
    spread: FloatArray
    least: FloatArray

    def learn(self, history: Panel) -> None:
        flat = Profile(np.nan_to_num(robust.median(history.values))[None, :], np.zeros((168, history.values.shape[1])))
        seasonal = learn_profile(history, self.step_us)
        self.profile = flat
        residual = self._residual(history, flat)
        if seasonal is not None:
            better = self._residual(history, seasonal)
            worth = np.nanmean(np.abs(_known(better)), axis=0) < _WORTH * np.nanmean(np.abs(_known(residual)), axis=0)
            self.profile = seasonal.without(worth, flat.day)
            residual = np.where(worth, better, residual)
        self.spread = _spread_by_hour(history, residual)
        # A deviation below the minimum effect never reaches the least threshold.
        self.least = self.tuning.minimum_effect * _usual_level(history) / self.least_threshold

    def surprise(self, panel: Panel) -> Surprise:
        expected, low, high = self.profile.expected(panel.times)
        q1, level, q3 = robust.trailing_quantiles(panel.values - expected, self.level_rows, (0.25, 0.5, 0.75))
        known = np.nan_to_num(level)
        recent = np.nan_to_num(q3 - q1) * robust.IQR_TO_SIGMA
        spread = np.fmax(np.fmax(self.spread[panel.times % DAY_US // HOUR_US], recent), np.maximum(self.least, 1e-9))
        low, high = low + np.minimum(known, 0), high + np.maximum(known, 0)
        rises = np.where(panel.rises, np.maximum(panel.values - high, 0) / spread, 0.0)
        falls = np.where(panel.falls, np.maximum(low - panel.values, 0) / spread, 0.0)
        channels = np.hstack([rises, falls])
        channels[np.isnan(np.hstack([panel.values] * 2))] = np.nan
        return Surprise(channels, band=Band(expected + known, low, high, spread))

    def arrays(self) -> dict[str, Any]:
        return {
            "day": self.profile.day,
            "week": self.profile.week,
            "spread": self.spread,
            "least": self.least,
            "limits": self.limits,
            "step_us": np.array(self.step_us),
        }

    def restore(self, arrays: dict[str, Any]) -> None:
        self.profile = Profile(arrays["day"], arrays["week"])
        self.spread, self.least, self.limits = arrays["spread"], arrays["least"], arrays["limits"]
        self.step_us = int(arrays["step_us"])

    def pick(self, columns: Sequence[int]) -> Detector:
        """The same for some of the columns, by position."""
        index = np.asarray(columns, dtype=int)
        part = Detector(self.tuning, self.step_us, np.concatenate([half[index] for half in np.split(self.limits, 2)]))
        part.profile = Profile(self.profile.day[:, index], self.profile.week[:, index])
        part.spread, part.least = self.spread[:, index], self.least[index]
        return part

    def _residual(self, history: Panel, profile: Profile) -> FloatArray:
        """What neither the profile nor the recent level explains."""
        residual = history.values - profile.expected(history.times)[0]
        (level,) = robust.trailing_quantiles(residual, self.level_rows, (0.5,))
        return residual - np.nan_to_num(level)


def _known(residual: FloatArray) -> FloatArray:
    # A column without one value would make nanmean complain; it has no season either way.
    return np.where(np.isfinite(residual).any(axis=0), residual, 0.0)


def _spread_by_hour(history: Panel, residual: FloatArray) -> FloatArray:
    """Robust standard deviation of the residual by hour of the day (24 by columns), an hour around pooled."""
    whole = np.nan_to_num(robust.median(np.abs(residual))) * robust.MAD_TO_SIGMA
    hours = history.times % DAY_US // HOUR_US
    spread = np.tile(whole, (24, 1))
    for hour in range(24):
        near = np.abs(residual[np.isin(hours, [(hour - 1) % 24, hour, (hour + 1) % 24])])
        if len(near) >= 30:
            spread[hour] = np.fmax(robust.median(near) * robust.MAD_TO_SIGMA, _CALM * whole)
    return spread


def _usual_level(history: Panel) -> FloatArray:
    """What a relative change is measured against: the median magnitude, the range, or what the catalogue says."""
    magnitude = np.nan_to_num(robust.median(np.abs(history.values)))
    reach = robust.quantile(history.values, 0.95) - robust.quantile(history.values, 0.05)
    level: FloatArray = np.maximum.reduce([magnitude, np.nan_to_num(reach) / 2, history.usual])
    return level
