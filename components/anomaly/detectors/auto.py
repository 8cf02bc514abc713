"""The default: what six detectors of different kinds make of a row, on one scale, with one vote each.

No single detector is best for every series, and none can be chosen without labels much better than by chance; their
errors differ, so that their mean is ahead of each (see the decision record). Each member's surprise becomes evidence
by its own tail on the series at hand, so a member that is always nervous there has little to say.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from components.anomaly import detector, evidence
from components.anomaly.detector import Band, Scores, Surprise, Tuning
from components.anomaly.detectors import (
    autoregressive,
    nearest_neighbours,
    polynomial,
    recent_days,
    subsequence_pca,
    variance,
)
from components.anomaly.evidence import Tail
from components.anomaly.panel import FloatArray, Panel, TimeArray

MEMBERS = (recent_days, autoregressive, polynomial, subsequence_pca, nearest_neighbours, variance)
#: Rows at the start of a history that members without a past judge wrongly.
_WARM_ROWS = 50


class Detector(detector.Detector):
    """Mean evidence of the members per column, and pooled over columns; `tails` has one tail per member."""

    name: ClassVar[str] = "auto"
    tails: list[Tail]
    habits: FloatArray

    def __init__(self, tuning: Tuning) -> None:
        super().__init__(tuning)
        self.members = [member.Detector(tuning) for member in MEMBERS]
        self.tails = []
        self.habits = np.zeros(0)

    # --- learning and scoring ------------------------------------------------------------------------------

    def fit(self, history: Panel) -> None:
        """Members learn from all of history; tails come from walking forward through its newer half."""
        half = len(history) // 2
        cuts = [half, len(history) * 3 // 4] if half >= self.first_cut(history) else self._cuts(history)
        # A history shorter than the minimum can only be judged by its own first half.
        cuts = cuts or [max(1, half)]
        found = [member.settle(history, cuts) for member in self.members]
        self.step_us = self.members[0].step_us
        self._fit_tails(found, cuts[0], len(history))
        seen = slice(cuts[0], len(history))
        _, lasting = self._lasting(self._evidence(found, seen))
        self.habits = self._habits(lasting, history.times[seen])

    def score(self, panel: Panel) -> Scores:
        found = [member.surprise(panel) for member in self.members]
        votes = self._evidence(found, slice(None))
        confirmed, lasting = self._lasting(votes)
        habits = np.broadcast_to(self.habits, lasting.shape)
        return self._judged(votes, confirmed, lasting, habits, self._band(found[0].band, slice(None)))

    def score_causally(self, panel: Panel) -> Scores:
        cuts = self._cuts(panel)
        self.step_us = panel.rows(0, cuts[0] if cuts else len(panel)).step_us()
        unknown = np.full((len(self.members), cuts[0] if cuts else len(panel), panel.values.shape[1]), np.nan)
        found = [member.strangeness(panel, cuts) for member in self.members] if cuts else []
        votes, bands = [unknown], [(unknown[0],) * 3]
        for start, end in zip(cuts, [*cuts[1:], len(panel)], strict=True) if cuts else ():
            self._fit_tails(found, cuts[0], start, panel)
            votes.append(self._evidence(found, slice(start, end)))
            bands.append(self._band(found[0].band, slice(start, end)))
        expected, lower, upper = (np.concatenate(part) for part in zip(*bands, strict=True))
        whole = np.concatenate(votes, axis=1)
        confirmed, lasting = self._lasting(whole)
        habits = np.tile(self._habits(lasting[:0], panel.times[:0]), (len(panel), 1))
        for start, end in zip(cuts, [*cuts[1:], len(panel)], strict=True) if cuts else ():
            habits[start:end] = self._habits(lasting[cuts[0] : start], panel.times[cuts[0] : start])
        return self._judged(whole, confirmed, lasting, habits, (expected, lower, upper))

    def judge(self, grades: FloatArray) -> FloatArray:
        """Scores of rows whose mean evidence per column is known already, NaN where nothing was said."""
        confirmed = evidence.confirmed(grades, self.tuning.persistence_needed, self.tuning.persistence_of)
        scores = evidence.scores(confirmed, evidence.lasting(confirmed), self.habits[:-1])
        result: FloatArray = np.where(np.isnan(grades), 0.0, scores)
        return result

    def learn(self, history: Panel) -> None:
        self.fit(history)

    def surprise(self, panel: Panel) -> Surprise:
        """Evidence per column before it is judged."""
        found = [member.surprise(panel) for member in self.members]
        return Surprise(evidence.mean_known(self._evidence(found, slice(None))), band=found[0].band, sides=1)

    @property
    def context_rows(self) -> int:
        most: int = max(member.context_rows for member in self.members)
        return most + evidence.FADED_ROWS + self.tuning.persistence_of

    def arrays(self) -> dict[str, Any]:
        kept = {"habits": self.habits, **self.common_arrays()}
        for member, tail in zip(self.members, self.tails, strict=True):
            kept |= {f"{member.name}_{key}": value for key, value in member.arrays().items()}
            kept |= {f"{member.name}_tail_{key}": getattr(tail, key) for key in ("usual", "base", "width")}
        return kept

    def restore(self, arrays: dict[str, Any]) -> None:
        self.restore_common(arrays)
        self.habits, self.tails = arrays["habits"], []
        for member in self.members:
            start = f"{member.name}_"
            own = {key.removeprefix(start): value for key, value in arrays.items() if key.startswith(start)}
            member.restore(own)
            self.tails.append(Tail(own["tail_usual"], own["tail_base"], own["tail_width"]))

    # --- below ---------------------------------------------------------------------------------------------

    def _fit_tails(self, found: list[Surprise], first: int, end: int, panel: Panel | None = None) -> None:
        """Tails of the surprise before row `end`: what was judged by its own past, once there is enough of it."""
        start = first if end >= 2 * first else min(first // 3, _WARM_ROWS)
        if panel is not None:
            oldest = int(np.searchsorted(panel.times, panel.times[end - 1] - detector.MOST_HISTORY_US))
            start = max(start, oldest)
        self.tails = [evidence.fit_tail(surprise.channels[start:end]) for surprise in found]

    def _evidence(self, found: list[Surprise], rows: slice) -> FloatArray:
        """Members by rows by columns."""
        return np.stack(
            [tail.evidence(surprise.channels[rows]) for tail, surprise in zip(self.tails, found, strict=True)]
        )

    def _lasting(self, votes: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Confirmed and lasting evidence per column, and as a last column for all of them together; NaN where none."""
        own = self._own(votes)
        confirmed = evidence.confirmed(own, self.tuning.persistence_needed, self.tuning.persistence_of)
        lasting = evidence.lasting(confirmed)
        return np.where(np.isnan(own), np.nan, confirmed), np.where(np.isnan(own), 0.0, lasting)

    @staticmethod
    def _own(votes: FloatArray) -> FloatArray:
        """Mean evidence of each row by itself, per column and, last, of all together; NaN where there is none."""
        joint = evidence.mean_known(evidence.pooled(votes))
        return np.hstack([evidence.mean_known(votes), joint[:, None]])

    def _judged(
        self,
        votes: FloatArray,
        confirmed: FloatArray,
        lasting: FloatArray,
        habits: FloatArray,
        band: tuple[FloatArray, FloatArray, FloatArray],
    ) -> Scores:
        found = evidence.scores(confirmed, lasting, habits)
        members = {
            member.name: np.nan_to_num(evidence.pooled(vote)) / self._limit(1)
            for member, vote in zip(self.members, votes, strict=True)
        }
        total = evidence.ranked(found[:, -1], self._own(votes), lasting, self._limit(lasting.shape[1] - 1))
        return Scores(found[:, :-1], total, np.isnan(confirmed[:, -1]), *band, members)

    def _habits(self, lasting: FloatArray, times: TimeArray) -> FloatArray:
        """What an anomaly takes after these rows, by column, and as a last one for all columns together."""
        columns = lasting.shape[1] - 1
        limits, usual = (
            np.array([*[self._limit(1, knob)] * columns, self._limit(columns, knob)])
            for knob in (None, Tuning.expected_false_events_per_week)
        )
        result: FloatArray = np.maximum(limits, evidence.habit(lasting, times, usual))
        return result

    def _limit(self, columns: int, knob: float | None = None) -> float:
        return evidence.limit(knob or self.tuning.expected_false_events_per_week, self.step_us, columns)

    def _band(self, band: Band | None, rows: slice) -> tuple[FloatArray, FloatArray, FloatArray]:
        """What the last days expect, and how far from it that member alone would report an anomaly."""
        assert band is not None
        reach = band.spread[rows] * self.tails[0].surprise(self._limit(1))
        return band.expected[rows], band.expected[rows] - reach, band.expected[rows] + reach
