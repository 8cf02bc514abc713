"""How far the shape of the last rows is from the most similar shapes of history (a memory of normal patches)."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from components.anomaly import detector, robust, windows
from components.anomaly.detector import Surprise
from components.anomaly.panel import FloatArray, Panel

ROWS = 16
#: Shapes remembered per column, and which neighbour's distance counts: the nearest may be a past anomaly itself.
_MEMORY, _NEIGHBOUR = 600, 3
_CHUNK = 20_000


class Detector(detector.Detector):
    """Distance to the fourth nearest of a random sample of history's sub-sequences, per column."""

    name: ClassVar[str] = "nearest_neighbours"
    centre: FloatArray
    spread: FloatArray
    memory: FloatArray

    @property
    def level_rows(self) -> int:
        return ROWS

    def learn(self, history: Panel) -> None:
        recent = windows.newest(history)
        shapes = windows.sub_sequences(windows.filled(recent.values), ROWS)
        random = np.random.default_rng(self.tuning.seed)
        rows = np.sort(random.choice(shapes.shape[1], min(_MEMORY, shapes.shape[1]), replace=False))
        memory = shapes[:, rows]
        self.centre = np.median(memory, axis=(1, 2))
        away = np.abs(memory - self.centre[:, None, None])
        least = windows.least_spread(recent, self.tuning.minimum_effect)
        deviation = np.median(away, axis=(1, 2)) * robust.MAD_TO_SIGMA
        self.spread = np.maximum.reduce([deviation, 0.1 * memory.std(axis=(1, 2)), least])
        self.memory = (memory - self.centre[:, None, None]) / self.spread[:, None, None]

    def surprise(self, panel: Panel) -> Surprise:
        scaled = (windows.filled(panel.values) - self.centre) / self.spread
        strange = np.empty(scaled.shape)
        for start in range(0, len(scaled), _CHUNK):
            before = max(0, start - ROWS + 1)
            shapes = windows.sub_sequences(scaled[before : start + _CHUNK], ROWS)[:, start - before :]
            for column in range(scaled.shape[1]):
                strange[start : start + _CHUNK, column] = self._distance(shapes[column], self.memory[column])
        # A gap filled with the last value is a shape of its own; where there is one, the others judge.
        strange[~windows.whole(panel.values, ROWS)] = np.nan
        return Surprise(windows.directed(strange, scaled, panel), sides=1)

    def arrays(self) -> dict[str, Any]:
        return {"centre": self.centre, "spread": self.spread, "memory": self.memory, **self.common_arrays()}

    def restore(self, arrays: dict[str, Any]) -> None:
        self.restore_common(arrays)
        self.centre, self.spread, self.memory = arrays["centre"], arrays["spread"], arrays["memory"]

    def _distance(self, shapes: FloatArray, memory: FloatArray) -> FloatArray:
        squares = (shapes**2).sum(axis=1)[:, None] + (memory**2).sum(axis=1) - 2 * shapes @ memory.T
        place = min(_NEIGHBOUR, len(memory) - 1)
        nearest = np.partition(squares, place, axis=1)[:, place]
        return np.sqrt(np.maximum(nearest, 0.0) / ROWS)
