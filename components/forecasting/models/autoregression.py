"""Direct regression of every step ahead on recent levels: how much of a deviation is left after h hours."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from components.forecasting.model import Candidate, Unfit
from components.forecasting.models.smoothing import exponential_mean
from components.forecasting.series import FloatArray, History

#: Levels the regression sees, as half-lives in hours.
HALF_LIVES_H = (0.5, 6.0, 24.0, 96.0)
#: Ridge penalty as a share of the number of rows: enough to tame a few correlated columns.
RIDGE = 0.05


class Autoregression(Candidate):
    """Ridge regression, one set of weights per step ahead, on the profile's residual."""

    name = "autoregression"
    min_days = 4.0

    def forecast(self, history: History, horizon: int) -> FloatArray:
        profile = history.profile
        level = history.values - profile.past()
        known = min(horizon, len(level) - 3 * history.day)
        if known < 1:
            raise Unfit("autoregression needs more history")
        centre, scale = float(np.median(level)), float(np.std(level))
        if scale == 0:
            return np.full(horizon, centre) + profile.future(horizon)
        scaled = (level - centre) / scale
        ahead = _regress(scaled, history.day, known)
        # Past the longest lead the history can teach, the last one holds.
        ahead = np.concatenate([ahead, np.full(horizon - known, ahead[-1])])
        return centre + scale * ahead + profile.future(horizon)


def _regress(scaled: FloatArray, day: int, known: int) -> FloatArray:
    columns = [exponential_mean(scaled, hours / 24 * day) for hours in HALF_LIVES_H]
    features = np.column_stack([*columns, np.ones(len(scaled))])
    burn_in = day
    targets = sliding_window_view(scaled, known)[burn_in + 1 :]
    rows = features[burn_in : burn_in + len(targets)]
    penalty = np.diag([RIDGE * len(rows)] * len(columns) + [RIDGE])
    weights = np.linalg.solve(rows.T @ rows + penalty, rows.T @ targets)
    ahead: FloatArray = features[-1] @ weights
    return ahead


MODEL = Autoregression()
