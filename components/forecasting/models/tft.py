"""A Temporal Fusion Transformer: variable selection, gated residuals, static covariates, attention, quantiles.

Written after Lim, Arik, Loeff and Pfister, "Temporal Fusion Transformers for interpretable multi-horizon time series
forecasting" (2021), on patches of six hours. A patch's variables: past values, the share measured, hour and weekday;
ahead the anchor, hour, weekday and lead.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from components.core.schema import QUANTILES
from components.forecasting.windowed import NeuralCandidate
from components.forecasting.windows import FUTURE_PARTS, PAST_PARTS, PATCH_H, PATCHES, STATIC

_WIDTH, _HEADS, _DROPOUT = 24, 4, 0.1


class Tft(NeuralCandidate):
    """All blocks of the paper at a width of 24; trained on the pinball loss of seven quantiles."""

    name = "tft"
    quantiles = QUANTILES

    @staticmethod
    def build(keras: Any) -> Any:
        return _Blocks(keras).network()


class _Blocks:
    """The paper's blocks, by their names there."""

    def __init__(self, keras: Any) -> None:
        self.keras, self.layers = keras, keras.layers

    def network(self) -> Any:
        layers = self.layers
        past, future = self.keras.Input((PATCHES, sum(PAST_PARTS))), self.keras.Input((PATCHES, sum(FUTURE_PARTS)))
        static = self.keras.Input((STATIC,))
        about = self.residual(layers.Dense(_WIDTH)(static))
        select, enrich, state, cell = (self.residual(about) for _ in range(4))
        seen = self.selection(past, PAST_PARTS, select)
        known = self.selection(future, FUTURE_PARTS, select)
        encoded, *states = layers.LSTM(_WIDTH, return_sequences=True, return_state=True)(
            seen, initial_state=[state, cell]
        )
        decoded = layers.LSTM(_WIDTH, return_sequences=True)(known, initial_state=states)
        sequence = layers.Concatenate(axis=1)([encoded, decoded])
        temporal = self.gated_sum(sequence, layers.Concatenate(axis=1)([seen, known]))
        enriched = self.residual(temporal, enrich)
        attended = self.gated_sum(self.attention(enriched), enriched)
        final = self.gated_sum(self.residual(attended), temporal)
        ahead = final[:, PATCHES:]
        # Zeros at first: it begins as its anchor.
        added = layers.Dense(PATCH_H * len(QUANTILES), kernel_initializer="zeros")(ahead)
        return self.keras.Model([past, future, static], layers.Reshape((PATCHES, PATCH_H, len(QUANTILES)))(added))

    def gated_sum(self, added: Any, kept: Any) -> Any:
        """Gated linear unit on what is added, then add and norm."""
        layers = self.layers
        added = layers.Dropout(_DROPOUT)(added)
        gate = layers.Dense(_WIDTH, activation="sigmoid")(added)
        return layers.LayerNormalization()(kept + gate * layers.Dense(_WIDTH)(added))

    def residual(self, value: Any, context: Any = None) -> Any:
        """Gated residual network, of a value and, where given, a context that is the same at every step."""
        layers = self.layers
        hidden = layers.Dense(_WIDTH)(value)
        if context is not None:
            told = layers.Dense(_WIDTH, use_bias=False)(context)
            hidden = hidden + (told[:, None] if len(value.shape) == 3 else told)
        hidden = layers.Dense(_WIDTH)(layers.Activation("elu")(hidden))
        kept = value if value.shape[-1] == _WIDTH else layers.Dense(_WIDTH)(value)
        return self.gated_sum(hidden, kept)

    def selection(self, values: Any, parts: tuple[int, ...], context: Any) -> Any:
        """Variable selection: each variable embedded and processed apart, weighed by all of them and the context."""
        layers, ops = self.layers, self.keras.ops
        edges = [0, *np.cumsum(parts).tolist()]
        embedded = [layers.Dense(_WIDTH)(values[..., a:b]) for a, b in pairwise(edges)]
        mixed = self.residual(layers.Concatenate()(embedded), context)
        weights = layers.Dense(len(parts), activation="softmax")(mixed)
        each = [self.residual(one)[..., None] for one in embedded]
        stacked = layers.Concatenate(axis=-1)(each)
        return ops.sum(stacked * weights[..., None, :], axis=-1)

    def attention(self, sequence: Any) -> Any:
        """Interpretable multi-head attention: heads share their values, so that their weights can be averaged."""
        layers, ops = self.layers, self.keras.ops
        size = _WIDTH // _HEADS
        values = layers.Dense(size)(sequence)
        # No step looks at a later one.
        mask = np.triu(np.full((2 * PATCHES, 2 * PATCHES), -1e9, dtype=np.float32), 1)
        weights = []
        for _ in range(_HEADS):
            query, key = layers.Dense(size)(sequence), layers.Dense(size)(sequence)
            scores = ops.matmul(query, ops.transpose(key, (0, 2, 1))) / np.sqrt(size).astype(np.float32)
            weights.append(layers.Softmax()(scores + mask))
        return layers.Dense(_WIDTH)(ops.matmul(sum(weights) / _HEADS, values))


MODEL = Tft()
