"""One scale for all detectors: evidence, the tail model's -log10 of how often history was as strange.

1 is what one row in ten of history reaches, 2 one in a hundred; beyond that an exponential tail in the logarithm of
the detector's surprise goes on. Evidence of several detectors is averaged, must be confirmed, and fades slowly.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from components.anomaly import calibration, robust
from components.anomaly.panel import DAY_US, WEEK_US, FloatArray, TimeArray

_BASE, _TOP = 0.90, 0.99
#: The tail is not believed to be steeper than this share of the level it starts from.
_STEEPEST = 0.15
#: Surprise is measured against its median, or this share of its 99 % quantile where the median is next to nothing.
_LEAST_USUAL = 0.05
#: One detector's evidence counts up to here: a single broken one must not outvote the rest.
MOST_EVIDENCE = 12.0
_MOST_ROWS = 20_000
#: Known rows without which there is no tail, and no evidence.
_LEAST_KNOWN = 20
#: A lone row must show this many times the evidence that confirmed ones must.
_LONE_FACTOR = 1.5
#: Evidence of a row that is nothing special.
_USUAL_EVIDENCE = 1.0
#: Evidence fades by these factors a row, quickly and slowly; what has just alarmed alarms again sooner.
_FADING = (0.9, 0.98)
#: Evidence older than this many rows is forgotten.
FADED_ROWS = 127
#: Threshold of the mean evidence at one accepted false event a week and five-minute rows, and how it moves: per
#: factor of ten of accepted false events, per factor of ten of rows a week, with the number of columns pooled.
_LIMIT, _PER_KNOB, _PER_ROWS, _PER_COLUMNS = 1.35, 0.65, 0.25, 0.3
_ROWS_A_WEEK = 2016
#: Every second row of history shows this much; a looser knob cannot mean more.
_LEAST_LIMIT = 0.3
#: A peak on this share of the days is a habit; exceeding this quantile of its heights by the margin is news.
_HABIT_SHARE, _HABIT_TOP, _HABIT_MARGIN = 0.9, 0.8, 1.15
#: Below the alarm a score only ranks. So much of it is the row's own evidence, as much that of the strongest columns.
_OWN_SHARE, _STRONGEST_SHARE, _STRONGEST = 0.3, 0.3, 3
#: Days that a habit takes, and the newest that are looked at.
_HABIT_DAYS, _MOST_DAYS = 5, 30


@dataclass(frozen=True)
class Tail:
    """Per column: the usual surprise, where the tail begins, how far a factor of ten reaches (both logarithms)."""

    usual: FloatArray
    base: FloatArray
    width: FloatArray

    def evidence(self, surprise: FloatArray) -> FloatArray:
        """Surprise (rows by columns) as evidence from 0 to MOST_EVIDENCE; NaN stays."""
        log = np.log1p(np.maximum(surprise, 0.0) / self.usual)
        evidence = np.clip(1.0 + (log - self.base) / self.width, 0.0, MOST_EVIDENCE)
        # No surprise is no evidence, even where most rows have none.
        result: FloatArray = np.where(log <= 0, 0.0 * log, evidence)
        return result

    def surprise(self, evidence: float) -> FloatArray:
        """The surprise at which each column's evidence is that much."""
        result: FloatArray = np.expm1(self.base + (evidence - 1.0) * self.width) * self.usual
        return result


