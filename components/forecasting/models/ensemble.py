"""The weighted median of every candidate, weights falling mildly with the backtest error."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from components.forecasting.model import Combination, Weights, normalized
from components.forecasting.series import FloatArray

#: Weights fall with this power of the error: a mild one, so that the median is that of many.
POWER = 2.0


def inverse_weights(errors: Mapping[str, FloatArray], power: float) -> dict[str, FloatArray]:
    """Weights that fall with a power of the error, per stretch."""
    # A perfect candidate counts for all, and several perfect ones alike.
    return normalized({name: (error + 1e-6) ** -power for name, error in errors.items()})


class Ensemble(Combination):
    """A broad median: no candidate is chosen, those that do badly count less."""

    name = "ensemble"

    def weigh(
        self, errors: Mapping[str, FloatArray], combined: Callable[[Weights], float], origins: int
    ) -> dict[str, FloatArray]:
        return inverse_weights(errors, POWER)


MODEL = Ensemble()
