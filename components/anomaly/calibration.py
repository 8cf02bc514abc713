"""From surprise to score: where the threshold lies, how long an anomaly must last, what one event is."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from components.anomaly import robust
from components.anomaly.panel import DAY_US, WEEK_US, FloatArray, TimeArray

#: The tail model: a generalized Pareto distribution above the 90 % quantile, its scale and shape read off two
#: higher quantiles. The shape is kept where service metrics lie; beyond it, past faults would pull it away.
_BASE, _MIDDLE, _TOP = 0.90, 0.97, 0.995
_SHAPES = np.linspace(-0.2, 0.25, 46)
#: Quantiles are taken per block of history and the upper quartile of the blocks is kept: up to a quarter of
#: history may have been faulty without moving the threshold.
_BLOCK_ROWS, _MOST_BLOCKS, _KEPT = 288, 60, 0.75
#: A peak that comes back in this share of the blocks is a habit, not an anomaly.
_HABIT, _HABIT_MARGIN = 0.7, 1.15
#: One row alone fires where its surprise is this many times the threshold.
LONE_FACTOR = 2.0


def thresholds(surprise: FloatArray, rates_per_week: FloatArray, step_us: int, least: float) -> FloatArray:
    """The threshold of each channel: what history exceeds at the given rate of rows a week.

    surprise: history's rows by channels, NaN left out. Channels without history get `least`, which no
    threshold goes below.
    """
    tail = np.clip(rates_per_week * step_us / WEEK_US / (1 - _BASE), 1e-9, 1.0)
    blocks = _blocks(surprise, max(_BLOCK_ROWS, DAY_US // step_us))
    base, middle, top = (_of_blocks(blocks, level, _KEPT) for level in (_BASE, _MIDDLE, _TOP))
    shape, scale = _tail(base, middle, top)
    reach = np.where(np.abs(shape) < 1e-6, -np.log(tail), (tail**-shape - 1) / np.where(shape == 0, 1, shape))
    habit = _of_blocks(blocks, 1.0, _HABIT) * _HABIT_MARGIN
    return np.fmax(np.fmax(base + scale * reach, habit), least)


def persistent(scores: FloatArray, needed: int, of: int, lone: float = LONE_FACTOR) -> FloatArray:
    """Scores that exceed a level only where `needed` of the newest `of` rows do, this one among them.

    A lone row counts too where it reaches `lone` times the level. Rows by columns; NaN counts as 0.
    """
    known = np.nan_to_num(scores, nan=0.0)
    padded = np.vstack([np.zeros((of - 1, known.shape[1])), known])
    recent = np.stack([padded[lag : lag + len(known)] for lag in range(of)])
    nth = np.partition(recent, of - needed, axis=0)[of - needed]
    result: FloatArray = np.maximum(known / lone, np.minimum(known, nth))
    return result


def number_events(times: TimeArray, anomalous: npt.NDArray[np.bool_], pause_us: int) -> npt.NDArray[np.int64]:
    """The number, from 1, of the event each anomalous row belongs to; 0 outside. Pauses up to `pause_us` join."""
    numbers = np.zeros(len(times), dtype=np.int64)
    rows = np.flatnonzero(anomalous)
    if len(rows):
        fresh = np.concatenate([[True], np.diff(times[rows]) > pause_us])
        numbers[rows] = np.cumsum(fresh)
    return numbers


def _blocks(surprise: FloatArray, rows: int) -> FloatArray:
    """The newest history as blocks x rows x channels: a day each, or as many rows as a day at five minutes has."""
    count = int(np.clip(len(surprise) // rows, 1, _MOST_BLOCKS))
    size = min(len(surprise) // count, 2 * rows)
    return surprise[len(surprise) - count * size :].reshape(count, size, surprise.shape[1])


def _of_blocks(blocks: FloatArray, level: float, kept: float) -> FloatArray:
    return robust.quantile(robust.quantile(blocks, level, axis=1), kept, axis=0)


def _tail(base: FloatArray, middle: FloatArray, top: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Shape and scale of the Pareto tail through three quantiles."""
    near = np.maximum(middle - base, 1e-12)
    at_middle, at_top = (_reach((1 - level) / (1 - _BASE)) for level in (_MIDDLE, _TOP))
    nearest = np.searchsorted(at_top / at_middle, np.nan_to_num((top - base) / near, nan=1.0))
    chosen = np.clip(nearest, 0, len(_SHAPES) - 1)
    return _SHAPES[chosen], near / at_middle[chosen]


def _reach(tail: float) -> FloatArray:
    """How many scales above the base the given tail begins, for every shape."""
    safe = np.where(np.abs(_SHAPES) < 1e-6, 1.0, _SHAPES)
    return np.where(np.abs(_SHAPES) < 1e-6, -np.log(tail), (tail**-safe - 1) / safe)