def fit_tail(surprise: FloatArray) -> Tail:
    """The tail of history's surprise (rows by columns, NaN left out)."""
    thinned = surprise[:: len(surprise) // _MOST_ROWS + 1]
    middle, top = (np.nan_to_num(robust.quantile(thinned, level)) for level in (0.5, _TOP))
    usual = np.maximum(middle, _LEAST_USUAL * top + 1e-9)
    usual[np.isfinite(thinned).sum(axis=0) < _LEAST_KNOWN] = np.nan
    log = np.log1p(np.maximum(thinned, 0.0) / usual)
    base, high = (np.nan_to_num(robust.quantile(log, level)) for level in (_BASE, _TOP))
    return Tail(usual, base, np.maximum(high - base, np.maximum(_STEEPEST * high, 1e-3)))


def mean_known(evidence: FloatArray) -> FloatArray:
    """The mean over the first axis of what is known; NaN where nothing is."""
    known = np.isfinite(evidence)
    count = known.sum(axis=0)
    total = np.where(known, evidence, 0.0).sum(axis=0)
    result: FloatArray = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return result


def pooled(evidence: FloatArray) -> FloatArray:
    """Evidence of all columns together: the root mean square over the last axis of what is known."""
    result: FloatArray = np.sqrt(mean_known(np.moveaxis(evidence, -1, 0) ** 2))
    return result


def confirmed(evidence: FloatArray, needed: int, of: int) -> FloatArray:
    """Evidence (rows by columns) that a second row bears out, or that is strong enough alone; NaN counts as none."""
    return calibration.persistent(evidence, needed, of, _LONE_FACTOR)


def lasting(evidence: FloatArray) -> FloatArray:
    """Confirmed evidence with what is left of earlier rows'."""
    fading = [_faded(evidence, factor) for factor in _FADING]
    result: FloatArray = (evidence + sum(fading)) / (1 + len(_FADING))
    return result


def habit(lasting: FloatArray, times: TimeArray, usual: FloatArray) -> FloatArray:
    """Per column the evidence that exceeds a habit, 0 where there is none: a peak on nearly all days is no anomaly.

    lasting: rows by columns; usual: the limit that makes a peak, per column. It must be the same whatever the knob:
    else a looser one, by which all days have peaks, would find less.
    """
    none = np.zeros_like(usual)
    if not len(times) or times[-1] - times[0] < _HABIT_DAYS * DAY_US:
        return none
    day = (times[-1] - times) // DAY_US
    near = day < _MOST_DAYS
    starts = np.flatnonzero(np.diff(day[near], prepend=-1))
    peaks = np.maximum.reduceat(lasting[near], starts, axis=0)
    most_days = robust.quantile(peaks, 1 - _HABIT_SHARE) * _HABIT_MARGIN >= usual
    result: FloatArray = np.where(most_days, robust.quantile(peaks, _HABIT_TOP) * _HABIT_MARGIN, none)
    return result


def scores(confirmed: FloatArray, lasting: FloatArray, limit: FloatArray | float) -> FloatArray:
    """Lasting evidence over the limit. A row that is itself nothing special, by itself, is over: it never exceeds 1."""
    found = lasting / limit
    special = np.minimum(_USUAL_EVIDENCE, limit)
    result: FloatArray = np.where(confirmed < special, np.minimum(found, 1.0), found)
    return result


def ranked(score: FloatArray, own: FloatArray, lasting: FloatArray, limit: float) -> FloatArray:
    """Scores of all columns together; those of rows that are no anomaly are refined by what an alarm does not count.

    Evidence that no second row bears out, that few columns show, or that is a habit is no alarm, and yet more than
    none. own, lasting: evidence before it is confirmed and after it faded, rows by columns, all together last.
    limit: of the knob, for all columns together.
    """
    columns = lasting[:, :-1]
    strongest = np.sort(columns, axis=1)[:, -_STRONGEST:].mean(axis=1) if columns.shape[1] > 1 else lasting[:, -1]
    shares = (
        (1 - _OWN_SHARE - _STRONGEST_SHARE, lasting[:, -1]),
        (_OWN_SHARE, own[:, -1]),
        (_STRONGEST_SHARE, strongest),
    )
    calm = sum(share * np.minimum(np.nan_to_num(part) / limit, 1.0) for share, part in shares)
    result: FloatArray = np.where(score > 1, score, np.minimum(calm, 1.0))
    return result


def limit(expected_false_events_per_week: float, step_us: int, columns: int) -> float:
    """The judged evidence above which an anomaly is reported."""
    rows = WEEK_US / max(step_us, 1)
    return max(
        _LEAST_LIMIT,
        _LIMIT
        - _PER_KNOB * math.log10(expected_false_events_per_week)
        + _PER_ROWS * math.log10(rows / _ROWS_A_WEEK)
        - _PER_COLUMNS * (1 - 1 / float(np.sqrt(max(columns, 1)))),
    )


def _faded(evidence: FloatArray, factor: float) -> FloatArray:
    """The largest of the last rows' evidence, each times `factor` per row of age, FADED_ROWS back."""
    result = evidence.copy()
    shift = 1
    while shift <= FADED_ROWS:
        # Doubling: after the n-th round the last 2^n rows are covered.
        earlier = result[:-shift] * factor**shift if shift < len(result) else result[:0]
        result[shift:] = np.maximum(result[shift:], earlier)
        shift *= 2
    return result
