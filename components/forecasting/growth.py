"""Sustained growth that began some days ago (a filling disk, a leak): is it real, and how long will it go on?

Backtests speak for the whole past, most of which lies before such a growth; this speaks for the newest days.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from components.forecasting import sawtooth
from components.forecasting.intervals import LEVELS
from components.forecasting.passage import normal
from components.forecasting.seasonality import Profile
from components.forecasting.series import FloatArray, History

#: What a forecast that continues a growth calls its model.
NAME = "sustained_growth"
#: Blocks per day; their medians ignore an incident of up to three hours.
BLOCKS = 4
#: Growth younger than this, in days, cannot be told from a wave.
MIN_AGE_DAYS = 2.0
#: Ages in blocks up to this one are all tried.
EVERY_AGE = 160
#: A day's change counts as growth from this share of the usual one on.
SAME_PACE = 0.3
#: Share of all days that has to grow.
MOST = 0.9
#: The net growth in units of what a random walk with the series' daily changes would do in the same time,
STRENGTH = 3.0
#: and the share of the growing stretch's variance that its line explains.
EXPLAINED = 0.85
#: How far the growth has left all that was seen before, as a share of the growth itself.
UNSEEN = 0.3
#: The pace of the newest days holds, not that of weeks ago.
PACE_DAYS = 7
#: How growth ends: what has lasted a days lasts another h with the probability (a / (a + h)) ** STOPPING. 1 is Lindy's
#: law, for what may stop by itself at any time; leaks and filling disks stop when somebody acts, which is rarer.
STOPPING = 0.5
#: Points per uncertainty behind the quantiles: fixed quantiles of each, so no seed is needed.
GRID = 25
#: An end this long ago is still news to weights that were chosen while it grew.
LATELY_DAYS = 2
#: A last value this many times the noise short of the line says that it has just ended.
ENDED = 4.0
#: A change within two steps is sudden from so many times the usual one, and this share of the range, on.
SUDDEN_SIGMAS, SUDDEN_SHARE = 8.0, 0.2
#: Growth goes on faster or slower than it did: standard deviation of its pace, as a share.
PACE_ERROR = 0.15
#: A growth has ended when the newest third, fourth or sixth of its life rose by less of what its pace promised than:
NEWEST, STILL = (3, 4, 6), 0.6


@dataclass(frozen=True)
class Growth:
    """slope: per step, of either sign, and its standard error. age: steps since it began.

    level: of the last step, without the season. noise: of a step around the line. profile: the season. sign: of the
    growth, also where it has ended.
    """

    slope: float
    error: float
    age: int
    level: float
    noise: float
    profile: Profile
    sign: float


def detect(history: History) -> Growth | None:
    """The growth (or shrinkage) at the end of a history; of slope zero where it ended within the last two days.

    None where there is none to rely on: what the backtests chose then holds.
    """
    day, values = history.day, history.values
    if day < BLOCKS or len(values) < (MIN_AGE_DAYS + 2) * day:
        return None
    profile = history.profile
    level = values - profile.past()
    found = _still_going(level, day // BLOCKS, profile)
    if found is None:
        found = _lately_ended(level, day, profile)
    if found is None:
        return None
    saw = sawtooth.detect(values if found.sign > 0 else -values)
    return found if saw is None or saw.broken else None


def _still_going(level: FloatArray, width: int, profile: Profile) -> Growth | None:
    blocks = len(level) // width
    if blocks < (MIN_AGE_DAYS + 2) * BLOCKS:
        return None
    medians = np.median(level[len(level) - blocks * width :].reshape(blocks, width), axis=1)
    changes = medians[BLOCKS:] - medians[:-BLOCKS]
    sign = 1.0 if changes[-BLOCKS:].mean() > 0 else -1.0
    newest = float((sign * medians[-BLOCKS:]).max())
    # Growth that left all that was seen before stands highest today; most series end their trial here.
    age = _age(sign * medians, sign * changes) if newest >= float((sign * medians).max()) else 0
    if not age:
        return None
    found = _line(level, medians, age, width, profile)
    rounding = 1e-9 * abs(found.level)
    return found if sign * (level[-1] - found.level) > -ENDED * found.noise - rounding else None


def _lately_ended(level: FloatArray, day: int, profile: Profile) -> Growth | None:
    for steps in range(day, LATELY_DAYS * day + 1, day):
        before = _still_going(level[:-steps], day // BLOCKS, profile)
        if before is None:
            continue
        sign = before.sign
        # The lower of the two: a reset of this very hour is not yet in the median.
        now = sign * min(sign * float(level[-1]), sign * float(np.median(level[-(day // BLOCKS) :])))
        if sign * (before.level + before.slope * steps - now) > ENDED * before.noise:
            return replace(before, slope=0.0, level=now, sign=sign)
    return None


def _age(medians: FloatArray, changes: FloatArray) -> int:
    """The most blocks for which nearly every day kept the pace and the growth stands out; 0 where there are none."""
    # What keeps a pace rises: most series end their trial here.
    rising = changes[::-1] > 0
    enough = np.cumsum(rising) >= MOST * np.arange(1, len(changes) + 1)
    for age in _ages(len(changes)):
        if not (enough[age - 1] and rising[age - 1]):
            continue
        during = changes[-age:]
        pace = float(np.median(during))
        kept = during >= SAME_PACE * pace
        steady = pace > 0 and kept[-2:].all() and kept[0] and kept.mean() >= MOST
        if steady and _stands_out(medians, changes, age):
            return age
    return 0


def _ages(longest: int) -> list[int]:
    """Ages to try, longest first: every one up to EVERY_AGE, further ones a fortieth apart."""
    ages = list(range(int(MIN_AGE_DAYS * BLOCKS), min(longest, EVERY_AGE) + 1))
    while ages and ages[-1] < longest:
        ages.append(min(longest, ages[-1] + ages[-1] // 40))
    return ages[::-1]


def _stands_out(medians: FloatArray, changes: FloatArray, age: int) -> bool:
    during, before = changes[-age:], changes[:-age]
    pace = float(np.median(during))
    wander = np.concatenate([during - pace, before - (float(np.median(before)) if len(before) else 0.0)])
    daily = 1.4826 * float(np.median(np.abs(wander)))
    if pace * np.sqrt(age / BLOCKS) < STRENGTH * daily:
        return False
    stretch = medians[-age - 1 :]
    at = np.arange(len(stretch))
    rest = stretch - np.polyval(np.polyfit(at, stretch, 1), at)
    if np.var(rest) > (1.0 - EXPLAINED) * np.var(stretch):
        return False
    earlier = medians[: -age - BLOCKS]
    grown = float(stretch[-1] - stretch[0])
    return not len(earlier) or float(stretch[-1] - earlier.max()) >= UNSEEN * grown


def _line(level: FloatArray, medians: FloatArray, age: int, width: int, profile: Profile) -> Growth:
    recent = medians[-min(age + 1, PACE_DAYS * BLOCKS) :]
    slope = _pace(recent) / width
    stretch = level[-len(recent) * width :]
    rest = stretch - slope * np.arange(1 - len(stretch), 1)
    noise = float(np.std(rest))
    spread = float(np.std(recent - slope * width * np.arange(len(recent))))
    # Standard error of a slope, its variance doubled for the autocorrelation of blocks.
    error = float(np.sqrt(2.0 * 12.0 / len(recent) ** 3)) * spread / width
    sign, now = float(np.sign(slope)), float(np.median(rest[-BLOCKS * width :]))
    faster = _pace(recent[-max(BLOCKS, len(recent) // 2) :]) / width - slope
    if faster * sign > 0:
        # Half as many blocks: the error of a slope falls with their number to the power of three halves.
        certain = 0.5 * faster**2 / (faster**2 + 8.0 * error**2 + 1e-300)
        slope, error = slope + certain * faster, float(np.hypot(error, certain * faster / 2))
    return Growth(slope, error, age * width, now, noise, profile, sign)


def _pace(medians: FloatArray) -> float:
    """The median of the slopes between blocks that are two or more apart, per block."""
    i, j = np.triu_indices(len(medians), BLOCKS // 2)
    return float(np.median((medians[j] - medians[i]) / (j - i)))


def fan(history: History, growth: Growth, horizon: int) -> FloatArray:
    """(7, horizon) quantiles of a growth whose pace, end and noise are uncertain."""
    ahead = np.arange(1, horizon + 1)
    shares = (np.arange(GRID) + 0.5) / GRID
    deviates = _normal(shares)
    # What has lasted `age` lasts at least h more with probability (age / (age + h)) ** STOPPING.
    lasting = growth.age * (shares ** (-1.0 / STOPPING) - 1.0)
    slopes = growth.slope + growth.error * deviates
    grown = slopes[:, None, None] * np.minimum(ahead[None, None, :], lasting[None, :, None])
    levels = growth.level + grown[:, :, None, :] + growth.noise * deviates[None, None, ::4, None]
    flat = levels.reshape(-1, horizon)
    return history.clip(np.quantile(flat, LEVELS, axis=0) + growth.profile.future(horizon))


def young(level: FloatArray, widths: Sequence[int], profile: Profile) -> Growth | None:
    """The growth at the end of a level without season, sought in blocks of each width in turn; rising ones alone.

    With blocks of a quarter day it is what `detect` finds; with shorter ones it may be as young as eight blocks. A
    single large fall (more capacity, a clean-up) begins a new series.
    """
    level = level[_since_fall(level) :]
    for width in widths:
        found = _still_going(level, width, profile) if width >= 1 else None
        if found is not None and found.sign > 0:
            return found
    return None


def _since_fall(level: FloatArray) -> int:
    falls = _sudden(-level)
    return int(falls[-1]) + 2 if len(falls) else 0


def _sudden(level: FloatArray) -> NDArray[np.intp]:
    """The steps from which a level rises, within two steps, far more than it usually changes."""
    change = level[2:] - level[:-2]
    if len(change) < BLOCKS:
        return np.empty(0, dtype=np.intp)
    usual = 1.4826 * float(np.median(np.abs(change - np.median(change))))
    rises: NDArray[np.intp] = np.nonzero(
        change > max(SUDDEN_SIGMAS * usual, SUDDEN_SHARE * float(np.ptp(level)), 1e-12)
    )[0]
    return rises


def settled_for(level: FloatArray, widths: Sequence[int], profile: Profile, pauses: Sequence[int], longest: int) -> int:
    """For how many steps a level that lately rose, by growth or at a stroke, has stayed; 0 where it did not.

    pauses: numbers of steps for which it may have stayed after growth; longest: after a stroke.
    """
    since = _since_rise(level)
    if since <= longest:
        return max(1, int(since))
    for steps in pauses:
        found = young(level[:-steps], widths, profile) if len(level) > 2 * steps else None
        if found is not None:
            expected = STILL * found.slope * steps / 2
            return steps if float(np.median(level[-steps:])) - found.level < expected else 0
    return 0


def _since_rise(level: FloatArray) -> float:
    """Steps since the last sudden rise that the level never left again; infinity without one."""
    rises = _sudden(level)
    if not len(rises):
        return np.inf
    # Of neighbouring steps of one rise the first.
    begins = rises[np.diff(rises, prepend=-BLOCKS) > 1]
    last = int(begins[-1])
    half = (level[last] + level[last + 2]) / 2
    return float(len(level) - last - 2) if (level[last + 2 :] > half).all() else np.inf


def has_ended(growth: Growth, level: FloatArray, per_step: float, day: int) -> bool:
    """Whether the newest part of a growth no longer grows.

    level: may have `per_step` samples for each step of the growth; day: samples of it in a day. What has grown for days
    may pause for a night.
    """
    samples = round(growth.age * per_step)
    least = day // 2 if samples >= 2 * day else 2 * BLOCKS
    parts = {max(samples // share, least) for share in NEWEST}
    return any(_is_still(level[-part:], growth.slope / per_step) for part in parts if part <= len(level))


def _is_still(newest: FloatArray, pace: float) -> bool:
    quarter = len(newest) // BLOCKS
    risen = float(np.median(newest[-quarter:]) - np.median(newest[:quarter]))
    at = np.arange(len(newest))
    rest = newest - np.polyval(np.polyfit(at, newest, 1), at)
    # Medians of a quarter whose samples are alike: no more certain than a few of them.
    doubt = 2.0 * float(np.std(rest)) / np.sqrt(min(quarter, BLOCKS))
    return bool(risen + doubt < STILL * pace * (len(newest) - quarter))


def reached(growth: Growth, bound: float, horizon: int) -> FloatArray:
    """The probability that a rising growth has reached a bound by each step ahead.

    Pace, end and level are as uncertain as in `fan`; half of the noise around the line stays for the whole way, the
    other half is drawn anew at each step.
    """
    ahead = np.arange(1, horizon + 1)
    shares = (np.arange(GRID // 2) + 0.5) / (GRID // 2)
    deviates = _normal(shares)
    lasting = growth.age * (shares ** (-1.0 / STOPPING) - 1.0)
    error = float(np.hypot(growth.error, PACE_ERROR * growth.slope))
    slopes = np.maximum(growth.slope + error * deviates, 0.0)
    grown = slopes[:, None, None] * np.minimum(ahead, lasting[None, :, None])
    spread = np.sqrt(0.5) * max(growth.noise, 1e-9 * abs(bound), 1e-12)
    missing = bound - growth.level - growth.profile.future(horizon)
    passed = np.zeros(horizon)
    offsets = spread * deviates[1::3]
    for offset in offsets:
        stays = np.maximum(1.0 - normal((grown + offset - missing) / spread), 1e-15)
        passed += (1.0 - np.exp(np.cumsum(np.log(stays), axis=2))).mean(axis=(0, 1))
    shares_passed: FloatArray = passed / len(offsets)
    return shares_passed


def _normal(shares: FloatArray) -> FloatArray:
    return np.array([NormalDist().inv_cdf(share) for share in shares])
