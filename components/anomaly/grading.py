"""A detector's verdict in two halves: grades of single rows, and what recent grades together say of the newest row.

The first half is what takes time and depends on a few rows of context; the second depends on grades alone.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from components.anomaly import detectors, evidence
from components.anomaly.detector import Detector, Surprise, Tuning
from components.anomaly.detectors import auto
from components.anomaly.panel import FloatArray, Panel


def grades(detector: Detector, panel: Panel) -> FloatArray:
    """Rows by columns: evidence of the voting detectors, else scores before persistence; NaN where abstained."""
    surprise = detector.surprise(panel)
    if isinstance(detector, auto.Detector):
        return surprise.channels
    return detector.calibrate(surprise)


def newest(detector: Detector, panel: Panel, known: FloatArray) -> FloatArray:
    """The last row's grades. `panel` has `reach` rows before it and one more; `known`: its values without gaps."""
    if not isinstance(detector, auto.Detector):
        last: FloatArray = grades(detector, seeded(panel, known, 0))[-1]
        return last
    votes = []
    for member, tail in zip(detector.members, detector.tails, strict=True):
        rows = seeded(panel, known, len(panel) - _reach(member) - 2)
        votes.append(tail.evidence(member.surprise(rows).channels[-1]))
    return evidence.mean_known(np.stack(votes))


def judged(detector: Detector, recent: FloatArray) -> FloatArray:
    """The newest row's scores per column from the grades of the newest `judged_rows` rows."""
    if isinstance(detector, auto.Detector):
        scores = detector.judge(recent)
    else:
        scores = detector.finish(Surprise(recent, sides=1), recent, np.ones((1, recent.shape[1]))).columns
    newest_row: FloatArray = scores[-1]
    return newest_row


def judged_rows(name: str, tuning: Tuning) -> int:
    """How many of the newest grades decide a score."""
    return tuning.persistence_of + (evidence.FADED_ROWS if name == auto.Detector.name else 0)


def reach(detector: Detector, step_us: int) -> int:
    """Rows before a row that decide its grade, for rows that far apart."""
    members: list[Detector] = getattr(detector, "members", [])
    for one in (detector, *members):
        one.step_us = step_us
    return max(_reach(member) for member in members) if isinstance(detector, auto.Detector) else _reach(detector)


def is_joint(name: str, tuning: Tuning) -> bool:
    """Whether a column's grades depend on the other columns, so that they cannot be fitted in portions."""
    values = np.random.default_rng(0).standard_normal((120, 2))
    one, other = (_of_first(name, tuning, values * [1.0, factor]) for factor in (1.0, -9.0))
    return not np.array_equal(one, other, equal_nan=True)


def _of_first(name: str, tuning: Tuning, values: FloatArray) -> FloatArray:
    """The first column's grades by a detector fitted on both."""
    every = np.ones(2, dtype=bool)
    panel = Panel(np.arange(120, dtype=np.int64) * 60_000_000, values, ("a", "b"), every, every, np.zeros(2))
    detector = detectors.create(name, replace(tuning, minimum_history_h=1.0))
    detector.fit(panel)
    return grades(detector, panel)[:, 0]


def carried(values: FloatArray, before: FloatArray) -> FloatArray:
    """Rows by columns with gaps filled by the last known value, at first by `before`; NaN where none was known."""
    known = np.isfinite(values)
    if known.all():
        return values
    whole = np.vstack([before, values])
    place = np.where(np.vstack([np.ones((1, len(before)), dtype=bool), known]), np.arange(len(whole))[:, None], 0)
    filled: FloatArray = np.take_along_axis(whole, np.maximum.accumulate(place, axis=0), axis=0)[1:]
    return filled


def seeded(panel: Panel, known: FloatArray, start: int) -> Panel:
    """The rows from `start`, the first without gaps: later gaps are filled from it as from the rows before."""
    start = max(0, start)
    values = panel.values[start:]
    if start or known is not panel.values:
        values = values.copy()
        values[:1] = known[start : start + 1]
    return replace(panel, times=panel.times[start:], values=values)


def _reach(detector: Detector) -> int:
    return detector.context_rows - detector.tuning.persistence_of
