"""Many scores as one figure: geometric means of ratios over series, with bootstrap intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from components.forecasting.evaluation import geometric_mean
from tests.benchmarks.forecasting.runs import BASELINE
from tests.benchmarks.forecasting.scoring import Score

_DRAWS = 1000


@dataclass(frozen=True)
class Figure:
    """A geometric mean over series and its 95 % bootstrap interval over series."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.2f} ({self.low:.2f}–{self.high:.2f})"


def ratios(scores: Sequence[Score], model: str, measure: str, horizon: int) -> dict[tuple[str, str], float]:
    """Per series: the measure's sum over cut-offs divided by the baseline's; a series both get right counts as 1."""
    ours, theirs = (_sums(scores, name, measure, horizon) for name in (model, BASELINE))
    return {key: _ratio(ours[key], theirs[key]) for key in ours}


def figure(values: Sequence[float]) -> Figure:
    """The geometric mean of ratios with its interval."""
    logs = np.log(np.clip(np.array(values), 0.01, 100.0))
    if not len(logs):
        return Figure(float("nan"), float("nan"), float("nan"))
    drawn = np.random.default_rng(0).integers(0, len(logs), (_DRAWS, len(logs)))
    low, high = np.exp(np.quantile(logs[drawn].mean(axis=1), (0.025, 0.975)))
    return Figure(geometric_mean(np.array(values)), float(low), float(high))


def coverage(scores: Sequence[Score], model: str, level: int, horizon: int) -> float:
    """Mean share of measured hours inside the interval, each cut-off alike."""
    found = [getattr(s, f"covered_{level}") for s in scores if s.model == model and s.horizon == horizon]
    return float(np.mean(found)) if found else float("nan")


def exploded(scores: Sequence[Score], model: str) -> int:
    """Forecasts, not horizons, that exploded."""
    return len({(s.set, s.name, s.cutoff) for s in scores if s.model == model and s.exploded})


def seconds(scores: Sequence[Score], model: str) -> float:
    """Mean seconds of one forecast."""
    found = {(s.set, s.name, s.cutoff): s.seconds for s in scores if s.model == model}
    return float(np.mean(list(found.values())))


def _sums(scores: Sequence[Score], model: str, measure: str, horizon: int) -> dict[tuple[str, str], float]:
    sums: dict[tuple[str, str], float] = {}
    for one in scores:
        if one.model == model and one.horizon == horizon:
            sums[one.set, one.name] = sums.get((one.set, one.name), 0.0) + getattr(one, measure)
    return sums


def _ratio(ours: float, theirs: float) -> float:
    if theirs > 0:
        return ours / theirs
    return 1.0 if ours == 0 else 100.0
