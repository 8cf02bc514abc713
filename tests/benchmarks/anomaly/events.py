"""What somebody on call notices: which labelled stretches were found, how late, and how many events were false.

A labelled stretch is a run of labelled rows; it is found if a flagged row lies in it. An event is what the detector
numbers as one; it is false if none of its flagged rows is labelled.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tests.benchmarks.anomaly.curves import Labels, Scores, spans

Times = npt.NDArray[np.int64]
Events = npt.NDArray[np.int64]

WEEK_US = 7 * 24 * 3600 * 1_000_000
_MINUTE_US = 60 * 1_000_000


@dataclass(frozen=True)
class Found:
    """Counts of one series. delays_min: of each found stretch, minutes from its first row to the first flagged one."""

    stretches: int
    hits: int
    events: int
    false_events: int
    weeks: float
    delays_min: tuple[float, ...]


def judge(times: Times, labels: Labels, events: Events) -> Found:
    """Compare event numbers (from 1, 0 outside) with the labels; times: microseconds, by sorted instant."""
    starts, ends = spans(labels)
    flagged = np.flatnonzero(events > 0)
    first = np.searchsorted(flagged, starts)
    hit = first < np.searchsorted(flagged, ends, side="right")
    delays = (times[flagged[first[hit]]] - times[starts[hit]]) / _MINUTE_US
    numbers = np.unique(events[flagged])
    true = np.unique(events[flagged][labels[flagged]])
    weeks = float(times[-1] - times[0]) / WEEK_US if len(times) else 0.0
    return Found(len(starts), int(hit.sum()), len(numbers), len(numbers) - len(true), weeks, tuple(delays.tolist()))


def number(times: Times, flagged: Labels, pause_us: int) -> Events:
    """Event numbers of flagged rows, pauses up to `pause_us` joined; for thresholds a detector was not run with."""
    numbers = np.zeros(len(times), dtype=np.int64)
    rows = np.flatnonzero(flagged)
    if len(rows):
        numbers[rows] = np.cumsum(np.append(True, np.diff(times[rows]) > pause_us))
    return numbers


def pooled_threshold(normal_scores: Sequence[Scores], share: float) -> float:
    """The threshold above which at most `share` of all normal rows together score; infinite without rows."""
    pooled = np.concatenate([np.empty(0), *normal_scores])
    if not len(pooled):
        return float("inf")
    allowed = int(share * len(pooled))
    return float(-np.partition(-pooled, allowed)[allowed])
