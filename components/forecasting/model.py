"""The interface behind which every forecasting model stands.

A `Candidate` turns a history into point forecasts; a `Combination` weighs candidates by their backtests. Quantiles
are not a model's business: they come from backtest residuals, the same way for all (`intervals`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar

from components.forecasting.series import FloatArray, History


class Unfit(Exception):
    """This model cannot forecast this history; the message says why."""


class Candidate(ABC):
    """A model that forecasts on its own."""

    name: ClassVar[str]
    #: Days of history below which the model is not tried.
    min_days: ClassVar[float] = 2.0
    #: Slow models are backtested at every fourth origin only.
    slow: ClassVar[bool] = False

    @abstractmethod
    def forecast(self, history: History, horizon: int) -> FloatArray:
        """The expected value of each of the next `horizon` steps; Unfit where the history does not allow it."""

    def points(self, history: History, horizon: int) -> FloatArray:
        """`forecast`, held inside what the series can be; Unfit where the model is not finite or explodes."""
        if len(history) < self.min_days * history.day:
            raise Unfit(f"{self.name} needs {self.min_days:g} days of history")
        return guard(history, self.forecast(history, horizon), self.name)


class Combination(ABC):
    """A model that weighs candidates by how they did on the series' own past."""

    name: ClassVar[str]

    @abstractmethod
    def weigh(self, scores: Mapping[str, float], combined: CombinedScore) -> dict[str, float]:
        """Weights (positive, summing to 1) per candidate.

        scores: each candidate's backtest error divided by seasonal-naive's on the same cells.
        combined: gives the same figure for a weighted mean of candidates.
        """


class CombinedScore(ABC):
    """Scores a weighted mean of candidates on the backtests."""

    @abstractmethod
    def __call__(self, weights: Mapping[str, float]) -> float: ...


def guard(history: History, points: FloatArray, name: str) -> FloatArray:
    """Clip to the series' bounds; Unfit where a forecast leaves the range seen by more than three times its width."""
    import numpy as np

    if len(points) and not np.isfinite(points).all():
        raise Unfit(f"{name} gave a value that is not finite")
    clipped = history.clip(points)
    low, high = float(history.values.min()), float(history.values.max())
    # The width of the range is never taken below a thousandth of the level: rounding is no explosion.
    room = 3.0 * max(high - low, 1e-3 * max(abs(low), abs(high)), 1e-9)
    if len(clipped) and (clipped.min() < low - room or clipped.max() > high + room):
        raise Unfit(f"{name} ran away from the range seen ({low:g} to {high:g})")
    return clipped


def normalized(weights: Mapping[str, float]) -> dict[str, float]:
    """Weights scaled to sum to 1, zeros left out, sorted by name."""
    total = sum(weights.values())
    return {name: weights[name] / total for name in sorted(weights) if weights[name] > 0}


def describe_weights(weights: Mapping[str, float]) -> str:
    """Text such as "0.60 theta + 0.40 seasonal_naive"; the name alone where there is one."""
    if len(weights) == 1:
        return next(iter(weights))
    ordered: Sequence[tuple[str, float]] = sorted(weights.items(), key=lambda item: (-item[1], item[0]))
    return " + ".join(f"{weight:.2f} {name}" for name, weight in ordered)
