"""The daily and weekly profile of a series, shrunk to what its regularity supports."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from components.forecasting.series import FloatArray

#: Profiles look back this many days: long enough for medians, short enough to follow a change of habits.
LOOKBACK_DAYS = 28


@dataclass(frozen=True)
class Profile:
    """What the hour of the day (and of the week) adds to the level; mean zero.

    cycle: one value per step of the cycle (a day, or a week); the history's last step has phase len(history) - 1.
    """

    cycle: FloatArray
    length: int

    def past(self) -> FloatArray:
        """The seasonal part of each step of the history."""
        return self.cycle[np.arange(self.length) % len(self.cycle)]

    def future(self, horizon: int) -> FloatArray:
        return self.cycle[(self.length + np.arange(horizon)) % len(self.cycle)]


def fit_profile(values: FloatArray, day: int) -> Profile:
    """The profile of the last weeks: daily from two days on, weekly from two weeks on; zero where there is none."""
    n = len(values)
    if day < 2 or n < 2 * day:
        return Profile(np.zeros(1), n)
    rest = values - moving_mean(values, day)
    recent = slice(max(0, n - LOOKBACK_DAYS * day), n)
    phase = np.arange(n)[recent]
    daily = _shrunk_cycle(rest[recent], phase, day)
    week = 7 * day
    if n < 2 * week:
        return Profile(daily, n)
    weekly = _shrunk_cycle(rest[recent] - daily[phase % day], phase, week)
    return Profile(np.tile(daily, 7) + weekly, n)


def moving_mean(values: FloatArray, width: int) -> FloatArray:
    """Centred mean over `width` samples; the ends take what there is."""
    sums = np.concatenate([[0.0], np.cumsum(values)])
    at = np.arange(len(values))
    low = np.clip(at - width // 2, 0, len(values))
    high = np.clip(at - width // 2 + width, 0, len(values))
    means: FloatArray = (sums[high] - sums[low]) / (high - low)
    return means


def _shrunk_cycle(rest: FloatArray, phase: NDArray[np.intp], period: int) -> FloatArray:
    # Medians by phase, shrunk as James and Stein do: by how far they stand out of their own sampling noise.
    padded = np.full((int(np.ceil((len(rest) + period) / period)), period), np.nan)
    padded.flat[phase[0] % period : phase[0] % period + len(rest)] = rest
    keep = ~np.isnan(padded).all(axis=0)
    cycle = np.zeros(period)
    cycle[keep] = _column_medians(padded[:, keep])
    cycle[keep] -= cycle[keep].mean()
    repeats = max(2.0, float(np.mean((~np.isnan(padded)).sum(axis=0))))
    # The variance of a median is pi/2 that of a mean; one degree of freedom went into each phase.
    noise = float(np.nanmean((padded - cycle) ** 2)) / (repeats - 1.0) * np.pi / 2.0
    strength = float(np.mean(cycle**2))
    shrunk: FloatArray = cycle * max(0.0, 1.0 - noise / strength) if strength > 0 else cycle
    return shrunk


def _column_medians(rows: FloatArray) -> FloatArray:
    # As np.nanmedian, whose masked arrays take ten times as long on tables this small; sorting puts NaN last.
    ordered = np.sort(rows, axis=0)
    known = (~np.isnan(rows)).sum(axis=0)
    columns = np.arange(rows.shape[1])
    medians: FloatArray = (ordered[(known - 1) // 2, columns] + ordered[known // 2, columns]) / 2.0
    return medians
