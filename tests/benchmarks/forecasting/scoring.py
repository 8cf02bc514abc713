"""One forecast against what came: errors, calibration, and whether it exploded."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from components.forecasting import evaluation
from components.forecasting.intervals import DEVIATES
from components.forecasting.series import FloatArray
from tests.benchmarks.forecasting.cases import Case

#: A forecast explodes where its 95 % interval leaves the range seen by more than so many times the range's width.
ROOM = 3.0


@dataclass(frozen=True)
class Score:
    """One model on one case over one horizon. mase, crps: in units of the history's seasonal change.

    covered_80, covered_95: share of the measured hours inside. seconds: of the whole forecast, backtests included.
    """

    set: str
    name: str
    cutoff: int
    model: str
    horizon: int
    mase: float
    crps: float
    covered_80: float
    covered_95: float
    exploded: bool
    seconds: float


def score(case: Case, model: str, mean: FloatArray, quantiles: FloatArray, seconds: float) -> list[Score]:
    """The scores of a forecast at each of the case's horizons."""
    return [_at(case, model, mean[:h], quantiles[:, :h], h, seconds) for h in case.horizons]


def _at(case: Case, model: str, mean: FloatArray, fan: FloatArray, horizon: int, seconds: float) -> Score:
    truth = case.truth[:horizon]
    known = np.isfinite(truth)
    scale = evaluation.naive_scale(case.history.values, case.history.day)
    assert scale is not None
    # A billionth of the level: what rounds is inside.
    slack = 1e-9 * max(1.0, float(np.abs(truth[known]).max()))
    inside = [(truth >= fan[i] - slack) & (truth <= fan[-1 - i] + slack) for i in (0, 1)]
    return Score(
        case.set, case.name, case.cutoff, model, horizon,
        evaluation.mase(truth, mean, scale), evaluation.crps(truth, fan) / scale,
        float(inside[1][known].mean()), float(inside[0][known].mean()),
        exploded(case, mean, fan), seconds,
    )  # fmt: skip


def exploded(case: Case, mean: FloatArray, fan: FloatArray) -> bool:
    """Not finite, or further from the range seen than ROOM times its width."""
    values = np.concatenate([mean, fan[0], fan[-1]])
    low, high = float(case.history.values.min()), float(case.history.values.max())
    room = ROOM * (high - low)
    return not np.isfinite(values).all() or bool(values.min() < low - room or values.max() > high + room)


def textbook_seasonal_naive(case: Case) -> tuple[FloatArray, FloatArray]:
    """The last day repeated, with the textbook's interval: the seasonal change's deviation times root of days."""
    values, day, horizon = case.history.values, case.history.day, len(case.truth)
    mean = values[-day:][np.arange(horizon) % day]
    change = values[day:] - values[:-day]
    spread = float(np.sqrt(np.mean(change**2))) * np.sqrt(np.arange(horizon) // day + 1)
    return mean, np.sort(case.history.clip(mean + DEVIATES[:, None] * spread), axis=0)
