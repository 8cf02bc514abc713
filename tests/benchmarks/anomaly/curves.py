"""How well a score ranks the rows, without a threshold: average precision and the volume under the PR surface."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Scores = npt.NDArray[np.float64]
Labels = npt.NDArray[np.bool_]
_Spans = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]

#: TSB-AD's defaults: the widest tolerance around a label in rows, and how many thresholds a curve is drawn with.
BUFFER, THRESHOLDS = 100, 250


def spans(labels: Labels) -> _Spans:
    """First and last row of each run of labelled rows."""
    edges = np.diff(np.concatenate([[False], labels, [False]]).astype(np.int8))
    return np.flatnonzero(edges == 1), np.flatnonzero(edges == -1) - 1


def auc_pr(labels: Labels, scores: Scores) -> float:
    """Average precision: precision at each distinct score, weighted by the recall gained there; NaN without labels."""
    if not labels.any():
        return float("nan")
    order = np.argsort(-scores, kind="stable")
    hits = np.cumsum(labels[order])
    last = np.flatnonzero(np.diff(scores[order], append=-np.inf))
    return float(np.sum(hits[last] / (last + 1) * np.diff(hits[last] / hits[-1], prepend=0.0)))


def vus_pr(labels: Labels, scores: Scores, buffer: int = BUFFER, thresholds: int = THRESHOLDS) -> float:
    """Volume under the PR surface (Paparrizos et al., PVLDB 15 (11), 2022), larger is better; NaN without labels.

    A row within w/2 rows of a label counts in part, sqrt(1 - distance/w); recall counts in proportion to the labelled
    stretches that are touched at all. Averaged over w = 0 … `buffer` rows, each with a curve of `thresholds` points
    at evenly spaced ranks of the scores.
    """
    if not labels.any():
        return float("nan")
    ranked = -np.sort(-scores)
    cuts = ranked[np.linspace(0, len(scores) - 1, thresholds).astype(int)]
    flagged = np.searchsorted(-ranked, -cuts, side="right")
    surface = _Surface(labels, scores, cuts, buffer // 2)
    areas = []
    for width in range(buffer + 1):
        near, touched = surface.tolerated(width)
        found = surface.found + near
        recall = np.minimum(found / (surface.labelled + near / 2), 1.0) * touched
        areas.append(np.dot(np.diff(recall, prepend=0.0), found / flagged))
    return float(np.mean(areas))


class _Surface:
    """What the curves of all widths share: where labels are, which rows lie near them, when each is flagged."""

    def __init__(self, labels: Labels, scores: Scores, cuts: Scores, reach: int) -> None:
        self.cuts, self.padded = cuts, np.append(scores, -np.inf)
        self.starts, self.ends = spans(labels)
        self.labelled = int(labels.sum())
        self.found = np.cumsum(np.bincount(self._first_cut(scores[labels]), minlength=len(cuts)))
        steps = np.arange(1, reach + 1)
        rows = np.concatenate([(self.ends[:, None] + steps).ravel(), (self.starts[:, None] - steps).ravel()])
        distances = np.tile(np.tile(steps, len(self.starts)), 2)
        inside = (rows >= 0) & (rows < len(labels))
        inside[inside] = ~labels[rows[inside]]
        self.rows, self.row_of = np.unique(rows[inside], return_inverse=True)
        self.distances = distances[inside]
        self.near_cuts = self._first_cut(scores[self.rows])

    def tolerated(self, width: int) -> tuple[Scores, Scores]:
        """By cut: the weight of the flagged rows near a label, and the share of labelled stretches touched."""
        half = width // 2
        reached = self.distances <= half
        weights = np.sqrt(1 - self.distances[reached] / max(width, 1))
        per_row = np.minimum(np.bincount(self.row_of[reached], weights, minlength=len(self.rows)), 1.0)
        near = np.cumsum(np.bincount(self.near_cuts, per_row, minlength=len(self.cuts)))
        apart = self.ends[:-1] + half < self.starts[1:] - half
        first = np.maximum(self.starts[np.append(True, apart)] - half, 0)
        last = np.minimum(self.ends[np.append(apart, True)] + half, len(self.padded) - 2)
        peaks = np.maximum.reduceat(self.padded, np.column_stack([first, last + 1]).ravel())[::2]
        touched = np.cumsum(np.bincount(self._first_cut(peaks), minlength=len(self.cuts))) / len(peaks)
        return near, touched

    def _first_cut(self, values: Scores) -> npt.NDArray[np.int64]:
        """The index of the first (highest) cut that flags each value."""
        return np.searchsorted(-self.cuts, -values, side="left")
