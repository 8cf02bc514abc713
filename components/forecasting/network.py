"""Trains and asks networks: the one place in forecasting that talks to TensorFlow.

TensorFlow is imported when the first network is made, which takes seconds.
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from components.forecasting.series import FloatArray
from components.forecasting.windows import PATCH_H, PATCHES, Windows

logger = logging.getLogger("traceo.forecasting")
_BATCH, _LEARNING_RATE = 64, 3e-3
#: Epochs at most, and without improvement.
_EPOCHS, _PATIENCE = 40, 4
State = Mapping[str, NDArray[Any]]
Build = Callable[[Any], Any]


def train(
    build: Build, learnt: Windows, held_out: Windows, quantiles: tuple[float, ...], *, seed: int, name: str
) -> State:
    """The weights that did best on the held-out windows; stops after some epochs without better ones."""
    keras = _tensorflow().keras
    # Layers are numbered anew: gradients are added in the order of their layers' names.
    keras.utils.clear_session()
    keras.utils.set_random_seed(seed)
    model = build(keras)
    optimizer = keras.optimizers.Adam(_LEARNING_RATE, global_clipnorm=1.0)
    model.compile(optimizer=optimizer, loss=pinball(keras.ops, quantiles))
    stop = keras.callbacks.EarlyStopping(monitor="val_loss", patience=_PATIENCE, restore_best_weights=True)
    told = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: logger.info(
            "%s: epoch %d of at most %d, held-out loss %.4f", name, epoch + 1, _EPOCHS, logs["val_loss"]
        )
    )
    logger.info("%s: learning from %d windows, judged by %d", name, len(learnt), len(held_out))
    validation = (_inputs(held_out), held_out.target.astype(np.float32))
    target = learnt.target.astype(np.float32)
    model.fit(
        _inputs(learnt), target, batch_size=_BATCH, epochs=_EPOCHS, validation_data=validation,
        callbacks=[stop, told], verbose=0,
    )  # fmt: skip
    return {f"{i:03d}": np.asarray(weight) for i, weight in enumerate(model.get_weights())}


def ask(build: Build, state: State, windows: Windows) -> FloatArray:
    """(n, PATCHES, PATCH_H, quantiles): what a trained network adds to the anchor."""
    found: FloatArray = _made(build).ask(state, _inputs(windows)).astype(float)
    return found


class _Made:
    """A network and the weights that it has at present: setting them takes longer than asking."""

    def __init__(self, build: Build) -> None:
        tensorflow = _tensorflow()
        self._model = build(tensorflow.keras)
        self._forward = tensorflow.function(self._model, reduce_retracing=True)
        self._state: State = {}

    def ask(self, state: State, inputs: list[NDArray[np.float32]]) -> NDArray[np.float32]:
        if state is not self._state:
            self._model.set_weights([state[key] for key in sorted(state)])
            self._state = state
        found: NDArray[np.float32] = self._forward(inputs, training=False).numpy()
        return found


@lru_cache(maxsize=4)
def _made(build: Build) -> _Made:
    return _Made(build)


def pinball(ops: Any, quantiles: tuple[float, ...]) -> Callable[[Any, Any], Any]:
    """The mean pinball loss over known targets, for Keras."""
    levels = np.array(quantiles, dtype=np.float32)

    def loss(target: Any, found: Any) -> Any:
        # Keras drops a last axis of one.
        found = ops.reshape(found, (-1, PATCHES, PATCH_H, len(quantiles)))
        known = ops.logical_not(ops.isnan(target))
        error = ops.where(known, target, 0.0)[..., None] - ops.where(known[..., None], found, 0.0)
        each = ops.maximum(levels * error, (levels - 1.0) * error)
        return ops.sum(each) / ops.maximum(ops.sum(ops.cast(known, "float32")) * len(quantiles), 1.0)

    return loss


def _inputs(windows: Windows) -> list[NDArray[np.float32]]:
    return [part.astype(np.float32) for part in (windows.past, windows.future, windows.static)]


def _tensorflow() -> Any:
    """TensorFlow as it gives the same weights every time, bit for bit: one thread, sums in one order."""
    # It writes banners to the standard error while it is imported.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
    with open(os.devnull, "w") as nothing, contextlib.redirect_stderr(nothing):
        import tensorflow
    # Refused once TensorFlow has run anything: then the one who came first has set it.
    with contextlib.suppress(RuntimeError):
        tensorflow.config.threading.set_intra_op_parallelism_threads(1)
        tensorflow.config.threading.set_inter_op_parallelism_threads(1)
    tensorflow.config.experimental.enable_op_determinism()
    return tensorflow
