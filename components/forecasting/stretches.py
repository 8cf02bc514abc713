"""The stretches of a horizon, each with weights of its own, and the weighted median of candidates.

What the last hours tell counts for the next ones, what the last weeks tell for the days after. A weighted median
instead of a weighted mean: measured by absolute error it is the better one, and no candidate that runs away moves it.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import numpy as np

from components.forecasting.series import FloatArray

#: Hours ahead at which a stretch ends; the last one has no end.
ENDS_H = (6, 24, 72)
COUNT = len(ENDS_H) + 1


def of(horizon: int, day: int) -> list[slice]:
    """The COUNT stretches of a horizon in steps; those past its end are empty."""
    edges = [0, *(max(1, round(hours * day / 24)) for hours in ENDS_H), horizon]
    return [slice(min(a, horizon), min(max(a, b), horizon)) for a, b in pairwise(edges)]


def combine(points: Mapping[str, FloatArray], weights: Mapping[str, FloatArray], day: int) -> FloatArray:
    """The weighted median over candidates, stretch by stretch.

    points: per candidate (…, horizon), NaN where it was not run. weights: per candidate one weight per stretch.
    """
    names = sorted(weights)
    stacked = np.stack([points[name] for name in names])
    if len(names) == 1:
        alone: FloatArray = stacked[0]
        return alone
    combined = np.full(stacked.shape[1:], np.nan)
    for i, stretch in enumerate(of(stacked.shape[-1], day)):
        shares = np.array([weights[name][i] for name in names])
        used = shares > 0
        combined[..., stretch] = weighted_median(stacked[used][..., stretch], shares[used])
    return combined


def weighted_median(points: FloatArray, weights: FloatArray) -> FloatArray:
    """The median over the first axis, each row counting by its weight; NaN counts nothing and is the result alone."""
    order = np.argsort(points, axis=0)
    ordered = np.take_along_axis(points, order, axis=0)
    shares = np.where(np.isfinite(ordered), weights[order], 0.0)
    reached = np.cumsum(shares, axis=0)
    # A billionth short of the half is the half: sums of weights round.
    at = (reached >= (0.5 - 1e-9) * reached[-1:]).argmax(axis=0)
    median: FloatArray = np.take_along_axis(ordered, at[None], axis=0)[0]
    return median
