"""What a recurrent network that compresses the last rows cannot give back (encoder-decoder, Malhotra et al. 2016)."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from components.anomaly import detector, residual, robust, windows
from components.anomaly.network import Network
from components.anomaly.panel import FloatArray, Panel

ROWS = 16
#: Windows drawn evenly from history, the share of the newest that says when to stop, epochs at most and without gain.
_MOST_WINDOWS, _HELD_OUT, _EPOCHS, _PATIENCE = 1_250, 0.2, 15, 3
#: The network sees values in so many robust standard deviations around the median, no further than the second.
_UNIT, _EXTREME = 3.0, 4.0
_WEIGHT = "weight_"


class Detector(residual.Detector):
    """Error of each column's newest value, all columns reconstructed together from one small state.

    It learns rarely: history must have trebled or be two months older.
    """

    name: ClassVar[str] = "lstm_autoencoder"
    growth: ClassVar[float] = 3.0
    most_wait_us = detector.MOST_HISTORY_US
    middle: FloatArray
    scale: FloatArray
    weights: list[Any]
    network: Network | None = None

    @property
    def level_rows(self) -> int:
        return ROWS

    def learn(self, history: Panel) -> None:
        recent = windows.newest(history)
        values = windows.filled(recent.values)
        self.least = windows.least_spread(recent, self.tuning.minimum_effect)
        self.middle = np.median(values, axis=0)
        deviation = np.median(np.abs(values - self.middle), axis=0) * robust.MAD_TO_SIGMA
        self.scale = _UNIT * np.maximum.reduce([deviation, 0.5 * values.std(axis=0), self.least])
        inputs = self._inputs(recent.values)
        kept = inputs[np.linspace(0, len(inputs) - 1, min(len(inputs), _MOST_WINDOWS)).astype(int)]
        newest = len(kept) - max(1, int(_HELD_OUT * len(kept)))
        network = self._network(len(self.middle))
        network.train(kept[:newest], kept[newest:], _EPOCHS, _PATIENCE)
        self.weights = network.weights()
        self.measure(self.error(recent))

    def error(self, panel: Panel) -> FloatArray:
        inputs = self._inputs(panel.values)
        reconstructed = self._network(len(self.middle)).reconstruct(inputs)[:, -1]
        return panel.values - (reconstructed * self.scale + self.middle)

    def arrays(self) -> dict[str, Any]:
        own = {f"{_WEIGHT}{place:02}": weight for place, weight in enumerate(self.weights)}
        return {"middle": self.middle, "scale": self.scale, **own, **super().arrays()}

    def restore(self, arrays: dict[str, Any]) -> None:
        super().restore(arrays)
        self.middle, self.scale = arrays["middle"], arrays["scale"]
        self.weights = [arrays[name] for name in sorted(arrays) if name.startswith(_WEIGHT)]
        self.network = None

    def _network(self, columns: int) -> Network:
        """The network of this many columns with what was learned; made when first needed."""
        if self.network is None or self.network.columns != columns:
            self.network = Network(ROWS, columns, self.tuning.seed)
            if getattr(self, "weights", None):
                self.network.load(self.weights)
        return self.network

    def _inputs(self, values: FloatArray) -> FloatArray:
        """The last rows at each row, columns without values as usual: rows by ROWS by columns."""
        known = np.isfinite(values).any(axis=0)
        scaled = np.clip((windows.filled(values) - self.middle) / self.scale, -_EXTREME, _EXTREME)
        scaled[:, ~known] = 0.0
        return windows.sub_sequences(scaled, ROWS).transpose(1, 2, 0)
