"""First passage through a limit: for every hour ahead, the probability that it has been reached by then.

Every function takes values whose failing side is above and gives an array of the horizon's length that never falls.
They see a series in different ways: `through` as its forecast, `replayed` as its own past come again.
"""

from __future__ import annotations

from math import erfc, sqrt

import numpy as np
from numpy.typing import NDArray

from components.forecasting.intervals import DEVIATES
from components.forecasting.seasonality import Profile
from components.forecasting.series import FloatArray

#: 2,000 paths: a standard error of at most 0.011 on a probability.
PATHS = 2000
#: Windows of the past begin at about the present hour of the day: this many hours before or after.
SAME_HOUR = 2
#: The present level is that of the last hours.
LEVEL_HOURS = 6
_DEVIATES = np.linspace(-7.0, 7.0, 2801)
_NORMAL = np.array([0.5 * erfc(-deviate / sqrt(2.0)) for deviate in _DEVIATES])
#: How alike a past level has to be to count, in standard deviations of the level.
ALIKE = 0.75


def through(values: FloatArray, fan: FloatArray, profile: Profile, bound: float, day: int, seed: int) -> FloatArray:
    """First passage of sample paths through a forecast's (7, horizon) quantiles."""
    hits = first_hits(sample_paths(values, fan, profile, day, np.random.default_rng(seed)), bound)
    return from_hits(hits, fan.shape[1])


def from_hits(hits: FloatArray, horizon: int) -> FloatArray:
    """The share of paths that had their first passage (1: in the first step) by each step."""
    known = hits[np.isfinite(hits) & (hits <= horizon)].astype(int)
    counts = np.bincount(known, minlength=horizon + 1)[1 : horizon + 1]
    reached: FloatArray = np.cumsum(counts) / len(hits)
    return reached


def first_hits(paths: FloatArray, bound: float) -> FloatArray:
    reached = paths >= bound
    hits: FloatArray = np.where(reached.any(axis=1), reached.argmax(axis=1) + 1.0, np.inf)
    return hits


