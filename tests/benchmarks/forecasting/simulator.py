"""A seeded simulator of resources that run out, and of harmless patterns that look alike.

Everything is in units of the limit (1 is the limit), sampled every five minutes over 40 days; each series then gets a
limit and a scale of its kind. Series of slow kinds (disk to swap) cross where an hour's mean does; series of fast kinds
where three samples in a row do, as an alert with `for: 15m` would see it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta

import numpy as np

from components.forecasting.series import FloatArray
from tests.benchmarks.forecasting.failure_case import Case, first_crossing

STEP = timedelta(minutes=5)
PER_H, DAYS = 12, 40
LENGTH = DAYS * 24 * PER_H
HISTORY_H, HORIZON_H = 30 * 24, 168
_CEILING = 0.985


@dataclass(frozen=True)
class Kind:
    """A kind of failure: its usual limit, what it can never exceed, hours from onset to failure, promised lead.

    lead_h: the design's table where it names the kind, ours otherwise. leads_h: bounds of the cuts, in hours ahead.
    """

    name: str
    limit: float
    capacity: float | None
    onset_h: tuple[float, float]
    lead_h: tuple[float, float]
    slow: bool

    @property
    def cuts_h(self) -> tuple[tuple[float, float], ...]:
        return ((2, 8), (24, 48), (72, 120), (120, 168)) if self.slow else ((0.5, 1), (1, 2), (2, 4), (4, 8))


KINDS = (
    Kind("disk", 95, 100, (144, 384), (72, 168), True),
    Kind("inode", 95, 100, (144, 384), (72, 168), True),
    Kind("memory", 95, 100, (60, 192), (24, 72), True),
    Kind("swap", 80, 100, (60, 168), (24, 72), True),
    Kind("connection_pool", 95, 100, (3, 12), (0.5, 2), False),
    Kind("queue", 1000, None, (3, 12), (0.5, 2), False),
    Kind("replication", 60, None, (3, 12), (0.5, 2), False),
    Kind("query_time", 500, None, (8, 24), (2, 4), False),
    Kind("error_rate", 10, 100, (3, 12), (0.5, 2), False),
    Kind("latency", 2000, None, (8, 24), (2, 4), False),
)

#: A series and the hour at which its failure began.
Begun = tuple[FloatArray, float]
_HOURS = np.arange(LENGTH) / PER_H
#: What fails, and how many of each a kind gets per seed.
_SLOW_FAILURES = ("ramp", "ramp", "ramp", "rising peaks", "rotation stopped", "rising season", "after extension")
_FAST_FAILURES = ("ramp", "ramp", "ramp", "ramp", "rising season", "rotation stopped")
DECOYS = ("log rotation", "garbage collection", "compaction", "extension", "level shift", "seasonal peak",
          "ramp that stopped", "burst")  # fmt: skip


def cases(seeds: range) -> Iterator[Case]:
    """Every cut of every series of these seeds: failures, decoys, quiet series, and ramps that stop after the cut."""
    for seed in seeds:
        for i, kind in enumerate(KINDS):
            rng = np.random.default_rng([seed, i])
            for n, pattern in enumerate(_SLOW_FAILURES if kind.slow else _FAST_FAILURES):
                yield from _failing(kind, pattern, f"{seed}-{kind.name}-{pattern}-{n}", rng)
            for pattern in (*DECOYS, "quiet", "quiet", "ramp that stops later"):
                yield from _harmless(kind, pattern, f"{seed}-{kind.name}-{pattern}", rng)


# --- what all series share ------------------------------------------------------------------------------


def _background(rng: np.random.Generator, kind: Kind) -> FloatArray:
    """A level with a day, a week, wander and noise, around 0.2 to 0.6."""
    level, season = rng.uniform(0.2, 0.6), rng.uniform(0.0, 0.12)
    if not kind.slow:
        level *= 0.7
    day = np.sin(2 * np.pi * (_HOURS - rng.uniform(0, 24)) / 24)
    day += 0.3 * rng.uniform(-1, 1) * np.sin(4 * np.pi * (_HOURS - rng.uniform(0, 24)) / 24)
    weekend = np.where((_HOURS // 24).astype(int) % 7 >= 5, rng.uniform(0.3, 1.0), 1.0)
    wander = _wander(rng, rng.uniform(2, 12)) * rng.uniform(0.005, 0.03)
    noise = rng.normal(0, rng.uniform(0.002, 0.02), LENGTH)
    return np.maximum(level + season * day * weekend + wander + noise, 0.0)


def _wander(rng: np.random.Generator, hours: float) -> FloatArray:
    """A stationary first-order autoregression of unit variance that forgets within `hours`."""
    from scipy.signal import lfilter

    memory = float(np.exp(-1 / (hours * PER_H)))
    wander: FloatArray = lfilter([np.sqrt(1 - memory**2)], [1.0, -memory], rng.standard_normal(LENGTH))
    return wander


def _progress(rng: np.random.Generator, onset: float, length: float, kind: Kind) -> FloatArray:
    """0 before the onset, 1 after `length` hours, and on: straight, faster and faster, by day more than by night."""
    t = np.maximum(_HOURS - onset, 0.0) / length
    shape = rng.choice(["straight", "straight", "faster", "busy", "lumpy"])
    if shape == "faster":
        return t ** rng.uniform(1.2, 1.8)
    if shape == "busy" and kind.slow:
        t = t + 24 / length * 0.7 / (2 * np.pi) * np.sin(2 * np.pi * _HOURS / 24) * (t > 0)
        return np.maximum(t, 0.0)
    if shape == "lumpy":
        lumps = rng.gamma(0.3, 1.0, LENGTH) * (t > 0)
        grown = np.cumsum(lumps) / 0.3 / PER_H / length
        return 0.5 * grown + 0.5 * t
    return t


def _sawtooth(rng: np.random.Generator, period_h: float, jitter: float) -> tuple[FloatArray, FloatArray]:
    """A saw from 0 to about 1, and the index at which each sample's cycle began."""
    phase, begun = np.zeros(LENGTH), np.zeros(LENGTH)
    at = -int(rng.uniform(0, period_h) * PER_H)
    while at < LENGTH:
        length = max(6, int(period_h * PER_H * rng.normal(1, jitter)))
        span = slice(max(at, 0), min(max(at + length, 0), LENGTH))
        height = rng.normal(1, 0.03)
        phase[span] = height * (np.arange(span.start, span.stop) - at) / length
        begun[span] = max(at, 0)
        at += length
    return phase, begun


