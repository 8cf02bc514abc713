"""What a series is doing with respect to its limit, and the probability of reaching it that this has meant before.

Five patterns, the first that fits: a sawtooth that goes on, one whose resets have stopped, sustained growth (by the
hour or, from finer samples, by the minute), a level that lately rose and settled, and anything else. Each has its own
views of the first passage (`passage`, `sawtooth`, `growth`) and a logistic map from them to a calibrated probability.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from components.forecasting import growth, passage, sawtooth
from components.forecasting.seasonality import Profile
from components.forecasting.series import HOUR, FloatArray, History

SAWTOOTH, STOPPED, GROWTH, SETTLED, OTHER = "sawtooth", "stopped", "growth", "settled", "other"
#: A sawtooth most of whose peaks have reached the bound already: the next ones are counted on, not calibrated.
RECURRING = "recurring"
#: Below this many days of history only growth is judged.
MIN_DAYS = 3.0
#: No view is taken to be surer than this.
SURE = 1e-3
#: Blocks in which growth is sought, in hours: on the grid, and on finer samples.
BLOCKS_H, FINE_BLOCKS_H = (6.0, 3.0, 1.0), (0.5, 1 / 6, 1 / 12)
#: A level may have stayed for so many hours after growth to be called settled, and for so many days after a shift.
PAUSES_H, FINE_PAUSES_H, SHIFT_DAYS = (6, 12, 24, 48, 72), (0.5, 1, 2, 4, 6), 10
#: Growth seen in finer samples is followed this far.
FINE_REACH_H = 24
#: Per pattern: constant, weight of the logarithm of the days ahead, weights of the views' log odds. Fitted by
#: `python -m tests.benchmarks.forecasting.failure_fit` on made-up and real series other than those it is scored on;
#: RECURRING is taken as counted.
MAPS: dict[str, tuple[float, ...]] = {
    RECURRING: (0.0, 0.0, 1.0),
    SAWTOOTH: (-1.515, 0.614, 0.371, 0.0),
    STOPPED: (0.412, -0.097, 0.795),
    GROWTH: (1.213, 0.05, 0.768),
    SETTLED: (0.186, 0.155, 0.436, 0.161, 0.039),
    OTHER: (0.701, 0.322, 0.293, 0.358, 0.044),
}


@dataclass(frozen=True)
class Outlook:
    """A pattern with its views of the first passage, (views, horizon): each the probability by each step.

    fine: whether the views come from samples finer than the grid.
    """

    pattern: str
    views: FloatArray
    day: int
    reason: str = ""
    fine: bool = False

    def features(self) -> FloatArray:
        """(2 + views, horizon): what the pattern's map weighs."""
        held = np.clip(self.views, SURE, 1.0 - SURE)
        days = np.arange(1, self.views.shape[1] + 1) / self.day
        return np.vstack([np.ones_like(days), np.log(days), np.log(held / (1.0 - held))])

    def probability(self) -> FloatArray:
        """The calibrated probability by each step; it never falls."""
        odds = np.array(MAPS[self.pattern]) @ self.features()
        reached: FloatArray = np.maximum.accumulate(1.0 / (1.0 + np.exp(-odds)))
        return reached


def look(history: History, fan: FloatArray, bound: float, recent: History | None, seed: int) -> Outlook | None:
    """The outlook of a series whose failing side is above; None where a short history shows no growth.

    fan: the forecast's (7, horizon) quantiles. recent: the last days on a finer grid, where there are finer samples.
    """
    horizon, day = fan.shape[1], history.day
    enough = len(history) >= MIN_DAYS * day
    saw = sawtooth.detect(history.values) if enough else None
    if saw is not None:
        return _toothed(history, saw, fan, bound, seed)
    growing = _growing(history, recent, bound, horizon)
    if growing is not None or not enough:
        return growing
    fine_saw = None if recent is None else sawtooth.detect(recent.values)
    if recent is not None and fine_saw is not None and not fine_saw.broken and fine_saw.bounds(history.values):
        return _finely_toothed(history, recent, fine_saw, fan, bound, seed)
    profile = history.profile
    level = history.values - profile.past()
    settled = _settled_for(history, level, recent)
    forecast = passage.through(history.values, fan, profile, bound, day, seed)
    # What was before a level settled says nothing about how far it strays from it.
    since = level[-settled:] if settled >= day else level
    moved, alike = passage.replayed(since, profile, bound, horizon, day)
    views = np.stack([forecast, moved, alike])
    if not settled:
        return Outlook(OTHER, views, day)
    return Outlook(SETTLED, views, day, f"rose and has stayed for {settled * history.step / HOUR:.3g} h")


