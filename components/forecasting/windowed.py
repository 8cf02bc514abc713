"""Candidates that learn from windows: once from many histories, or on the fly from the one they are asked about."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from components.forecasting import windows
from components.forecasting.model import Candidate
from components.forecasting.series import FloatArray, History
from components.forecasting.windows import DAY_H, Windows

State = Mapping[str, NDArray[Any]]
#: Windows taken of a history: alone, or of each among many.
ALONE, OF_EACH = 160, 24
SEED = 0


class WindowedCandidate(Candidate):
    """What they share; a subclass trains on windows and adds to the anchor of new ones."""

    slow = True
    shares = True
    min_days = 3.0

    def __init__(self, state: State | None = None) -> None:
        self._state = state

    @abstractmethod
    def train(self, learnt: Windows, held_out: Windows) -> State:
        """What to keep of a training on some windows, judged by others."""

    @abstractmethod
    def add(self, state: State, asked: Windows) -> FloatArray:
        """(n, PATCHES, PATCH_H) to add to the anchor of each window."""

    def learn(self, histories: Sequence[History]) -> Self:
        found, series = windows.many(histories, ALONE if len(histories) == 1 else OF_EACH)
        # Judged on series of their own, or where there are few on the newest fifth.
        held = series % 5 == 4 if series.max() >= 4 else np.arange(len(found)) >= 0.8 * len(found)
        return type(self)(self.train(found.pick(~held), found.pick(held)))

    def state(self) -> State:
        return self._state or {}

    def restore(self, state: State) -> Self:
        return type(self)(state)

    def forecast(self, history: History, horizon: int) -> FloatArray:
        asked = windows.newest(history)
        if self._state is None:
            return self.learn([history]).forecast(history, horizon)
        week = asked.values(self.add(self._state, asked))[0]
        # Past the week that it was taught, the last day comes again.
        later = week[-DAY_H:][np.arange(max(0, horizon - len(week))) % DAY_H]
        return np.concatenate([week, later])[:horizon]


class NeuralCandidate(WindowedCandidate):
    """A network: a subclass has a `build` and the quantiles that it gives, the median amid."""

    quantiles: tuple[float, ...] = (0.5,)
    #: Builds the network from Keras: past, future and static in, (n, PATCHES, PATCH_H, quantiles) out.
    build: Callable[[Any], Any]

    def train(self, learnt: Windows, held_out: Windows) -> State:
        from components.forecasting import network

        return network.train(self.build, learnt, held_out, self.quantiles, seed=SEED, name=self.name)

    def add(self, state: State, asked: Windows) -> FloatArray:
        from components.forecasting import network

        found: FloatArray = network.ask(self.build, state, asked)[..., self.quantiles.index(0.5)]
        return found
