"""Rolling-origin backtests: how each candidate would have done on the series' own past."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from components.forecasting import stretches
from components.forecasting.model import BASELINE, Candidate, Unfit, Weights
from components.forecasting.series import FloatArray, History

#: Days of history before the first origin, at least.
MIN_TRAIN_DAYS = 3
#: A slow candidate runs at every fourth origin.
SLOW_STRIDE = 4


@dataclass(frozen=True)
class Backtest:
    """Forecasts of the past.

    origins: number of steps known at each origin, oldest first. actual: (origins, horizon), NaN past the end of the
    history and where nothing was measured. points: per candidate the same shape, NaN rows where it was not run.
    reasons: why a candidate was dropped. day: steps per day.
    """

    origins: tuple[int, ...]
    actual: FloatArray
    points: Mapping[str, FloatArray]
    reasons: Mapping[str, str] = field(default_factory=dict)
    day: int = 24

    def error_ratio(self, points: FloatArray) -> float:
        """Mean absolute error divided by seasonal-naive's on the same cells; 1 where both are perfect."""
        error, base = np.abs(points - self.actual), np.abs(self.points[BASELINE] - self.actual)
        common = np.isfinite(error) & np.isfinite(base)
        if not common.any():
            return float("inf")
        # Each step ahead counts alike, however many origins reach it.
        weight = 1.0 / np.maximum(common.sum(axis=0, keepdims=True), 1) * common
        ours = float((np.where(common, error, 0.0) * weight).sum())
        theirs = float((np.where(common, base, 0.0) * weight).sum())
        return ours / theirs if theirs > 0 else (1.0 if ours == 0 else float("inf"))

    def scores(self) -> dict[str, float]:
        """`error_ratio` of every candidate."""
        return {name: self.error_ratio(points) for name, points in self.points.items()}

    def stretch_errors(self, name: str) -> FloatArray:
        """A candidate's absolute error by stretch of the horizon, divided by seasonal-naive's on the same cells.

        A stretch that no origin reaches takes the one before; infinite where the candidate was not run at all.
        Origins too old for the candidate count as seasonal-naive's: it is not better for having missed them.
        """
        error, base = np.abs(self.points[name] - self.actual), np.abs(self.points[BASELINE] - self.actual)
        ran = np.isfinite(self.points[name]).any(axis=1)
        if ran.any():
            error[: int(ran.argmax())] = base[: int(ran.argmax())]
        common = np.isfinite(error) & np.isfinite(base)
        # Where seasonal-naive is perfect, perfection is all that counts.
        least = 1e-9 * float(np.abs(self.actual[np.isfinite(self.actual)]).max(initial=1e-9))
        ratios = np.full(stretches.COUNT, np.inf)
        for i, part in enumerate(stretches.of(error.shape[1], self.day)):
            cells = common[:, part]
            if cells.any():
                ours, theirs = (float(e[:, part][cells].sum()) for e in (error, base))
                ratios[i] = ours / max(theirs, least * cells.sum())
            elif i:
                ratios[i] = ratios[i - 1]
        return ratios

    def combined(self, weights: Weights) -> FloatArray:
        """The weighted median of candidates, of those that were run where some were not; NaN where none was."""
        return stretches.combine(self.points, weights, self.day)

    def residuals(self, weights: Weights) -> FloatArray:
        """Actual minus forecast of a weighted median, (origins, horizon)."""
        return self.actual - self.combined(weights)

    def error_by_step(self, weights: Weights) -> FloatArray:
        """Mean absolute error of a weighted median at each step ahead, (horizon,); NaN where no origin reaches."""
        errors = np.abs(self.residuals(weights))
        known = np.isfinite(errors)
        reached = known.sum(axis=0)
        mean: FloatArray = np.where(known, errors, 0.0).sum(axis=0) / np.where(reached, reached, np.nan)
        return mean

    def score(self, weights: Weights) -> float:
        """The `error_ratio` of a weighted median."""
        return self.error_ratio(self.combined(weights))


def choose_origins(history: History, horizon: int, most: int) -> tuple[int, ...]:
    """Origins a day apart (less where the horizon is shorter), newest one day before the end; oldest first.

    Origins nearer to the end than the horizon are scored on the part that has happened, so that the choice hears of
    recent changes. Empty where the history is shorter than four days.
    """
    stride = max(1, min(history.day, horizon))
    newest = len(history) - min(stride, horizon)
    oldest = MIN_TRAIN_DAYS * history.day
    count = min(most, (newest - oldest) // stride + 1) if newest >= oldest else 0
    return tuple(newest - stride * i for i in reversed(range(count)))


def run(history: History, candidates: Sequence[Candidate], horizon: int, most_origins: int) -> Backtest:
    """Backtest every candidate at each origin; one that refuses or explodes once is dropped with its reason."""
    origins = choose_origins(history, horizon, most_origins)
    actual = np.full((len(origins), horizon), np.nan)
    measured = history.values if history.observed is None else np.where(history.observed, history.values, np.nan)
    for row, origin in enumerate(origins):
        part = measured[origin : origin + horizon]
        actual[row, : len(part)] = part
    points: dict[str, FloatArray] = {}
    reasons: dict[str, str] = {}
    pasts = [history.until(origin) for origin in origins]
    for model in candidates:
        try:
            points[model.name] = _forecasts(model, history, pasts, horizon)
        except Unfit as problem:
            reasons[model.name] = str(problem)
    return Backtest(origins, actual, points, reasons, history.day)


def _forecasts(model: Candidate, history: History, pasts: Sequence[History], horizon: int) -> FloatArray:
    rows = np.full((len(pasts), horizon), np.nan)
    for row in reversed(range(len(pasts))):
        if model.slow and (len(pasts) - 1 - row) % SLOW_STRIDE:
            continue
        # The oldest origins may lie before a demanding model can start: it is scored on the others.
        if len(pasts[row]) < model.min_days * history.day:
            continue
        reach = min(horizon, len(history) - len(pasts[row]))
        rows[row, :reach] = model.points(pasts[row], reach)
    if len(pasts) and np.isnan(rows).all():
        raise Unfit(f"{model.name} needs {model.min_days:g} days of history")
    return rows
