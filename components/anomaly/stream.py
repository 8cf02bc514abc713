"""Scores row by row, in bounded memory: many series of one step, each scored by itself.

A row's score is what `Detector.score` of the same fitted detector says of it. What that rests on beside what was
learned, the grades of the rows before, is kept instead of computed again: a row costs one look at its own context.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field, replace

import numpy as np

from components.anomaly import detectors, grading
from components.anomaly.detector import MOST_ROWS, Detector, Tuning
from components.anomaly.panel import DAY_US, HOUR_US, BoolArray, FloatArray, Panel
from components.anomaly.ring import Ring
from components.core.errors import InputError

#: Columns fitted together, and values learned from at most while one row waits: with 20,000 rows of history that is
#: one portion, which takes less than the thirty seconds until the next row.
PORTION, _VALUES_A_ROW = 24, 24 * MOST_ROWS


@dataclass(frozen=True)
class Row:
    """One row's scores per column; more than 1 is an anomaly, `abstained` where its value told nothing."""

    scores: FloatArray
    abstained: BoolArray

    @property
    def is_anomaly(self) -> BoolArray:
        anomalous: BoolArray = self.scores > 1
        return anomalous


@dataclass
class Portion:
    """Neighbouring columns with the detector fitted on them, None before: until when, on how long a past."""

    columns: slice
    detector: Detector | None = None
    fitted_us: int = 0
    known_us: int = 0

    def due_us(self) -> int:
        """When to fit again: when history has grown by the detector's factor, after a day at the latest."""
        if self.detector is None:
            return -sys.maxsize
        wait = np.clip(self.known_us * (self.detector.growth - 1), HOUR_US, DAY_US)
        return self.fitted_us + int(wait)


@dataclass
class Counts:
    """Rows taken, rows left out because a later one or their own was there, missing rows kept as gaps, fits."""

    rows: int = 0
    late: int = 0
    missing: int = 0
    fits: int = 0


@dataclass
class State:
    """What a stream holds beside its fitted detectors.

    rows: the newest rows, to learn from; grades: the newest grades, to judge by; before: per column the last known
    value before the newest `window` rows, NaN where none was.
    """

    rows: Ring
    grades: Ring
    before: FloatArray
    counts: Counts = field(default_factory=Counts)