def replayed(
    level: FloatArray, profile: Profile, bound: float, horizon: int, day: int
) -> tuple[FloatArray, FloatArray]:
    """The past come again, twice: from the present level, and as it was when the level was alike.

    level: the history without its profile. Windows of the past that begin at about this hour of the day are laid on
    the coming profile; the distribution of their highest value so far is smoothed by a normal kernel. Windows that
    the present cuts off count as far as they are known.
    """
    n = len(level)
    begins = np.arange(min(day, n // 3), n)
    away = (n - begins + day // 2) % day - day // 2 if day > 1 else np.zeros(len(begins))
    near = max(0, round(SAME_HOUR * day / 24))
    begins = begins[np.abs(away) <= near] if n >= 10 * day else begins
    width = max(1, round(LEVEL_HOURS * day / 24))
    smooth = _trailing_mean(level, width)
    now, then = float(smooth[-1]), smooth[begins - 1]
    coming = profile.future(horizon)
    highest = _running_maxima(level, begins, coming, horizon)
    spread = float(np.std(smooth)) + 1e-12
    alike = np.exp(-0.5 * ((then - now) / (ALIKE * spread)) ** 2) + 1e-3
    moved = highest + (now - then)[:, None]
    return _reached(moved, np.ones(len(begins)), bound, day), _reached(highest, alike, bound, day)


def _running_maxima(level: FloatArray, begins: NDArray[np.intp], coming: FloatArray, horizon: int) -> FloatArray:
    padded = np.concatenate([level, np.full(horizon, np.nan)])
    windows = np.lib.stride_tricks.sliding_window_view(padded, horizon)[begins] + coming
    maxima: FloatArray = np.maximum.accumulate(windows, axis=1)
    return maxima


def _reached(highest: FloatArray, weights: FloatArray, bound: float, day: int) -> FloatArray:
    known = np.isfinite(highest)
    weight = np.where(known, weights[:, None], 0.0)
    total = weight.sum(axis=0)
    values = np.where(known, highest, 0.0)
    mean = (weight * values).sum(axis=0) / np.maximum(total, 1e-300)
    spread = np.sqrt((weight * (values - mean) ** 2).sum(axis=0) / np.maximum(total, 1e-300))
    # Silverman's rule; windows of one day overlap: they count once.
    effective = np.maximum(1.0, total**2 / np.maximum((weight**2).sum(axis=0), 1e-300) / max(1, 2 * SAME_HOUR + 1))
    kernel = 1.06 * np.maximum(spread, 1e-12) * effective**-0.2
    share = (weight * normal((values - bound) / kernel)).sum(axis=0) / np.maximum(total, 1e-300)
    # Steps that no window reaches repeat the last known.
    last = int(np.nonzero(total > 0)[0][-1]) if (total > 0).any() else 0
    share[last + 1 :] = share[last]
    reached: FloatArray = np.maximum.accumulate(share)
    return reached


def sample_paths(
    values: FloatArray, fan: FloatArray, profile: Profile, day: int, rng: np.random.Generator
) -> FloatArray:
    """(PATHS, horizon) paths whose marginals are the fan's quantiles, as persistent as the series itself.

    A Gaussian copula: one deviate common to the whole path (what grows with the horizon is a wrong level or slope)
    plus a first-order autoregression with the history's own memory.
    """
    memory, common = _persistence(values, fan, profile, day)
    wander = rng.standard_normal((PATHS, fan.shape[1]))
    for step in range(1, fan.shape[1]):
        wander[:, step] = memory * wander[:, step - 1] + np.sqrt(1 - memory**2) * wander[:, step]
    deviates = np.sqrt(common) * rng.standard_normal((PATHS, 1)) + np.sqrt(1 - common) * wander
    reach = np.concatenate([[-4.0], DEVIATES, [4.0]])
    paths: FloatArray = np.empty_like(deviates)
    for step in range(fan.shape[1]):
        paths[:, step] = np.interp(deviates[:, step], reach, _with_tails(fan[:, step]))
    return paths


def _with_tails(quantiles: FloatArray) -> FloatArray:
    # Normal tails past the outer quantiles, as steep as between the last two.
    low = quantiles[0] - (quantiles[1] - quantiles[0]) * (4.0 + DEVIATES[0]) / (DEVIATES[1] - DEVIATES[0])
    high = quantiles[-1] + (quantiles[-1] - quantiles[-2]) * (4.0 - DEVIATES[-1]) / (DEVIATES[-1] - DEVIATES[-2])
    return np.concatenate([[low], quantiles, [high]])


def _persistence(values: FloatArray, fan: FloatArray, profile: Profile, day: int) -> tuple[float, float]:
    rest = values[-14 * day :] - profile.past()[-14 * day :]
    trend = np.polyfit(np.arange(len(rest)), rest, 1)
    rest = rest - np.polyval(trend, np.arange(len(rest)))
    variance = float(np.mean(rest**2))
    memory = float(np.mean(rest[1:] * rest[:-1])) / variance if variance > 0 else 0.0
    width = fan[5] - fan[1]
    first, last = float(width[: max(1, day // 2)].mean()), float(width[-max(1, day // 2) :].mean())
    growth = 1.0 - (first / last) ** 2 if last > first else 0.0
    return float(np.clip(memory, 0.0, 0.98)), float(np.clip(growth, 0.1, 0.95))


def _trailing_mean(values: FloatArray, width: int) -> FloatArray:
    sums = np.concatenate([[0.0], np.cumsum(values)])
    at = np.arange(1, len(values) + 1)
    low = np.maximum(at - width, 0)
    means: FloatArray = (sums[at] - sums[low]) / (at - low)
    return means


def normal(deviates: FloatArray) -> FloatArray:
    """The normal distribution function to six digits: from a table, as importing one costs more than the risk."""
    values: FloatArray = np.interp(deviates, _DEVIATES, _NORMAL)
    return values
