"""The score of the Numenta Anomaly Benchmark, standard profile (Lavin & Ahmad, ICMLA 2015): early counts, late less.

0 is a detector that says nothing, 100 one that flags the first row of every window and nothing else; false positives
can take it below 0. The first 15 % of a file (of at most 5,000 rows) is probation: nothing counts there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tests.benchmarks.anomaly.curves import Labels, Scores, spans
from tests.benchmarks.anomaly.events import Events, Times, number

#: Standard profile: what a missed window and a false positive far from any window cost.
MISS, FALSE_POSITIVE = 1.0, 0.11
_PROBATION_SHARE, _MOST_PROBATION_ROWS = 0.15, 5_000
#: So many thresholds are tried for the one that suits the whole corpus best.
_TRIED = 300


@dataclass(frozen=True)
class File:
    """One file of the corpus as scored: labels are true inside the windows; pause_us joins rows to one event."""

    times: Times
    labels: Labels
    scores: Scores
    pause_us: int


@dataclass(frozen=True)
class Worth:
    """What a detection at each row is worth. window: the window a row lies in, -1 outside all and in probation."""

    weights: Scores
    window: np.ndarray
    counts: Labels

    def of(self, flagged: Labels) -> float:
        """The raw score of a file: each window's best detection or its miss, and every false positive."""
        rows = np.flatnonzero(flagged & self.counts)
        inside = self.window[rows] >= 0
        best = np.full(self.windows, -MISS)
        np.maximum.at(best, self.window[rows[inside]], self.weights[rows[inside]])
        return float(best.sum() + self.weights[rows[~inside]].sum())

    @property
    def windows(self) -> int:
        return int(self.window.max(initial=-1)) + 1


def worth(labels: Labels) -> Worth:
    """The sigmoid of the paper: in a window by the distance to its end, after one by the distance from it."""
    rows = np.arange(len(labels))
    counts = rows >= int(_PROBATION_SHARE * min(len(labels), _MOST_PROBATION_ROWS))
    weights, window = np.full(len(labels), -FALSE_POSITIVE), np.full(len(labels), -1)
    known = 0
    for start, end in zip(*spans(labels), strict=True):
        width = end - start + 1
        inside = rows[start : end + 1]
        weights[inside] = _sigmoid(-(end - inside + 1) / width) / _sigmoid(-1.0)
        after = rows[end + 1 :]
        weights[after] = FALSE_POSITIVE * _sigmoid((after - end) / max(width - 1, 1))
        if counts[end]:
            window[inside] = known
            known += 1
    return Worth(weights, window, counts)


def score(labels: Sequence[Labels], flagged: Sequence[Labels]) -> float:
    """The corpus' score between 0 (nothing said) and 100 (perfect), file by file; NaN without windows."""
    return _normalized([(worth(truth), rows) for truth, rows in zip(labels, flagged, strict=True)])


def best(files: Sequence[File], *, starts_only: bool) -> float:
    """The score with the one threshold that suits all files best: chosen on the answers, as NAB itself does."""
    pooled = np.concatenate([np.empty(0), *(file.scores for file in files)])
    if not len(pooled):
        return float("nan")
    ranks = np.append(1.0, 1 - np.geomspace(1 / len(pooled), 1, _TRIED))
    valued = [(worth(file.labels), file) for file in files]
    return max(
        _normalized([(value, _flag(file, threshold, starts_only)) for value, file in valued])
        for threshold in np.unique(np.quantile(pooled, ranks))
    )


def first_rows(events: Events) -> Labels:
    """The first row of each event."""
    numbers, first = np.unique(events, return_index=True)
    rows = np.zeros(len(events), dtype=bool)
    rows[first[numbers > 0]] = True
    return rows


def _flag(file: File, threshold: float, starts_only: bool) -> Labels:
    above = file.scores > threshold
    return first_rows(number(file.times, above, file.pause_us)) if starts_only else above


def _normalized(valued: Sequence[tuple[Worth, Labels]]) -> float:
    windows = sum(value.windows for value, _ in valued)
    raw = sum(value.of(flagged) for value, flagged in valued)
    return 100 * (raw + MISS * windows) / ((1 + MISS) * windows) if windows else float("nan")


def _sigmoid(x: Scores | float) -> Scores:
    near = np.minimum(x, 3.0)
    return np.where(np.greater(x, near), -1.0, 2 / (1 + np.exp(5 * near)) - 1)