class Stream:
    """Scores of one row after the other, by a detector that learns from the newest rows as they come.

    detector: a name, or one fitted on the panel's columns. panel: history known already, with or without rows; its
    columns are those of every row to come. step_us: the distance of rows, by default the panel's. most_rows: rows
    kept to learn from, which bound the memory: eight bytes a value and the fitted detectors.
    """

    def __init__(
        self,
        detector: str | Detector,
        tuning: Tuning,
        panel: Panel,
        *,
        step_us: int | None = None,
        most_rows: int = MOST_ROWS,
    ) -> None:
        self.name = detector if isinstance(detector, str) else detector.name
        self.tuning, self.step_us = tuning, step_us or panel.step_us()
        self.like = panel.rows(0, 0)
        width = len(panel.columns)
        #: Rows that decide the newest one's grade, and one more, that only gaps are filled from.
        self.window = grading.reach(detectors.create(self.name, tuning), self.step_us) + 2
        most = int(np.clip(most_rows, self.window, MOST_ROWS))
        judged = Ring(grading.judged_rows(self.name, tuning), width)
        self.state = State(Ring(most, width), judged, np.full(width, np.nan))
        self.state.rows.extend(panel.times, panel.values)
        self.state.before = last_known(panel.values[: max(0, len(panel) - self.window)], self.state.before)
        self.portions = _portions(width, joint=width > PORTION and grading.is_joint(self.name, tuning))
        if isinstance(detector, Detector):
            first, last = (int(panel.times[0]), int(panel.times[-1])) if len(panel) else (0, 0)
            self.portions = [Portion(slice(0, width))]
            self.adopt(self.portions[0], detector, last, last - first)

    def update(self, time_us: int, values: FloatArray) -> Row | None:
        """Score the next row; None, counted as late, where it does not come after the last one.

        values: one per column, NaN or infinite where missing. Missing rows before it are kept as gaps. InputError
        where there are not as many values as columns.
        """
        given = np.asarray(values, dtype=float)
        if given.shape != (len(self.like.columns),):
            raise InputError(f"a row of {given.size} values, but the stream has {len(self.like.columns)} columns")
        missing = self._missing(time_us)
        if missing < 0:
            self.state.counts.late += 1
            return None
        for age in range(missing, 0, -1):
            self._append(time_us - age * self.step_us, np.full(given.shape, np.nan))
            self.state.grades.append(time_us, np.full(given.shape, np.nan))
        self.state.counts.missing += missing
        self._learn(time_us)
        self._append(time_us, np.where(np.isfinite(given), given, np.nan))
        self.state.counts.rows += 1
        grades = self._grades()
        self.state.grades.append(time_us, grades)
        return Row(self._scores(), np.isnan(grades))

    def fit(self, portion: Portion) -> None:
        """Learn some columns anew from the rows kept; `update` does so by itself when it is due."""
        history = self._panel(portion.columns, len(self.state.rows))
        detector = detectors.create(self.name, self.tuning)
        detector.fit(history)
        self.state.counts.fits += 1
        self.adopt(portion, detector, int(history.times[-1]), int(history.times[-1] - history.times[0]))

    def adopt(self, portion: Portion, detector: Detector, fitted_us: int, known_us: int) -> None:
        """Score some columns by a detector fitted on them; the rows before are graded again by it."""
        portion.detector, portion.fitted_us, portion.known_us = detector, fitted_us, known_us
        self._grade_again(portion)

    # --- below -------------------------------------------------------------------------------------------

    def _missing(self, time_us: int) -> int:
        """How many rows are missing before this one; negative where it is late."""
        if not len(self.state.rows):
            return 0
        gap = (time_us - int(self.state.rows.times(1)[0])) / self.step_us
        # Half a step late or early is the same row; a gap longer than what is kept leaves nothing else.
        return min(round(gap) - 1, self.state.rows.most)

    def _append(self, time_us: int, values: FloatArray) -> None:
        rows = self.state.rows
        if len(rows) >= self.window:
            self.state.before = last_known(rows.row(self.window - 1)[None, :], self.state.before)
        rows.append(time_us, values)

    def _learn(self, time_us: int) -> None:
        """Fit what is due, the longest overdue first, as much as may be while a row waits."""
        rows, budget = self.state.rows, _VALUES_A_ROW
        due = sorted((p for p in self.portions if p.due_us() <= time_us), key=lambda p: p.fitted_us)
        if not due or not self._enough(time_us):
            return
        for portion in due:
            if budget <= 0:
                return
            self.fit(portion)
            budget -= len(rows) * (portion.columns.stop - portion.columns.start)

    def _enough(self, time_us: int) -> bool:
        """Whether the rows so far are the minimum history, as for every detector."""
        rows = self.state.rows
        times = np.append(rows.times(len(rows)), time_us)
        panel = Panel(times, np.empty((len(times), 0)), (), *(np.empty(0, dtype=bool),) * 2, np.empty(0))
        return len(rows) > min(detectors.create(self.name, self.tuning).first_cut(panel), rows.most - 1)

    def _grade_again(self, portion: Portion) -> None:
        """Grades of the newest rows by what was just learned, as scoring them all at once would give."""
        assert portion.detector is not None
        judged = self.state.grades.most
        rows = self._panel(portion.columns, len(self.state.rows))
        context = grading.carried(rows.values, self.state.before[portion.columns])
        start = max(0, len(rows) - judged - self.window)
        grades = grading.grades(portion.detector, grading.seeded(rows, context, start))[-judged:]
        if len(self.state.grades) < len(grades):
            self.state.grades.extend(rows.times[-judged:], np.full((len(grades), len(self.like.columns)), np.nan))
        self.state.grades.replace(grades, portion.columns)

    def _grades(self) -> FloatArray:
        """The newest row's grades per column; NaN where it has no value or nothing is learned yet."""
        found = np.full(len(self.like.columns), np.nan)
        for portion in self.portions:
            if portion.detector is not None:
                panel = self._panel(portion.columns, self.window)
                known = grading.carried(panel.values, self.state.before[portion.columns])
                found[portion.columns] = grading.newest(portion.detector, panel, known)
        return found

    def _scores(self) -> FloatArray:
        found = np.zeros(len(self.like.columns))
        for portion in self.portions:
            if portion.detector is not None:
                found[portion.columns] = grading.judged(
                    portion.detector, self.state.grades.newest(self.state.grades.most, portion.columns)
                )
        return found

    def _panel(self, columns: slice, rows: int) -> Panel:
        of = self.like
        kept = self.state.rows
        return replace(
            of,
            times=kept.times(rows),
            values=kept.newest(rows, columns),
            columns=of.columns[columns],
            rises=of.rises[columns],
            falls=of.falls[columns],
            usual=of.usual[columns],
        )


def last_known(values: FloatArray, before: FloatArray) -> FloatArray:
    """The last known value of each column (rows by columns), else what was known before."""
    return grading.carried(values, before)[-1] if len(values) else before


def _portions(columns: int, *, joint: bool) -> list[Portion]:
    size = columns if joint else PORTION
    return [Portion(slice(start, min(start + size, columns))) for start in range(0, columns, max(size, 1))]
