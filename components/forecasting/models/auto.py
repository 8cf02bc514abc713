"""What did best on the series' own past: one candidate, a mean of several, or seasonal-naive."""

from __future__ import annotations

from collections.abc import Mapping

from components.forecasting.model import Combination, CombinedScore
from components.forecasting.models.ensemble import inverse_weights

#: The best of several looks better than it is; a single candidate has to beat the ensemble by this much.
SELECTION_MARGIN = 0.97
BASELINE = "seasonal_naive"


class Auto(Combination):
    """Never worse than seasonal-naive on the backtests, by construction."""

    name = "auto"

    def weigh(self, scores: Mapping[str, float], combined: CombinedScore) -> dict[str, float]:
        best = min(scores, key=lambda name: (scores[name], name))
        ordered = sorted(scores, key=lambda name: (scores[name], name))
        mixtures = [inverse_weights({name: scores[name] for name in ordered[:size]}) for size in (3, len(ordered))]
        mixture = min(mixtures, key=combined)
        weights = {best: 1.0} if scores[best] < SELECTION_MARGIN * combined(mixture) else mixture
        return weights if combined(weights) < 1.0 else {BASELINE: 1.0}


MODEL = Auto()