# --- failures -------------------------------------------------------------------------------------------


def _failing(kind: Kind, pattern: str, name: str, rng: np.random.Generator) -> Iterator[Case]:
    values, onset, crossing = np.zeros(0), 0.0, np.inf
    # A drawn series that crosses too early or not at all is drawn again.
    while not 24 * PER_H * 20 <= crossing < LENGTH:
        values, onset = _FAILURES[pattern](rng, kind)
        crossing = _crossing(values, kind)
    for low, high in kind.cuts_h:
        lead = rng.uniform(low, high)
        # Before a quarter of the way nothing is to be seen yet: no forecast's fault.
        if lead > 0.75 * (crossing / PER_H - onset):
            continue
        steps = round(lead) * PER_H if kind.slow else round(lead * PER_H)
        yield _cut(values, int(crossing) - steps, crossing, kind, pattern, name, rng)


def _ramp(rng: np.random.Generator, kind: Kind) -> Begun:
    base, length = _background(rng, kind), rng.uniform(*kind.onset_h)
    onset = rng.uniform(29, 32) * 24 - length
    return base + (1 - float(base.mean())) * _progress(rng, onset, length, kind), onset


def _rising_peaks(rng: np.random.Generator, kind: Kind) -> Begun:
    # Collected every few hours, or rotated every day or two.
    period = rng.uniform(2, 12) if rng.random() < 0.5 else rng.uniform(8, 60)
    saw, _ = _sawtooth(rng, period, 0.1)
    low, height = rng.uniform(0.2, 0.4), rng.uniform(0.15, 0.35)
    begin = rng.uniform(5, 20) * 24
    rise = (1 - low - height) * np.maximum(_HOURS - begin, 0) / (30 * 24 - begin)
    return low + height * saw + rise + rng.normal(0, 0.004, LENGTH), begin


