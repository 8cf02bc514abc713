"""The interface behind which every forecasting model stands.

A `Candidate` turns a history into point forecasts; a `Combination` weighs candidates by their backtests. Quantiles
are not a model's business: they come from backtest residuals, the same way for all (`intervals`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from components.forecasting.series import FloatArray, History

#: What every model has to beat.
BASELINE = "seasonal_naive"
#: Per candidate one weight per stretch of the horizon (`stretches`), summing to 1 in each.
Weights = Mapping[str, FloatArray]
#: Shares below this change no median and cost a forecast each.
SMALLEST_SHARE = 0.01


class Unfit(Exception):
    """This model cannot forecast this history; the message says why."""


class Candidate(ABC):
    """A model that forecasts on its own."""

    name: str
    #: Days of history below which the model is not tried.
    min_days: float = 2.0
    #: Slow models are backtested at every fourth origin only.
    slow: bool = False
    #: Whether `learn` learns from many histories at once.
    shares: bool = False

    @abstractmethod
    def forecast(self, history: History, horizon: int) -> FloatArray:
        """The expected value of each of the next `horizon` steps; Unfit where the history does not allow it."""

    def variants(self) -> tuple[Candidate, ...]:
        """What stands for this model among the candidates of a combination: itself, or one for each setting."""
        return (self,)

    def learn(self, histories: Sequence[History]) -> Candidate:
        """This model having learnt from many histories what it shares among them; itself where it shares nothing."""
        return self

    def state(self) -> Mapping[str, NDArray[np.generic]]:
        """What was learnt, as plain arrays for `restore`; empty where nothing was."""
        return {}

    def restore(self, state: Mapping[str, NDArray[np.generic]]) -> Candidate:
        """This model having learnt what `state` gave."""
        return self

    def points(self, history: History, horizon: int) -> FloatArray:
        """`forecast`, held inside what the series can be; Unfit where the model is not finite or explodes."""
        if len(history) < self.min_days * history.day:
            raise Unfit(f"{self.name} needs {self.min_days:g} days of history")
        return guard(history, self.forecast(history, horizon), self.name)


class Combination(ABC):
    """A model that weighs candidates by how they did on the series' own past."""

    name: str

    @abstractmethod
    def weigh(
        self, errors: Mapping[str, FloatArray], combined: Callable[[Weights], float], origins: int
    ) -> dict[str, FloatArray]:
        """Weights per candidate and stretch.

        errors: each candidate's backtest error per stretch divided by seasonal-naive's on the same cells.
        combined: gives the same figure, over the whole horizon, for the weighted median of candidates.
        origins: how many forecasts of the past the errors come from.
        """


def guard(history: History, points: FloatArray, name: str) -> FloatArray:
    """Clip to the series' bounds; Unfit where a forecast leaves the range seen by more than three times its width."""
    if len(points) and not np.isfinite(points).all():
        raise Unfit(f"{name} gave a value that is not finite")
    clipped = history.clip(points)
    low, high = float(history.values.min()), float(history.values.max())
    # The width of the range is never taken below a thousandth of the level: rounding is no explosion.
    room = 3.0 * max(high - low, 1e-3 * max(abs(low), abs(high)), 1e-9)
    if len(clipped) and (clipped.min() < low - room or clipped.max() > high + room):
        raise Unfit(f"{name} ran away from the range seen ({low:g} to {high:g})")
    return clipped


def alone(name: str, stretches: int) -> dict[str, FloatArray]:
    """The weights of one candidate on its own."""
    return {name: np.ones(stretches)}


def normalized(weights: Weights) -> dict[str, FloatArray]:
    """Weights scaled to sum to 1 in each stretch, small shares and candidates without any left out, sorted by name."""
    total = np.sum(list(weights.values()), axis=0)
    shares = {name: weights[name] / total for name in sorted(weights)}
    # The largest share of a stretch stays, however many small ones share it.
    least = np.minimum(SMALLEST_SHARE, np.max(list(shares.values()), axis=0))
    kept = {name: np.where(share >= least, share, 0.0) for name, share in shares.items()}
    rest = np.sum(list(kept.values()), axis=0)
    return {name: share / rest for name, share in kept.items() if share.any()}


def describe_weights(weights: Weights) -> str:
    """Text such as "median of 0.60 theta + 0.40 seasonal_naive" by file, the three largest; one name alone as it is."""
    if len(weights) == 1:
        return next(iter(weights))
    shares: dict[str, float] = {}
    for name, share in weights.items():
        file = name.partition(".")[0]
        shares[file] = shares.get(file, 0.0) + float(np.mean(share))
    ordered = sorted(shares.items(), key=lambda item: (-item[1], item[0]))
    text = " + ".join(f"{share:.2f} {file}" for file, share in ordered[:3])
    return f"median of {text}" + (f" + {len(ordered) - 3} more" if len(ordered) > 3 else "")
