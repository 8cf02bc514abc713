"""How few of the newest week's rows lie in the part of space that a row falls into (Tan et al., IJCAI 2011)."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt

from components.anomaly import detector, robust, windows
from components.anomaly.detector import Surprise
from components.anomaly.panel import DAY_US, FloatArray, Panel

if TYPE_CHECKING:
    from river.anomaly import HalfSpaceTrees

_TREES, _HEIGHT = 25, 8
#: The masses are those of so many rows, drawn evenly from the newest days: river's window.
_MOST_ROWS, _DAYS = 2_000, 7
#: The paper stops descending where fewer than this share of the rows were.
_FEW = 0.1
#: What counts for no mass at all.
_NOBODY = 0.5
#: Half of what the features may reach is what history's were, all but one in fifty; at least so many least scales.
_QUANTILES, _LEAST_REACH = (0.01, 0.99), 16.0
#: Rows that must be known, and the least usual deviation of the score, in factors of two of the mass.
_LEAST_ROWS, _LEAST_WIDTH = 20, 0.05
_KEPT = ("low", "reach", "distance", "feature", "threshold", "mass", "usual", "width")
Nodes = npt.NDArray[np.int64]


class Detector(detector.Detector):
    """Depth at which the trees find nobody near a row, in robust standard deviations; all columns together.

    river grows the trees and counts the rows; they are kept as arrays (trees by nodes, a node's children at 2i + 1
    and 2i + 2) and scored many rows at once: by the mass where the paper stops descending, which river adds to that of
    all nodes above. Of the trees' scores the logarithms are averaged, or one tree that sees nothing strange would hide
    what the others see.
    """

    name: ClassVar[str] = "half_space_trees"
    #: Where a row's surroundings are empty in every tree, the logarithm cannot go much further.
    least_threshold: ClassVar[float] = 3.0
    low: FloatArray
    reach: FloatArray
    distance: FloatArray
    feature: Nodes
    threshold: FloatArray
    mass: FloatArray
    usual: FloatArray
    width: FloatArray

    def learn(self, history: Panel) -> None:
        recent = windows.newest(history)
        features, away = self._features(recent)
        least = windows.least_spread(recent, self.tuning.minimum_effect)
        self.distance = np.maximum(robust.median(np.abs(away)) * robust.MAD_TO_SIGMA, least)
        low, high = np.quantile(features, _QUANTILES, axis=0)
        self.reach = 2 * np.maximum(high - low, _LEAST_REACH * np.tile(least, features.shape[1] // len(least)))
        self.low = (low + high - self.reach) / 2
        known = np.flatnonzero(np.isfinite(recent.values).any(axis=1) & (_age(recent) < _DAYS * DAY_US))
        kept = known[np.linspace(0, len(known) - 1, min(len(known), _MOST_ROWS)).astype(int)]
        self.usual, self.width = np.array(0.0), np.array(1.0)
        self.feature, self.threshold, self.mass = np.empty((0, 0), int), np.empty((0, 0)), np.empty((0, 0))
        if len(kept) < _LEAST_ROWS:
            return
        self.feature, self.threshold, self.mass = _grown(self._scaled(features[kept]), self.tuning.seed)
        strange = self._strange(features[kept])
        self.usual = np.array(np.median(strange))
        deviation = np.median(np.abs(strange - self.usual)) * robust.MAD_TO_SIGMA
        self.width = np.maximum(deviation, _LEAST_WIDTH)

    def surprise(self, panel: Panel) -> Surprise:
        features, away = self._features(panel)
        known = np.isfinite(panel.values).any(axis=1)
        result = np.full((len(panel), 1), np.nan)
        if len(self.mass):
            absent = np.tile(~np.isfinite(panel.values).any(axis=0), 3)
            usual = np.where(absent, self.low + self.reach / 2, features)
            result[known, 0] = np.maximum(self._strange(usual[known]) - self.usual, 0) / self.width
        far = np.where(np.isfinite(panel.values), np.abs(away) / self.distance, 0.0)
        far = np.where(np.where(away > 0, panel.rises, panel.falls), far, 0.0)
        most = far.max(axis=1, keepdims=True)
        return Surprise(result, shares=np.where(most > 0, far / np.maximum(most, 1e-12), 0.0))

    def arrays(self) -> dict[str, Any]:
        return {**{name: getattr(self, name) for name in _KEPT}, **self.common_arrays()}

    def restore(self, arrays: dict[str, Any]) -> None:
        self.restore_common(arrays)
        for name in _KEPT:
            setattr(self, name, arrays[name])

    def _features(self, panel: Panel) -> tuple[FloatArray, FloatArray]:
        """Per column the level, its distance from the recent one and its last step; and that distance alone."""
        values = windows.filled(panel.values)
        (level,) = robust.trailing_quantiles(panel.values, self.level_rows, (0.5,))
        away = values - np.where(np.isfinite(level), level, values)
        return np.hstack([values, away, np.diff(values, axis=0, prepend=values[:1])]), away

    def _scaled(self, features: FloatArray) -> FloatArray:
        """Features from 0 to 1, as the trees expect them."""
        return np.clip((features - self.low) / self.reach, 0.0, 1.0)

    def _strange(self, features: FloatArray) -> FloatArray:
        """Factors of two by which a tree's score lies below the highest possible, mean over the trees."""
        rows = self._scaled(features)
        scores = np.stack([_score(rows, *tree) for tree in zip(self.feature, self.threshold, self.mass, strict=True)])
        most = self.mass[0, 0] * 2.0**_HEIGHT
        strange: FloatArray = -np.log2(np.maximum(scores, _NOBODY) / most).mean(axis=0)
        return strange


def _grown(rows: FloatArray, seed: int) -> tuple[Nodes, FloatArray, FloatArray]:
    """Feature and threshold of every inner node and mass of every node, learned by river from rows of features."""
    from river.anomaly import HalfSpaceTrees

    # The window ends with the last row: only then do the counts become the masses that are scored by.
    trees = HalfSpaceTrees(n_trees=_TREES, height=_HEIGHT, window_size=len(rows), seed=seed)
    for row in rows.tolist():
        trees.learn_one(dict(enumerate(row)))
    return _flat(trees)


def _flat(trees: HalfSpaceTrees) -> tuple[Nodes, FloatArray, FloatArray]:
    feature, threshold, mass = [], [], []
    for root in trees.trees:
        nodes, queue = [], deque([root])
        while queue:
            nodes.append(queue.popleft())
            queue.extend(getattr(nodes[-1], "children", ()))
        inner = nodes[: len(nodes) // 2]
        feature.append([node.feature for node in inner])
        threshold.append([node.threshold for node in inner])
        mass.append([node.r_mass for node in nodes])
    return np.array(feature), np.array(threshold), np.array(mass, dtype=float)


def _score(rows: FloatArray, feature: Nodes, threshold: FloatArray, mass: FloatArray) -> FloatArray:
    """The mass of the node where each row's descent ends, times two for each level down to it; high is normal."""
    place, node = np.arange(len(rows)), np.zeros(len(rows), dtype=int)
    score, descending = np.zeros(len(rows)), np.ones(len(rows), dtype=bool)
    for level in range(_HEIGHT + 1):
        score = np.where(descending, mass[node] * 2.0**level, score)
        descending &= mass[node] >= _FEW * mass[0]
        if level < _HEIGHT:
            node = 2 * node + 1 + (rows[place, feature[node]] >= threshold[node])
    return score


def _age(panel: Panel) -> npt.NDArray[np.int64]:
    age: npt.NDArray[np.int64] = panel.times[-1] - panel.times
    return age
