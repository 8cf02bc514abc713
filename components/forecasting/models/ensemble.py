"""Every candidate that keeps up with seasonal-naive, weighted by its backtests."""

from __future__ import annotations

from collections.abc import Mapping

from components.forecasting.model import Combination, CombinedScore, normalized

#: A candidate this much worse than the best one is left out.
TOLERANCE = 1.25


def inverse_weights(scores: Mapping[str, float]) -> dict[str, float]:
    """Weights falling with the square of the error; candidates far behind the best get none."""
    best = min(scores.values())
    kept = {name: score for name, score in scores.items() if score <= TOLERANCE * best}
    return normalized({name: 1.0 / max(score, 1e-6) ** 2 for name, score in kept.items()})


class Ensemble(Combination):
    """A weighted mean of the candidates."""

    name = "ensemble"

    def weigh(self, scores: Mapping[str, float], combined: CombinedScore) -> dict[str, float]:
        return inverse_weights(scores)


MODEL = Ensemble()
