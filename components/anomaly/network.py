"""The LSTM encoder-decoder behind the autoencoder: the one place that talks to TensorFlow.

TensorFlow is imported when the first network is made, which takes seconds.
"""

from __future__ import annotations

import contextlib
import os
from typing import Any

import numpy as np

from components.anomaly.panel import FloatArray

_UNITS, _BATCH, _LEARNING_RATE = 16, 64, 0.01
#: Windows scored at once, in batches of one size: in another one sums would be rounded differently.
_SCORED = 1_024


class Network:
    """Reconstructs windows (windows by rows by columns) in reverse order from one state of sixteen numbers."""

    def __init__(self, rows: int, columns: int, seed: int) -> None:
        self.rows, self.columns, self.seed = rows, columns, seed
        self._tensorflow = _tensorflow()
        self._model = _model(self._tensorflow.keras, rows, columns, seed)
        self._optimizer = self._tensorflow.keras.optimizers.Adam(_LEARNING_RATE, global_clipnorm=1.0)
        self._optimizer.build(self._model.trainable_variables)
        self._fresh = [variable.numpy() for variable in self._variables()]
        self._forward = self._tensorflow.function(self._model)
        self._step = self._tensorflow.function(self._descend)

    def train(self, windows: FloatArray, held_out: FloatArray, epochs: int, patience: int) -> None:
        """Learn anew from `windows` until `held_out` is no better for `patience` epochs; the best weights are kept."""
        for variable, value in zip(self._variables(), self._fresh, strict=True):
            variable.assign(value)
        random = np.random.default_rng(self.seed)
        best, kept, waited = np.inf, self.weights(), 0
        for _ in range(epochs):
            order = random.permutation(len(windows))
            # Whole batches alone; what is left over is in other batches next time.
            for start in range(0, max(len(order) - _BATCH + 1, 1), _BATCH):
                self._step(self._tensorflow.constant(windows[order[start : start + _BATCH]], dtype="float32"))
            loss = float(np.mean((self.reconstruct(held_out) - held_out) ** 2))
            waited += 1
            if loss < best:
                best, kept, waited = loss, self.weights(), 0
            if waited >= patience:
                break
        self.load(kept)

    def reconstruct(self, windows: FloatArray) -> FloatArray:
        """What the network makes of each window, in the windows' order."""
        found = np.empty(windows.shape)
        for start in range(0, len(windows), _SCORED):
            part = windows[start : start + _SCORED]
            batch = np.zeros((_SCORED, self.rows, self.columns), dtype=np.float32)
            batch[: len(part)] = part
            answer = self._forward(self._tensorflow.constant(batch)).numpy()
            found[start : start + _SCORED] = answer[: len(part), ::-1]
        return found

    def weights(self) -> list[Any]:
        """The weights as plain arrays, for `load`."""
        return [np.asarray(weight) for weight in self._model.get_weights()]

    def load(self, weights: list[Any]) -> None:
        """Take up what `weights` gave."""
        self._model.set_weights(weights)

    def _variables(self) -> list[Any]:
        return [*self._model.trainable_variables, *self._optimizer.variables]

    def _descend(self, windows: Any) -> None:
        tensorflow = self._tensorflow
        with tensorflow.GradientTape() as tape:
            error = self._model(windows, training=True) - tensorflow.reverse(windows, axis=[1])
            loss = tensorflow.reduce_mean(tensorflow.square(error))
        variables = self._model.trainable_variables
        self._optimizer.apply(tape.gradient(loss, variables), variables)


def _tensorflow() -> Any:
    """TensorFlow with the same results every time: one thread, ordered sums, nothing written to stderr."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
    import tensorflow

    # Refused once TensorFlow has run anything: then the one who came first has set it.
    with contextlib.suppress(RuntimeError):
        tensorflow.config.threading.set_intra_op_parallelism_threads(1)
        tensorflow.config.threading.set_inter_op_parallelism_threads(1)
    tensorflow.config.experimental.enable_op_determinism()
    return tensorflow


def _model(keras: Any, rows: int, columns: int, seed: int) -> Any:
    """Encoder, its last state once for every row, decoder, the same dense layer at every row."""
    inputs = keras.Input((rows, columns))
    state = keras.layers.LSTM(_UNITS, **_initializers(keras, seed))(inputs)
    repeated = keras.layers.RepeatVector(rows)(state)
    decoded = keras.layers.LSTM(_UNITS, return_sequences=True, **_initializers(keras, seed + 1))(repeated)
    dense = keras.layers.Dense(columns, kernel_initializer=keras.initializers.GlorotUniform(seed=seed + 2))
    return keras.Model(inputs, dense(decoded))


def _initializers(keras: Any, seed: int) -> dict[str, Any]:
    return {
        "kernel_initializer": keras.initializers.GlorotUniform(seed=seed),
        "recurrent_initializer": keras.initializers.Orthogonal(seed=seed),
    }