def _rotation_stopped(rng: np.random.Generator, kind: Kind) -> Begun:
    period = rng.uniform(12, 48) if kind.slow else rng.uniform(1, 4)
    saw, begun = _sawtooth(rng, period, 0.08)
    low, height = rng.uniform(0.2, 0.4), rng.uniform(0.15, 0.3)
    speed = height / (period * PER_H)
    stop = int(begun[int(rng.uniform(25, 29) * 24 * PER_H)])
    values = low + height * saw
    values[stop:] = low + speed * np.arange(LENGTH - stop)
    return values + rng.normal(0, 0.004, LENGTH), stop / PER_H


def _rising_season(rng: np.random.Generator, kind: Kind) -> Begun:
    base = _background(rng, kind)
    amplitude = rng.uniform(0.15, 0.3)
    begin = rng.uniform(0, 15) * 24
    peak = amplitude * (1 + np.sin(2 * np.pi * _HOURS / 24)) / 2
    rise = np.maximum(_HOURS - begin, 0) / (30 * 24 - begin)
    return base + peak + (1.0 - float(base.mean()) - amplitude) * rise, begin


def _after_extension(rng: np.random.Generator, kind: Kind) -> Begun:
    base, length = _background(rng, kind), rng.uniform(10, 18) * 24
    extended = rng.uniform(18, 25) * 24
    share = rng.uniform(0.6, 0.8)
    grown = np.maximum(_HOURS - (extended - length), 0) / length * (0.9 - float(base.mean()))
    return np.where(extended < _HOURS, (base + grown) * share, base + grown), extended


_FAILURES: dict[str, Callable[[np.random.Generator, Kind], Begun]] = {
    "ramp": _ramp,
    "rising peaks": _rising_peaks,
    "rotation stopped": _rotation_stopped,
    "rising season": _rising_season,
    "after extension": _after_extension,
}


# --- harmless -------------------------------------------------------------------------------------------


def _harmless(kind: Kind, pattern: str, name: str, rng: np.random.Generator) -> Iterator[Case]:
    for n in range(1 if pattern == "ramp that stops later" else 2):
        values, moment = _HARMLESS[pattern](rng, kind)
        highest = float(values.max())
        values = values * min(1.0, _CEILING / highest)
        # Slow kinds are judged by whole hours.
        moment -= moment % PER_H if kind.slow else 0
        yield _cut(values, moment, np.inf, kind, pattern, f"{name}-{n}", rng)


def _moment(rng: np.random.Generator) -> int:
    return int(rng.uniform(28, 32) * 24 * PER_H)


def _reset(rng: np.random.Generator, period_h: float, jitter: float) -> tuple[FloatArray, int]:
    """A saw with a high peak, cut in the last half of a rise: the moment at which a straight line alarms."""
    saw, begun = _sawtooth(rng, period_h, jitter)
    low, peak = rng.uniform(0.3, 0.6), rng.uniform(0.8, 0.95)
    begin = int(begun[_moment(rng)])
    length = int(np.argmax(begun[begin + 1 :] > begin)) + 1
    values = low + (peak - low) * saw + rng.normal(0, 0.005, LENGTH)
    return values, begin + int(length * rng.uniform(0.5, 0.98))


def _log_rotation(rng: np.random.Generator, kind: Kind) -> tuple[FloatArray, int]:
    return _reset(rng, rng.choice([24.0, 48.0, rng.uniform(10, 60)]), 0.03)


def _garbage_collection(rng: np.random.Generator, kind: Kind) -> tuple[FloatArray, int]:
    return _reset(rng, rng.uniform(2, 12), 0.2)


def _compaction(rng: np.random.Generator, kind: Kind) -> tuple[FloatArray, int]:
    return _reset(rng, rng.uniform(48, 130), 0.15)


def _extension(rng: np.random.Generator, kind: Kind) -> tuple[FloatArray, int]:
    """Growth, then more capacity: the share falls and goes on growing, too slowly to fill up soon."""
    base, moment = _background(rng, kind), _moment(rng)
    extended = moment / PER_H - rng.uniform(6, 72)
    start, before = extended - rng.uniform(10, 20) * 24, rng.uniform(0.85, 0.95)
    grown = np.maximum(_HOURS - start, 0) / (extended - start) * (before - float(base.mean()))
    share = rng.uniform(0.4, 0.6)
    return np.where(extended < _HOURS, (base + grown) * share, base + grown), moment


def _level_shift(rng: np.random.Generator, kind: Kind) -> tuple[FloatArray, int]:
    base, moment = _background(rng, kind), _moment(rng)
    since = moment / PER_H - (rng.uniform(2, 72) if kind.slow else rng.uniform(0.5, 24))
    room = 0.9 - float(base.max())
    return base + max(0.1, room) * (since < _HOURS), moment