def _toothed(history: History, saw: sawtooth.Sawtooth, fan: FloatArray, bound: float, seed: int) -> Outlook:
    horizon, day = fan.shape[1], history.day
    rng = np.random.default_rng(seed)
    if saw.broken and saw.age >= sawtooth.MIN_AGE:
        hits = sawtooth.growth_hits(history.values[-saw.age :], bound, horizon, passage.PATHS, day, rng)
        reason = f"grows past its pattern of {len(saw.peaks)} resets: growth since the last reset continued"
        return Outlook(STOPPED, passage.from_hits(hits, horizon)[None], day, reason)
    hits = sawtooth.peak_hits(saw, bound, horizon, passage.PATHS, rng)
    return _by_peaks(saw, passage.from_hits(hits, horizon), history, fan, bound, seed)


def _finely_toothed(
    history: History, recent: History, saw: sawtooth.Sawtooth, fan: FloatArray, bound: float, seed: int
) -> Outlook:
    """A sawtooth whose cycles are too short to stand out in hourly means: garbage collection, mostly."""
    horizon = fan.shape[1]
    per = history.step / recent.step
    reach = int(np.ceil((history.end - recent.end) / recent.step + horizon * per))
    hits = sawtooth.peak_hits(saw, bound, reach, passage.PATHS, np.random.default_rng(seed))
    peaks = _on_grid(passage.from_hits(hits, reach), history, recent, horizon)
    return replace(_by_peaks(saw, peaks, history, fan, bound, seed), fine=True)


def _by_peaks(
    saw: sawtooth.Sawtooth, peaks: FloatArray, history: History, fan: FloatArray, bound: float, seed: int
) -> Outlook:
    day, count = history.day, len(saw.peaks)
    reached = int((saw.peaks >= bound).sum())
    if reached > count / 2:
        return Outlook(RECURRING, peaks[None], day, f"sawtooth: {reached} of {count} peaks have reached the limit")
    forecast = passage.through(history.values, fan, history.profile, bound, day, seed)
    return Outlook(SAWTOOTH, np.stack([peaks, forecast]), day, f"sawtooth of {count} resets: judged by its peaks")


def _growing(history: History, recent: History | None, bound: float, horizon: int) -> Outlook | None:
    day, profile = history.day, history.profile
    level = history.values - profile.past()
    slow = growth.young(level, [round(hours / 24 * day) for hours in BLOCKS_H], profile)
    fine = None if recent is None else recent.values - _season(history, recent)
    fast = None
    if recent is not None and fine is not None:
        per = history.step / recent.step
        if slow is not None and growth.has_ended(slow, fine, per, round(day * per)):
            slow = None
        if not sawtooth.goes_on(recent.values):
            widths = [round(hours * HOUR / recent.step) for hours in FINE_BLOCKS_H]
            fast = growth.young(fine, widths, Profile(np.zeros(1), len(recent)))
            if fast is not None and growth.has_ended(fast, fine, 1.0, round(day * per)):
                fast = None
    elif slow is not None and growth.has_ended(slow, level, 1.0, day):
        slow = None
    views, ages = [], []
    if slow is not None:
        views.append(growth.reached(slow, bound, horizon))
        ages.append(slow.age * history.step / HOUR)
    if fast is not None and recent is not None:
        views.append(_on_grid(growth.reached(fast, bound, _reach(recent)), history, recent, horizon))
        ages.append(fast.age * recent.step / HOUR)
    if not views:
        return None
    reason = f"has grown steadily for {max(ages):.3g} h"
    return Outlook(GROWTH, np.mean(views, axis=0)[None], day, reason, fine=fast is not None)


def _settled_for(history: History, level: FloatArray, recent: History | None) -> int:
    day, profile = history.day, history.profile
    pauses = [n for hours in PAUSES_H if (n := round(hours / 24 * day)) >= 1]
    widths = [round(hours / 24 * day) for hours in BLOCKS_H]
    steps = growth.settled_for(level, widths, profile, pauses, SHIFT_DAYS * day)
    if steps or recent is None:
        return steps
    per_h = HOUR / recent.step
    fine, widths = recent.values - _season(history, recent), [round(hours * per_h) for hours in FINE_BLOCKS_H]
    pauses = [round(hours * per_h) for hours in FINE_PAUSES_H]
    none = Profile(np.zeros(1), len(recent))
    steps = growth.settled_for(fine, widths, none, pauses, max(pauses))
    return max(1, round(steps * (recent.step / history.step))) if steps else 0


def _season(history: History, recent: History) -> FloatArray:
    # The profile is known by the step of the grid: between two middles it is a straight line.
    begin, per = (recent.start - history.start) / history.step, recent.step / history.step
    middles = begin + (np.arange(len(recent)) + 0.5) * per
    season: FloatArray = np.interp(middles - 0.5, np.arange(len(history)), history.profile.past())
    return season


def _reach(recent: History) -> int:
    return round(FINE_REACH_H * HOUR / recent.step)


def _on_grid(reached: FloatArray, history: History, recent: History, horizon: int) -> FloatArray:
    """A probability by fine steps after `recent` as one by steps after `history`, which may end a little later."""
    per, behind = history.step / recent.step, (history.end - recent.end) / recent.step
    ends = behind + per * np.arange(1, horizon + 1)
    by_step: FloatArray = np.interp(ends, np.arange(len(reached) + 1), np.concatenate([[0.0], reached]))
    return by_step
