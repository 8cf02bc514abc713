"""One series' forecast: backtest the candidates, weigh them, put conformal quantiles around their mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from components.forecasting import backtest, growth, intervals, models, stretches
from components.forecasting.model import BASELINE, Candidate, Unfit, Weights, alone, describe_weights
from components.forecasting.series import FloatArray, History

#: Candidates of `auto` and `ensemble`, with all their variants a few milliseconds a series.
FAST_CANDIDATES = (
    "autoregression", "daily_shape", "flat_median", "recent_median", "seasonal_drift", "seasonal_mean",
    "seasonal_median", "seasonal_naive", "smoothing",
)  # fmt: skip


#: Models that have learnt from many histories, by name.
Learned = Mapping[str, Candidate]
NOTHING: Learned = {}


@dataclass(frozen=True)
class Fitted:
    """What the backtests decided for one series, as plain data.

    weights: per candidate and stretch of the horizon. offsets: quantile minus point forecast, (7, horizon). ratio:
    backtest error relative to seasonal-naive, None without a backtest. scores: the same for each candidate. adapts:
    whether a growth that the newest days alone show takes the candidates' place; not where the user named one model.
    errors: mean absolute backtest error of each step ahead, (horizon,), NaN where none reached; None without backtest.
    """

    weights: Weights
    offsets: FloatArray
    ratio: float | None = None
    scores: Mapping[str, float] = field(default_factory=dict)
    reason: str = ""
    adapts: bool = False
    errors: FloatArray | None = None


@dataclass(frozen=True)
class Forecast:
    """The next steps of one series: point forecast and (7, horizon) quantiles; `reason` says why it fell back.

    errors: as in Fitted, of the model whose forecast this is.
    """

    mean: FloatArray
    quantiles: FloatArray
    model: str
    reason: str = ""
    ratio: float | None = None
    errors: FloatArray | None = None


def forecast(
    history: History,
    horizon: int,
    *,
    model: str = "auto",
    candidates: Sequence[str] = FAST_CANDIDATES,
    origins: int = 21,
    learned: Learned = NOTHING,
) -> Forecast:
    """Forecast one history; ParamsError for an unknown model. Never fails on a history: it falls back with a reason.

    learned: models that have learnt from many histories already; one that has not learns from this one.
    """
    fitted = fit(history, horizon, model=model, candidates=candidates, origins=origins, learned=learned)
    return apply(history, fitted, horizon, learned)


def fit(
    history: History,
    horizon: int,
    *,
    model: str = "auto",
    candidates: Sequence[str] = FAST_CANDIDATES,
    origins: int = 21,
    learned: Learned = NOTHING,
) -> Fitted:
    """Backtest and weigh; what follows needs the history's newest values only."""
    chosen = models.get(model)
    if float(np.ptp(history.values)) == 0 and len(history) > 1:
        offsets = np.zeros((len(intervals.LEVELS), horizon))
        adapts = not isinstance(chosen, Candidate)
        return Fitted(alone(BASELINE, stretches.COUNT), offsets, reason="constant history", adapts=adapts)
    members = models.pool(candidates) if not isinstance(chosen, Candidate) else _with_baseline(chosen)
    taught = [learned.get(member.name) or _taught(member, history, horizon, origins) for member in members]
    tested = backtest.run(history, taught, horizon, origins)
    return weigh(history, tested, model, horizon)


def weigh(history: History, tested: backtest.Backtest, model: str, horizon: int) -> Fitted:
    """The weights and quantile offsets that a model's rule and the backtests give."""
    if not np.isfinite(tested.actual).any():
        return _without_backtest(history, model, horizon)
    weights = weigh_only(tested, model)
    offsets = intervals.offsets_from_residuals(tested.residuals(weights), history.day)
    ratio = tested.score(weights)
    adapts = not isinstance(models.get(model), Candidate)
    errors = tested.error_by_step(weights)
    return Fitted(weights, offsets, ratio, tested.scores(), tested.reasons.get(model, ""), adapts, errors)


def weigh_only(tested: backtest.Backtest, model: str) -> Weights:
    """The weights alone; seasonal-naive where the model was dropped or nothing could be scored."""
    chosen = models.get(model)
    if isinstance(chosen, Candidate):
        return alone(model if model in tested.points else BASELINE, stretches.COUNT)
    errors = {name: tested.stretch_errors(name) for name in tested.points}
    usable = {name: error for name, error in errors.items() if np.isfinite(error).all()}
    return chosen.weigh(usable, tested.score, len(tested.origins)) if usable else alone(BASELINE, stretches.COUNT)


def apply(history: History, fitted: Fitted, horizon: int, learned: Learned = NOTHING) -> Forecast:
    """The forecast of a fitted series; a candidate that fails now gives way to seasonal-naive with its reason."""
    growing = growth.detect(history) if fitted.adapts else None
    if growing is not None:
        fan = growth.fan(history, growing, horizon)
        return Forecast(fan[3], fan, growth.NAME, fitted.reason, fitted.ratio)
    reason = fitted.reason
    points: dict[str, FloatArray] = {}
    for name in fitted.weights:
        try:
            points[name] = (learned.get(name) or models.candidate(name)).points(history, horizon)
        except Unfit as problem:
            reason = str(problem)
    used = {name: share for name, share in fitted.weights.items() if name in points}
    if len(used) < len(fitted.weights) and not np.sum([*used.values(), np.zeros(stretches.COUNT)], axis=0).all():
        used, points = alone(BASELINE, stretches.COUNT), {BASELINE: models.candidate(BASELINE).points(history, horizon)}
    median = stretches.combine(points, used, history.day)
    quantiles = intervals.quantiles(history, median, fitted.offsets[:, :horizon])
    errors = None if fitted.errors is None else fitted.errors[:horizon]
    return Forecast(history.clip(median), quantiles, describe_weights(used), reason, fitted.ratio, errors)


def _taught(member: Candidate, history: History, horizon: int, origins: int) -> Candidate:
    """For backtests: a model that learns, from the older half of the origins' past; the newer half judges it."""
    chosen = backtest.choose_origins(history, horizon, origins)
    if not member.shares or not chosen:
        return member
    known = history.until(chosen[len(chosen) // 2])
    try:
        taught = member.learn([known])
    except Unfit:
        return member
    taught.min_days = len(known) / history.day
    return taught


def _without_backtest(history: History, model: str, horizon: int) -> Fitted:
    days = len(history) / history.day
    reason = f"only {days:.1f} days of history: too short to backtest {model}, repeating the last day"
    return Fitted(alone(BASELINE, stretches.COUNT), intervals.offsets_without_backtest(history, horizon), reason=reason)


def _with_baseline(member: Candidate) -> list[Candidate]:
    return [member] if member.name == BASELINE else [models.candidate(BASELINE), member]