def _seasonal_peak(rng: np.random.Generator, kind: Kind) -> tuple[FloatArray, int]:
    """A high peak every day, cut on the way up to it."""
    top, low, sharp = rng.uniform(0.8, 0.93), rng.uniform(0.2, 0.5), rng.uniform(1, 3)
    day = ((1 + np.sin(2 * np.pi * _HOURS / 24)) / 2) ** sharp
    values = low + (top - low) * day + _wander(rng, 3) * 0.01 + rng.normal(0, 0.008, LENGTH)
    return values, int((int(rng.uniform(28, 32)) * 24 + rng.uniform(1, 6)) * PER_H)


def _stopped(rng: np.random.Generator, kind: Kind) -> tuple[FloatArray, int]:
    return _ended_ramp(rng, kind, stops_before_h=(24, 72) if kind.slow else (1, 6))


def _stops_later(rng: np.random.Generator, kind: Kind) -> tuple[FloatArray, int]:
    """Not to be told from a failure at the time of the cut: counted among the harmless, not among the decoys."""
    return _ended_ramp(rng, kind, stops_before_h=(-48, -2) if kind.slow else (-1, -0.1))


def _ended_ramp(rng: np.random.Generator, kind: Kind, stops_before_h: tuple[float, float]) -> tuple[FloatArray, int]:
    base, moment, length = _background(rng, kind), _moment(rng), rng.uniform(*kind.onset_h)
    end = moment / PER_H - rng.uniform(*stops_before_h)
    reached = rng.uniform(0.75, 0.92) - float(base.max())
    share = _progress(rng, end - length, length, kind)
    return base + max(reached, 0.15) * np.minimum(share, share[min(int(end * PER_H), LENGTH - 1)]), moment


def _burst(rng: np.random.Generator, kind: Kind) -> tuple[FloatArray, int]:
    """A sudden rise that is gone within hours, cut while it lasts."""
    base, moment = _background(rng, kind), _moment(rng)
    since = np.maximum(_HOURS - moment / PER_H + rng.uniform(0.1, 1.5), 0)
    fading = np.exp(-since / rng.uniform(0.5, 2.0)) * (since > 0)
    return base + (rng.uniform(0.75, 0.95) - float(base.max())) * fading, moment


def _quiet(rng: np.random.Generator, kind: Kind) -> tuple[FloatArray, int]:
    return _background(rng, kind), _moment(rng)


_HARMLESS: dict[str, Callable[[np.random.Generator, Kind], tuple[FloatArray, int]]] = {
    "log rotation": _log_rotation,
    "garbage collection": _garbage_collection,
    "compaction": _compaction,
    "extension": _extension,
    "level shift": _level_shift,
    "seasonal peak": _seasonal_peak,
    "ramp that stopped": _stopped,
    "burst": _burst,
    "quiet": _quiet,
    "ramp that stops later": _stops_later,
}


# --- cuts -----------------------------------------------------------------------------------------------


def _crossing(values: FloatArray, kind: Kind) -> float:
    if not kind.slow:
        return first_crossing(values, 1.0, 3)
    hourly = values.reshape(-1, PER_H).mean(axis=1)
    return first_crossing(hourly, 1.0, 1) * PER_H


def _cut(
    values: FloatArray, at: int, crossing: float, kind: Kind, pattern: str, name: str, rng: np.random.Generator
) -> Case:
    limit = kind.limit * rng.uniform(0.9, 1.0)
    scaled = np.maximum(values, 0.0) * limit
    if kind.capacity is not None:
        scaled = np.minimum(scaled, kind.capacity)
    past = scaled[max(0, at - HISTORY_H * PER_H) : at]
    known = min(float(HORIZON_H), (LENGTH - at) / PER_H)
    below = kind.name == "disk" and rng.random() < 0.3 and kind.capacity is not None
    case = Case(
        "simulator", f"{name}-{at}", kind.name, pattern, past, STEP, limit, (crossing - at) / PER_H, known,
        capacity=kind.capacity, decoy=pattern in DECOYS,
    )  # fmt: skip
    # The same in free space: what is left falls to the limit.
    return replace(case, values=100 - past, limit=100 - limit, direction="below") if below else case
