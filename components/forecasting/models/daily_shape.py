"""Shape times level: each hour's usual share of its day, on a smoothed level of the last days.

A rank-one factorization of the days-by-hours table: right where the swing grows with the level.
"""

from __future__ import annotations

import numpy as np

from components.forecasting.model import Candidate, Unfit
from components.forecasting.series import FloatArray, History

#: Newest days that the shape is learnt from.
SHAPE_DAYS = 14
#: Share of the newest day in the level, one variant each.
SHARES = (0.3, 0.7)


class DailyShape(Candidate):
    """Median shares by hour of the day, exponentially smoothed daily means."""

    name = "daily_shape"
    min_days = 3.0

    def __init__(self, share: float = SHARES[0], name: str = name) -> None:
        self.name = name
        self.share = share

    def variants(self) -> tuple[Candidate, ...]:
        return tuple(DailyShape(share, f"daily_shape.{round(100 * share)}") for share in SHARES)

    def forecast(self, history: History, horizon: int) -> FloatArray:
        day = history.day
        days = min(SHAPE_DAYS, len(history) // day)
        table = history.values[-days * day :].reshape(days, day)
        levels = table.mean(axis=1)
        if not (table >= 0).all() or not (levels > 0).all():
            raise Unfit("daily_shape needs a series that is never negative and no day of zeros")
        shape = np.median(table / levels[:, None], axis=0)
        weights = self.share * (1.0 - self.share) ** np.arange(days)[::-1]
        level = float(np.average(levels, weights=weights))
        ahead: FloatArray = level * shape[np.arange(horizon) % day]
        return ahead


MODEL = DailyShape()
