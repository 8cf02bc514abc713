"""Figures of failure risk: proper scores of the probabilities, alarms, and the time to the limit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from components.forecasting.risk import HORIZONS_H
from components.forecasting.series import BoolArray, FloatArray
from tests.benchmarks.forecasting.failure_case import Case

#: A probability of at least this much is an alarm, as in the prediction step's list of likely failures.
ALARM = 0.5
QUANTILES = np.array([0.1, 0.5, 0.9])
_LAST = float(HORIZONS_H[-1])


@dataclass(frozen=True)
class Answers:
    """What one method said of every case.

    probability: (cases, horizons). times_h: (cases, 3) time-to-limit quantiles in hours, infinite past the horizon.
    abstained: per case; its probabilities are 0, so that abstaining scores as not alarming.
    """

    cases: Sequence[Case]
    probability: FloatArray
    times_h: FloatArray
    abstained: BoolArray

    def where(self, keep: Callable[[Case], bool]) -> Answers:
        at = np.array([keep(case) for case in self.cases], dtype=bool)
        kept = [case for case, here in zip(self.cases, at, strict=True) if here]
        return Answers(kept, self.probability[at], self.times_h[at], self.abstained[at])

    def truth(self) -> FloatArray:
        """(cases, horizons): 1 crossed within, 0 not, NaN unknown."""
        rows = [[_number(case.crossed(hours)) for hours in HORIZONS_H] for case in self.cases]
        return np.array(rows, dtype=float).reshape(len(self.cases), len(HORIZONS_H))

    def alarms(self, horizon_h: float) -> BoolArray:
        """Whether the probability within the shortest horizon that reaches so far makes an alarm."""
        column = next(i for i, hours in enumerate(HORIZONS_H) if hours >= horizon_h)
        raised: BoolArray = self.probability[:, column] >= ALARM
        return raised


def brier(probability: FloatArray, truth: FloatArray) -> float:
    """Mean squared error of probabilities over what is known; lower is better."""
    known = np.isfinite(truth)
    return float(np.mean((probability[known] - truth[known]) ** 2)) if known.any() else np.nan


def base_rate(truth: FloatArray) -> FloatArray:
    """For every cell the share of crossings among the other cases of its horizon: a constant that knows the answers."""
    known = np.isfinite(truth)
    count, total = known.sum(axis=0), np.nansum(truth, axis=0)
    rate: FloatArray = (total - np.where(known, truth, 0.0)) / np.maximum(count - 1, 1)
    return rate


def auc(score: FloatArray, truth: FloatArray) -> float:
    """Area under the ROC curve: how often a crossing is rated above a calm case, ties half; NaN without both."""
    known = np.isfinite(truth)
    values, positive = score[known], truth[known] > 0
    if not positive.any() or positive.all():
        return np.nan
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    hits = int(positive.sum())
    return float((ranks[positive].sum() - hits * (hits + 1) / 2) / (hits * (len(values) - hits)))


def reliability(probability: FloatArray, truth: FloatArray, edges: Sequence[float]) -> list[tuple[int, float, float]]:
    """Per bin of probability: cells, mean probability, share that crossed."""
    known = np.isfinite(truth)
    said, came = probability[known], truth[known]
    bins = np.clip(np.digitize(said, edges[1:-1]), 0, len(edges) - 2)
    return [
        (int(here.sum()), float(said[here].mean()), float(came[here].mean())) if here.any() else (0, np.nan, np.nan)
        for here in (bins == i for i in range(len(edges) - 1))
    ]


def calibration_error(probability: FloatArray, truth: FloatArray) -> float:
    """Mean gap between what was said and what came over ten bins, weighted by their cells."""
    found = reliability(probability, truth, np.linspace(0, 1, 11).tolist())
    cells = sum(n for n, _, _ in found)
    return sum(n * abs(said - came) for n, said, came in found if n) / cells if cells else np.nan


@dataclass(frozen=True)
class Alarms:
    """Alarms of one kind at one lead: how many failures, of them alarmed, and alarms on what did not fail in time."""

    failures: int
    found: int
    false: int
    harmless: int

    @property
    def recall(self) -> float:
        return self.found / self.failures if self.failures else np.nan

    @property
    def precision(self) -> float:
        return self.found / (self.found + self.false) if self.found + self.false else np.nan


def alarms(answers: Answers, low_h: float, high_h: float) -> Alarms:
    """Failures that come `low_h` to `high_h` after the cut, and series that do not fail within a week."""
    raised = answers.alarms(high_h)
    crossing = np.array([case.crossing_h for case in answers.cases])
    known = np.array([case.known_h for case in answers.cases])
    failing = (crossing >= low_h) & (crossing < high_h)
    harmless = ~np.isfinite(crossing) & (known >= min(high_h, _LAST))
    return Alarms(
        int(failing.sum()), int((failing & raised).sum()), int((harmless & raised).sum()), int(harmless.sum())
    )


def pinball_h(answers: Answers) -> float:
    """Mean pinball loss of the time-to-limit quantiles in hours, all times cut off at a week (or what is known)."""
    end = np.array([min(_LAST, case.known_h) for case in answers.cases])
    truth = np.minimum([case.crossing_h for case in answers.cases], end)[:, None]
    error = truth - np.minimum(answers.times_h, end[:, None])
    return float(np.mean(np.maximum(QUANTILES * error, (QUANTILES - 1) * error)))


def coverage(answers: Answers) -> tuple[int, int]:
    """Crossings within a week that had an interval (q0.1 to q0.9, open where q0.9 is past the week): inside, all."""
    crossing = np.array([case.crossing_h for case in answers.cases])
    given = (crossing < _LAST) & np.isfinite(answers.times_h[:, 0])
    inside = given & (answers.times_h[:, 0] <= crossing) & (crossing <= answers.times_h[:, 2])
    return int(inside.sum()), int(given.sum())


def _number(known: bool | None) -> float:
    return np.nan if known is None else float(known)
