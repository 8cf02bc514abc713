"""Everyone in the ring behind one call: Traceo's detectors by name, and the baselines that none of them stands for."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from components.anomaly import detectors
from components.anomaly.detect import detect
from components.anomaly.specs import DetectParams
from tests.benchmarks.anomaly.alarms import over_threshold
from tests.benchmarks.anomaly.baselines import BASELINES
from tests.benchmarks.anomaly.case import Case
from tests.benchmarks.anomaly.curves import Scores
from tests.benchmarks.anomaly.events import Events, number

#: The shipped knob: nothing here is told to any detector.
SHIPPED = DetectParams()
#: What every table is to have beside our own: by the benchmark's hand, or by a detector of ours of that name.
EXPECTED = ("voting", "isolation_forest", *BASELINES)
_MINUTE_US = 60 * 1_000_000


@dataclass(frozen=True)
class Answer:
    """One detector on one series, by instant. raw ranks rows; scores over 1 are anomalies; seconds of processor time.

    For our detectors the two are the same.
    """

    raw: Scores
    scores: Scores
    events: Events
    seconds: float


def names() -> list[str]:
    """Ours first, `auto` at the head; then the baselines that no detector of ours has the name of."""
    ours = sorted(detectors.names(), key=lambda name: (name != detectors.DEFAULT, name))
    return [*ours, *(name for name in BASELINES if name not in ours)]


def is_baseline(name: str) -> bool:
    """Whether the benchmark brings this one itself."""
    return name not in detectors.names()


def pause_us(case: Case) -> int:
    """Pauses up to this long do not end an event: what the detectors ship with."""
    return max(int(SHIPPED.merge_gap_minutes * _MINUTE_US), SHIPPED.persistence_of * case.step_us)


def answer(case: Case, name: str) -> Answer:
    """Score a case; ValueError where a detection does not speak of the case's instants."""
    return _baseline(case, name) if is_baseline(name) else _ours(case, name)


def _ours(case: Case, name: str) -> Answer:
    series, history = case.files()
    started = time.process_time()
    detection = detect(series, history, name, SHIPPED)
    seconds = time.process_time() - started
    if not np.array_equal(detection.panel.times, case.times):
        raise ValueError(f"{name} speaks of other instants than {case.set}/{case.name} has")
    scores = np.asarray(detection.scores.total, dtype=float)
    if not np.isfinite(scores).all():
        raise ValueError(f"{name} gives scores that are no numbers on {case.set}/{case.name}")
    return Answer(scores, scores, np.asarray(detection.events), seconds)


def _baseline(case: Case, name: str) -> Answer:
    times, values = case.history_and_series
    started = time.process_time()
    raw = BASELINES[name](times, values)
    scores = over_threshold(times, raw, SHIPPED.expected_false_events_per_week)[-len(case.times) :]
    seconds = time.process_time() - started
    return Answer(raw[-len(case.times) :], scores, number(case.times, scores > 1, pause_us(case)), seconds)
