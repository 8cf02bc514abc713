"""One series' forecast: backtest the candidates, weigh them, put conformal quantiles around their mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from components.forecasting import backtest, growth, intervals, models
from components.forecasting.model import Candidate, Unfit, describe_weights
from components.forecasting.series import FloatArray, History

BASELINE = backtest.BASELINE
#: Candidates of `auto` and `ensemble`, each a few milliseconds a series.
FAST_CANDIDATES = ("autoregression", "seasonal_drift", "seasonal_mean", "seasonal_naive", "smoothing")


@dataclass(frozen=True)
class Fitted:
    """What the backtests decided for one series, as plain data.

    weights: per candidate, summing to 1. offsets: quantile minus point forecast, (7, horizon). ratio: backtest error
    relative to seasonal-naive, None without a backtest. scores: the same for each candidate. adapts: whether a growth
    that the newest days alone show takes the candidates' place; not where the user named one model.
    """

    weights: Mapping[str, float]
    offsets: FloatArray
    ratio: float | None = None
    scores: Mapping[str, float] = field(default_factory=dict)
    reason: str = ""
    adapts: bool = False


@dataclass(frozen=True)
class Forecast:
    """The next steps of one series: point forecast and (7, horizon) quantiles; `reason` says why it fell back."""

    mean: FloatArray
    quantiles: FloatArray
    model: str
    reason: str = ""
    ratio: float | None = None


def forecast(
    history: History,
    horizon: int,
    *,
    model: str = "auto",
    candidates: Sequence[str] = FAST_CANDIDATES,
    origins: int = 21,
) -> Forecast:
    """Forecast one history; ParamsError for an unknown model. Never fails on a history: it falls back with a reason."""
    return apply(history, fit(history, horizon, model=model, candidates=candidates, origins=origins), horizon)


def fit(
    history: History,
    horizon: int,
    *,
    model: str = "auto",
    candidates: Sequence[str] = FAST_CANDIDATES,
    origins: int = 21,
) -> Fitted:
    """Backtest and weigh; what follows needs the history's newest values only."""
    chosen = models.get(model)
    if float(np.ptp(history.values)) == 0 and len(history) > 1:
        offsets = np.zeros((len(intervals.LEVELS), horizon))
        adapts = not isinstance(chosen, Candidate)
        return Fitted({BASELINE: 1.0}, offsets, reason="constant history", adapts=adapts)
    members = [chosen] if isinstance(chosen, Candidate) else [models.candidate(name) for name in candidates]
    tested = backtest.run(history, _with_baseline(members), horizon, origins)
    return weigh(history, tested, model, horizon)


def weigh(history: History, tested: backtest.Backtest, model: str, horizon: int) -> Fitted:
    """The weights and quantile offsets that a model's rule and the backtests give."""
    if not np.isfinite(tested.actual).any():
        return _without_backtest(history, model, horizon)
    weights = weigh_only(tested, model)
    offsets = intervals.offsets_from_residuals(tested.residuals(weights), history.day)
    ratio = backtest.Scorer(tested)(weights)
    adapts = not isinstance(models.get(model), Candidate)
    return Fitted(weights, offsets, ratio, tested.scores(), tested.reasons.get(model, ""), adapts)


def weigh_only(tested: backtest.Backtest, model: str) -> dict[str, float]:
    """The weights alone; seasonal-naive where the model was dropped or nothing could be scored."""
    chosen = models.get(model)
    if isinstance(chosen, Candidate):
        return {model: 1.0} if model in tested.points else {BASELINE: 1.0}
    usable = {name: score for name, score in tested.scores().items() if np.isfinite(score)}
    return chosen.weigh(usable, backtest.Scorer(tested)) if usable else {BASELINE: 1.0}


def apply(history: History, fitted: Fitted, horizon: int) -> Forecast:
    """The forecast of a fitted series; a candidate that fails now gives way to seasonal-naive with its reason."""
    growing = growth.detect(history) if fitted.adapts else None
    if growing is not None:
        fan = growth.fan(history, growing, horizon)
        return Forecast(fan[3], fan, growth.NAME, fitted.reason, fitted.ratio)
    reason = fitted.reason
    points = np.zeros(horizon)
    used: dict[str, float] = {}
    for name, weight in fitted.weights.items():
        try:
            part = models.candidate(name).points(history, horizon)
        except Unfit as problem:
            reason, name = str(problem), BASELINE
            part = models.candidate(BASELINE).points(history, horizon)
        points += weight * part
        used[name] = used.get(name, 0.0) + weight
    quantiles = intervals.quantiles(history, points, fitted.offsets[:, :horizon])
    return Forecast(history.clip(points), quantiles, describe_weights(used), reason, fitted.ratio)


def _without_backtest(history: History, model: str, horizon: int) -> Fitted:
    days = len(history) / history.day
    reason = f"only {days:.1f} days of history: too short to backtest {model}, repeating the last day"
    return Fitted({BASELINE: 1.0}, intervals.offsets_without_backtest(history, horizon), reason=reason)


def _with_baseline(members: Sequence[Candidate]) -> list[Candidate]:
    present = any(member.name == BASELINE for member in members)
    return list(members) if present else [models.candidate(BASELINE), *members]
