"""Alarms for the baselines: each row's score over a threshold taken from the same series' earlier scores.

All of them get the same rule, with the budget that our detectors ship with, so that their ranking is compared and
not somebody's choice of a threshold. It is causal, and scored like ours: more than 1 is an anomaly.
"""

from __future__ import annotations

import numpy as np

from tests.benchmarks.anomaly.curves import Scores
from tests.benchmarks.anomaly.events import WEEK_US, Times

_HOUR_US = 3600 * 1_000_000
#: History is looked at again when it has grown this much, and at the latest after this long.
_GROWTH, _MOST_WAIT_US = 1.35, WEEK_US
#: Nothing is said before a day or a thousand rows, whichever is less; never before so many rows.
_FIRST_US, _FIRST_ROWS, _LEAST_ROWS = 24 * _HOUR_US, 1000, 50


def over_threshold(times: Times, scores: Scores, events_per_week: float) -> Scores:
    """Scores divided by the threshold that held then; 0 while there is too little history.

    The threshold is the k-th highest hour of all earlier ones, k being how many events were allowed by then.
    """
    ratio = np.zeros(len(scores))
    for start, end in refits(times):
        hours = _highest_by_hour(times[:start], scores[:start])
        allowed = (times[start - 1] - times[0]) / WEEK_US * events_per_week
        k = int(np.clip(round(allowed), 1, len(hours)))
        threshold = max(float(-np.partition(-hours, k - 1)[k - 1]), 1e-12)
        ratio[start:end] = scores[start:end] / threshold
    return ratio


def refits(times: Times) -> list[tuple[int, int]]:
    """From which row to before which row each refit on all earlier rows holds."""
    rows = len(times)
    if rows <= _LEAST_ROWS:
        return []
    first = min(max(int(np.searchsorted(times, times[0] + _FIRST_US)), _LEAST_ROWS), _FIRST_ROWS)
    starts = []
    while first < rows:
        starts.append(first)
        known = int(times[first] - times[0])
        due = times[first] + min(int(known * (_GROWTH - 1)), _MOST_WAIT_US)
        first = max(int(np.searchsorted(times, due)), first + _LEAST_ROWS)
    return list(zip(starts, [*starts[1:], rows], strict=True)) if starts else []


def _highest_by_hour(times: Times, scores: Scores) -> Scores:
    begins = np.flatnonzero(np.diff(times // _HOUR_US, prepend=-1))
    return np.maximum.reduceat(scores, begins)
