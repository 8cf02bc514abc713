"""Backtests of many series in worker processes, and the figures that compare the candidates fold by fold."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from multiprocessing import get_context

import numpy as np

from components.forecasting import backtest, evaluation, forecast, growth, models, stretches
from components.forecasting.backtest import Backtest
from components.forecasting.forecast import NOTHING, Fitted, Learned
from components.forecasting.intervals import LEVELS
from components.forecasting.model import BASELINE, Candidate, Unfit
from components.forecasting.series import FloatArray, History

#: Fewer series than this are not worth starting processes for.
MIN_PARALLEL = 16


@dataclass(frozen=True)
class Plan:
    """One series to train, and with which candidates."""

    name: str
    history: History
    candidates: tuple[str, ...]


@dataclass(frozen=True)
class Figures:
    """Backtest figures of one candidate on one series.

    mase, crps: per fold, newest fold first, NaN where it was not run; CRPS in units of MASE's denominator.
    by_step: mean scaled error per step ahead.
    """

    mase: FloatArray
    crps: FloatArray
    by_step: FloatArray


@dataclass(frozen=True)
class Trained:
    """What one series' training gave; figures by candidate, the chosen rule's own among them."""

    name: str
    fitted: Fitted
    figures: Mapping[str, Figures]


def learn(plans: Sequence[Plan], horizon: int, origins: int) -> tuple[Learned, Learned]:
    """The models that learn from many series at once, each from all the series that have it as a candidate.

    Twice: for the backtests from what was known before the oldest origin of each series, and to serve from everything.
    One that finds nothing to learn from is left out.
    """
    early: dict[str, Candidate] = {}
    whole: dict[str, Candidate] = {}
    for member in models.pool({name for plan in plans for name in plan.candidates}):
        if not member.shares:
            continue
        histories = [plan.history for plan in plans if member.name in plan.candidates]
        chosen = [backtest.choose_origins(history, horizon, origins) for history in histories]
        pasts = [history.until(at[0]) for history, at in zip(histories, chosen, strict=True) if at]
        with suppress(Unfit):
            early[member.name] = member.learn(pasts)
            whole[member.name] = member.learn(histories)
    return early, whole


def train(plans: Sequence[Plan], work: Callable[[Plan], Trained], workers: int) -> list[Trained]:
    """Train every plan (`work` is `train_one` with its settings), in their order, whatever the workers."""
    if workers == 1 or len(plans) < MIN_PARALLEL:
        return [work(plan) for plan in plans]
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        return list(pool.map(work, plans, chunksize=2))


def train_one(plan: Plan, *, model: str, horizon: int, origins: int, learned: Learned = NOTHING) -> Trained:
    """Backtest one series, weigh its candidates, measure them."""
    history = plan.history
    if float(np.ptp(history.values)) == 0 or not backtest.choose_origins(history, horizon, origins):
        return Trained(plan.name, forecast.fit(history, horizon, model=model), {})
    members = [learned.get(member.name) or member for member in models.pool(plan.candidates)]
    # One that found nothing to learn from would learn anew at every origin.
    members = [member for member in members if not member.shares or member.name in learned]
    tested = backtest.run(history, members, horizon, origins)
    fitted = forecast.weigh(history, tested, model, horizon)
    scale = evaluation.naive_scale(history.values, history.day)
    if scale is None:
        return Trained(plan.name, fitted, {})
    figures = {name: _figures(tested.actual, points, scale) for name, points in sorted(tested.points.items())}
    if model not in figures:
        figures[model] = _figures(tested.actual, _cross_validated(history, tested, model, horizon), scale)
    return Trained(plan.name, fitted, figures)


def _cross_validated(history: History, tested: Backtest, model: str, horizon: int) -> FloatArray:
    """The rule's forecasts where each fold's weights come from the other folds: it is not judged by its own choice."""
    points = np.full_like(tested.actual, np.nan)
    for fold in range(len(tested.origins)):
        others = np.arange(len(tested.origins)) != fold
        ran = {name: rows for name, rows in tested.points.items() if np.isfinite(rows[fold]).any()}
        rest = replace(tested, actual=tested.actual[others], points={name: rows[others] for name, rows in ran.items()})
        weights = forecast.weigh_only(rest, model)
        points[fold] = stretches.combine({name: rows[fold] for name, rows in ran.items()}, weights, history.day)
        past = history.until(tested.origins[fold])
        growing = growth.detect(past)
        if growing is not None:
            points[fold] = growth.fan(past, growing, horizon)[3]
    return points


def _figures(actual: FloatArray, points: FloatArray, scale: float) -> Figures:
    residuals = (actual - points) / scale
    folds = range(len(actual) - 1, -1, -1)
    mase = [evaluation.mase(actual[fold], points[fold], scale) for fold in folds]
    crps = [_fold_crps(residuals, fold) for fold in folds]
    return Figures(np.array(mase), np.array(crps), _column_means(np.abs(residuals)))


def _fold_crps(residuals: FloatArray, fold: int) -> float:
    # The fold's interval comes from the other folds' residuals.
    others = np.delete(residuals, fold, axis=0)
    known = others[np.isfinite(others)]
    if not len(known):
        return float("nan")
    offsets = np.quantile(known, LEVELS)
    return evaluation.crps(residuals[fold], np.repeat(offsets[:, None], residuals.shape[1], axis=1))


def summarize(trained: Sequence[Trained]) -> dict[str, dict[str, float]]:
    """Per candidate: mean MASE and CRPS, and their geometric means relative to seasonal-naive on the same folds.

    Of a model with several variants the one with the lowest MASE stands for all.
    """
    names = sorted({name for item in trained for name in item.figures})
    found = {name: _summary([item.figures for item in trained if name in item.figures], name) for name in names}
    best: dict[str, str] = {}
    for name in sorted(found, key=lambda name: (_rank(found[name]["mase_vs_seasonal_naive"]), name)):
        best.setdefault(name.partition(".")[0], name)
    return {name: found[name] for name in sorted(best.values())}


def _rank(ratio: float) -> float:
    return ratio if np.isfinite(ratio) else float("inf")


def by_fold(trained: Sequence[Trained], name: str) -> list[tuple[float, float]]:
    """Mean MASE and CRPS over the series of each fold, newest first; NaN where the candidate was not run."""
    found = [item.figures[name] for item in trained if name in item.figures]
    folds = max((len(figures.mase) for figures in found), default=0)
    rows = []
    for fold in range(folds):
        pairs = [(f.mase[fold], f.crps[fold]) for f in found if fold < len(f.mase)]
        rows.append((_mean([m for m, _ in pairs]), _mean([c for _, c in pairs])))
    return rows


def error_by_step(trained: Sequence[Trained], name: str, horizon: int) -> FloatArray:
    """Mean scaled error of a candidate per step ahead, over all series."""
    rows = [item.figures[name].by_step for item in trained if name in item.figures]
    stacked = np.stack(rows) if rows else np.full((1, horizon), np.nan)
    return _column_means(stacked)


def _summary(figures: Sequence[Mapping[str, Figures]], name: str) -> dict[str, float]:
    ratios = []
    for item in figures:
        ran = np.isfinite(item[name].mase) & np.isfinite(item[BASELINE].mase)
        base = float(item[BASELINE].mase[ran].sum())
        base_crps = float(np.nansum(item[BASELINE].crps[ran]))
        crps_ratio = float(np.nansum(item[name].crps[ran])) / base_crps if base_crps > 0 else float("nan")
        ratios.append((float(item[name].mase[ran].sum()) / base if base > 0 else float("nan"), crps_ratio))
    pairs = np.array(ratios)
    return {
        "mase": _mean([value for item in figures for value in item[name].mase]),
        "crps": _mean([value for item in figures for value in item[name].crps]),
        "mase_vs_seasonal_naive": evaluation.geometric_mean(pairs[:, 0]),
        "crps_vs_seasonal_naive": evaluation.geometric_mean(pairs[:, 1]),
        "series": float(len(figures)),
    }


def _column_means(rows: FloatArray) -> FloatArray:
    known = np.isfinite(rows)
    means: FloatArray = np.where(known, rows, 0.0).sum(axis=0) / np.where(known.any(axis=0), known.sum(axis=0), np.nan)
    return means


def _mean(values: Sequence[float]) -> float:
    finite = [value for value in values if np.isfinite(value)]
    return float(np.mean(finite)) if finite else float("nan")
