"""A recurrent network (LSTM): reads a week in patches of six hours, says the week after."""

from __future__ import annotations

from typing import Any

from components.forecasting.windowed import NeuralCandidate
from components.forecasting.windows import PATCH_H, PATCHES, STATIC

_UNITS, _DROPOUT = 48, 0.1


class Lstm(NeuralCandidate):
    """Encoder and decoder of one layer each; trained on absolute error."""

    name = "lstm"

    @staticmethod
    def build(keras: Any) -> Any:
        layers = keras.layers
        past, future = keras.Input((PATCHES, 11)), keras.Input((PATCHES, 11))
        static = keras.Input((STATIC,))
        start = layers.Dense(_UNITS, activation="tanh")(static)
        _, state, cell = layers.LSTM(_UNITS, return_state=True)(past, initial_state=[start, start])
        decoded = layers.LSTM(_UNITS, return_sequences=True)(future, initial_state=[state, cell])
        decoded = layers.Dropout(_DROPOUT)(layers.Concatenate()([decoded, future]))
        hidden = layers.Dense(_UNITS, activation="relu")(decoded)
        # Zeros at first: it begins as its anchor.
        added = layers.Dense(PATCH_H, kernel_initializer="zeros")(hidden)
        return keras.Model([past, future, static], layers.Reshape((PATCHES, PATCH_H, 1))(added))


MODEL = Lstm()
