"""What did best on the series' own past: a median of the candidates that did well, or seasonal-naive."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from components.forecasting.model import BASELINE, Combination, Weights, alone
from components.forecasting.models.ensemble import inverse_weights
from components.forecasting.series import FloatArray

#: Weights fall with this power of the error: near to a choice, but a handful of origins cannot tell the best one. The
#: later ones, nearer still, are tried where the one before loses to seasonal-naive.
POWERS = (6.0, 12.0, 24.0)
#: How much of a stretch's error, in logarithms, is the whole horizon's: neighbours know something of each other.
SHARED = 0.3
#: Fewer origins than a week's do not tell whether the median loses to seasonal-naive.
ENOUGH = 7


class Auto(Combination):
    """Never worse than seasonal-naive on a week of backtests or more, by construction."""

    name = "auto"

    def weigh(
        self, errors: Mapping[str, FloatArray], combined: Callable[[Weights], float], origins: int
    ) -> dict[str, FloatArray]:
        shared = {name: _shared(error) for name, error in errors.items()}
        for power in POWERS:
            weights = inverse_weights(shared, power)
            if origins < ENOUGH or combined(weights) <= 1.0:
                return weights
        return alone(BASELINE, len(next(iter(errors.values()))))


def _shared(error: FloatArray) -> FloatArray:
    logs = np.log(error + 1e-6)
    shared: FloatArray = np.exp((1.0 - SHARED) * logs + SHARED * logs.mean())
    return shared


MODEL = Auto()
