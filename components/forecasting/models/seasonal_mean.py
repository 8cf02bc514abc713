"""The same hour of recent days, or of recent weeks, averaged with falling weights; the mean that did best is taken."""

from __future__ import annotations

import numpy as np

from components.forecasting.model import Candidate
from components.forecasting.series import FloatArray, History

#: (cycle in days, share of the newest cycle): from a single last day to a slow average of weeks.
MEANS = ((1, 0.5), (1, 0.2), (7, 1.0), (7, 0.4))
#: Cycles looked back over.
DEPTH = 10


class SeasonalMean(Candidate):
    """A weighted mean of past cycles, level and shape together: right where both come back."""

    name = "seasonal_mean"
    min_days = 3.0

    def forecast(self, history: History, horizon: int) -> FloatArray:
        day = history.day
        options = [(days * day, share) for days, share in MEANS if len(history) >= (2 * days + 1) * day]
        # Judged on the newest two days, or one where there is little history.
        held = day * (2 if len(history) >= 6 * day else 1)
        past, later = history.values[:-held], history.values[-held:]
        errors = [float(np.abs(later - cycle_mean(past, cycle, share, held)).mean()) for cycle, share in options]
        cycle, share = options[int(np.argmin(errors))]
        return cycle_mean(history.values, cycle, share, horizon)


def cycle_mean(values: FloatArray, cycle: int, share: float, horizon: int) -> FloatArray:
    """Exponentially weighted mean over the past cycles at each phase, repeated `horizon` steps ahead."""
    depth = max(1, min(DEPTH, len(values) // cycle))
    weights = share * (1.0 - share) ** np.arange(depth)[::-1]
    recent = values[-depth * cycle :] if len(values) >= cycle else np.resize(values, cycle)
    mean = np.average(recent.reshape(-1, cycle), axis=0, weights=weights / weights.sum())
    ahead: FloatArray = mean[np.arange(horizon) % cycle]
    return ahead


MODEL = SeasonalMean()
