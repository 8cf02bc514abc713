"""The risk of crossing a limit: first passage of sample paths drawn through the forecast's quantiles."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import polars as pl

from components.core.catalog import WatchedMetric
from components.core.schema import QUANTILE_COLUMNS
from components.core.times import iso
from components.forecasting import sawtooth
from components.forecasting.intervals import DEVIATES
from components.forecasting.seasonality import fit_profile
from components.forecasting.series import DAY, HOUR, FloatArray, History

#: Horizons for which a probability is given, in hours.
HORIZONS_H = (1, 4, 24, 72, 168)
TIME_QUANTILES = (0.1, 0.5, 0.9)
#: Below this many days of history the risk is not estimated.
MIN_DAYS = 3.0
#: 2,000 paths: a standard error of at most 0.011 on a probability.
PATHS = 2000


@dataclass(frozen=True)
class Risk:
    """Whether and when a series crosses its limit.

    probability: per hour of HORIZONS_H, None past the horizon or where abstained. time_to_limit: instants of
    TIME_QUANTILES of the first crossing, None where that lies past the horizon.
    """

    limit: float
    direction: str
    probability: dict[int, float | None]
    time_to_limit: dict[float, datetime | None]
    already_crossed: bool = False
    abstained: bool = False
    reason: str = ""
    model: str = ""

    def as_json(self) -> dict[str, Any]:
        """The content of `<name>.risk.json`."""
        return {
            "limit": self.limit,
            "direction": self.direction,
            "probability": {f"{hours}h": p for hours, p in self.probability.items()},
            "time_to_limit": {f"q{q}": iso(t) if t else None for q, t in self.time_to_limit.items()},
            "already_crossed": self.already_crossed,
            "abstained": self.abstained,
            "reason": self.reason,
            "model": self.model,
        }


def estimate(
    history: History, quantiles: FloatArray, *, limit: float, direction: str = "above", seed: int = 0, model: str = ""
) -> Risk:
    """The risk from a history and its forecast's (7, horizon) quantiles; abstains on a short history.

    The answer depends on nothing but its arguments. `direction`: the side of the limit that is failure.
    """
    horizon = quantiles.shape[1]
    sign = 1.0 if direction == "above" else -1.0
    values, bound = sign * history.values, sign * limit
    nothing = Risk(limit, direction, dict.fromkeys(HORIZONS_H), dict.fromkeys(TIME_QUANTILES), model=model)
    if values[-1] >= bound:
        known = {hours: 1.0 if _steps(hours, history.step) <= horizon else None for hours in HORIZONS_H}
        times = dict.fromkeys(TIME_QUANTILES, history.end - history.step)
        return Risk(limit, direction, dict(known), dict(times), True, False, "the limit is crossed already", model)
    if len(history) < MIN_DAYS * history.day:
        days = len(history) * history.step / DAY
        reason = f"{days:.1f} days of history: too short to judge a risk, {MIN_DAYS:g} are needed"
        return Risk(**{**vars(nothing), "abstained": True, "reason": reason})
    rng = np.random.default_rng(seed)
    fan = quantiles if sign > 0 else -quantiles[::-1]
    hits, reason = _first_hits(values, fan, bound, history, rng)
    return Risk(
        limit, direction, _probabilities(hits, history.step, horizon), _times(hits, history), reason=reason, model=model
    )


def _first_hits(
    values: FloatArray, fan: FloatArray, bound: float, history: History, rng: np.random.Generator
) -> tuple[FloatArray, str]:
    horizon = fan.shape[1]
    saw = sawtooth.detect(values)
    if saw is None:
        paths = sample_paths(values, fan, history.day, rng)
        reached = paths >= bound
        return np.where(reached.any(axis=1), reached.argmax(axis=1) + 1.0, np.inf), ""
    if saw.broken and saw.age >= 4:
        since = values[-saw.age :]
        hits = sawtooth.growth_hits(since, bound, horizon, PATHS, history.day, rng)
        return hits, f"grows past its pattern of {len(saw.peaks)} resets: growth since the last reset continued"
    hits = sawtooth.peak_hits(saw, bound, horizon, PATHS, rng)
    return hits, f"sawtooth of {len(saw.peaks)} resets: judged by its peaks"


def sample_paths(values: FloatArray, fan: FloatArray, day: int, rng: np.random.Generator) -> FloatArray:
    """(PATHS, horizon) paths whose marginals are the fan's quantiles, as persistent as the series itself.

    A Gaussian copula: one deviate common to the whole path (what grows with the horizon is a wrong level or slope)
    plus a first-order autoregression with the history's own memory.
    """
    horizon = fan.shape[1]
    memory, common = _persistence(values, fan, day)
    noise = rng.standard_normal((PATHS, horizon))
    wander = np.empty_like(noise)
    wander[:, 0] = noise[:, 0]
    for step in range(1, horizon):
        wander[:, step] = memory * wander[:, step - 1] + np.sqrt(1 - memory**2) * noise[:, step]
    deviates = np.sqrt(common) * rng.standard_normal((PATHS, 1)) + np.sqrt(1 - common) * wander
    reach = np.concatenate([[-4.0], DEVIATES, [4.0]])
    paths: FloatArray = np.empty_like(deviates)
    for step in range(horizon):
        paths[:, step] = np.interp(deviates[:, step], reach, _with_tails(fan[:, step]))
    return paths


def _with_tails(quantiles: FloatArray) -> FloatArray:
    # Normal tails past the outer quantiles, as steep as between the last two.
    low = quantiles[0] - (quantiles[1] - quantiles[0]) * (4.0 + DEVIATES[0]) / (DEVIATES[1] - DEVIATES[0])
    high = quantiles[-1] + (quantiles[-1] - quantiles[-2]) * (4.0 - DEVIATES[-1]) / (DEVIATES[-1] - DEVIATES[-2])
    return np.concatenate([[low], quantiles, [high]])


def _persistence(values: FloatArray, fan: FloatArray, day: int) -> tuple[float, float]:
    rest = values[-14 * day :] - fit_profile(values, day).past()[-14 * day :]
    trend = np.polyfit(np.arange(len(rest)), rest, 1)
    rest = rest - np.polyval(trend, np.arange(len(rest)))
    variance = float(np.mean(rest**2))
    memory = float(np.mean(rest[1:] * rest[:-1])) / variance if variance > 0 else 0.0
    width = fan[5] - fan[1]
    first, last = float(width[: max(1, day // 2)].mean()), float(width[-max(1, day // 2) :].mean())
    growth = 1.0 - (first / last) ** 2 if last > first else 0.0
    return float(np.clip(memory, 0.0, 0.98)), float(np.clip(growth, 0.1, 0.95))


def _steps(hours: float, step: timedelta) -> int:
    return max(1, round(hours * HOUR / step))


def _probabilities(hits: FloatArray, step: timedelta, horizon: int) -> dict[int, float | None]:
    within = {hours: _steps(hours, step) for hours in HORIZONS_H}
    return {hours: float(np.mean(hits <= n)) if n <= horizon else None for hours, n in within.items()}


def _times(hits: FloatArray, history: History) -> dict[float, datetime | None]:
    ordered = np.sort(hits)
    found = {q: ordered[int(np.ceil(q * len(ordered))) - 1] for q in TIME_QUANTILES}
    # The k-th step ahead begins k - 1 steps after the end of the history.
    return {
        q: history.end + (int(np.ceil(hit)) - 1) * history.step if np.isfinite(hit) else None
        for q, hit in found.items()
    }


def from_rows(history: History, rows: pl.DataFrame, entry: WatchedMetric, seed: int) -> Risk:
    """The risk of a catalogue metric from rows of the forecasts table (one series, sorted by time)."""
    if entry.limit is None:
        raise ValueError(f"metric {entry.name!r} has no limit")
    fan = rows.select(QUANTILE_COLUMNS).to_numpy().T.astype(float)
    model = str(rows["model"][0])
    return estimate(history, fan, limit=entry.limit, direction=entry.direction, seed=seed, model=model)


def as_row(service: str, entry: WatchedMetric, found: Risk) -> dict[str, Any]:
    """A row of the risks table, all but `as_of`."""
    return {
        "service": service,
        "metric": entry.name,
        "failure_kind": entry.failure_kind or entry.kind,
        "limit": found.limit,
        "direction": found.direction,
        **{f"p_{hours}h": p for hours, p in found.probability.items()},
        **{f"limit_at_q{q * 100:.0f}": instant for q, instant in found.time_to_limit.items()},
        "already_crossed": found.already_crossed,
        "abstained": found.abstained,
        "reason": found.reason,
        "model": found.model,
    }
