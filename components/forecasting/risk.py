"""The risk of crossing a limit: probabilities within hours and days, and the time to the limit."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import polars as pl

from components.core.catalog import WatchedMetric
from components.core.schema import QUANTILE_COLUMNS
from components.core.times import iso
from components.forecasting import outlook
from components.forecasting.outlook import Outlook
from components.forecasting.series import DAY, HOUR, FloatArray, History

#: Horizons for which a probability is given, in hours.
HORIZONS_H = (1, 4, 24, 72, 168)
TIME_QUANTILES = (0.1, 0.5, 0.9)
MINUTE = timedelta(minutes=1)
#: Below this many days of history the risk is not estimated.
MIN_DAYS = 1.0


@dataclass(frozen=True)
class Risk:
    """Whether and when a series crosses its limit.

    probability: per hour of HORIZONS_H, None past the horizon or where abstained. time_to_limit: instants of
    TIME_QUANTILES of the first crossing, None where that lies past the horizon. reached: the probability by each step,
    None where it is crossed already or not judged.
    """

    limit: float
    direction: str
    probability: dict[int, float | None]
    time_to_limit: dict[float, datetime | None]
    already_crossed: bool = False
    abstained: bool = False
    reason: str = ""
    model: str = ""
    reached: FloatArray | None = field(default=None, repr=False, compare=False)

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
    history: History,
    quantiles: FloatArray,
    *,
    limit: float,
    direction: str = "above",
    seed: int = 0,
    model: str = "",
    recent: History | None = None,
) -> Risk:
    """The risk from a history and its forecast's (7, horizon) quantiles; abstains on a short history.

    The answer depends on nothing but its arguments. `direction`: the side of the limit that is failure. `recent`: the
    last days on a finer grid, where there are finer samples; they show what fails within hours.
    """
    horizon = quantiles.shape[1]
    nothing = Risk(limit, direction, dict.fromkeys(HORIZONS_H), dict.fromkeys(TIME_QUANTILES), model=model)
    last = float(history.values[-1])
    if last >= limit if direction == "above" else last <= limit:
        known = {hours: 1.0 if _steps(hours, history.step) <= horizon else None for hours in HORIZONS_H}
        times = dict.fromkeys(TIME_QUANTILES, history.end - history.step)
        return replace(
            nothing,
            probability=dict(known),
            time_to_limit=dict(times),
            already_crossed=True,
            reason="the limit is crossed already",
        )
    days = len(history) * history.step / DAY
    if days < MIN_DAYS:
        reason = f"{days:.1f} days of history: too short to judge a risk, {MIN_DAYS:g} at least"
        return replace(nothing, abstained=True, reason=reason)
    found = look(history, quantiles, limit, direction, recent, seed)
    if found is None:
        reason = f"{days:.1f} days of history without steady growth: too short to judge a risk"
        return replace(nothing, abstained=True, reason=reason)
    reached = found.probability()
    return replace(
        nothing,
        probability=_probabilities(reached, history.step),
        time_to_limit=_times(reached, history, found.fine),
        reason=found.reason,
        reached=reached,
    )


def look(
    history: History, quantiles: FloatArray, limit: float, direction: str, recent: History | None, seed: int = 0
) -> Outlook | None:
    """The outlook behind the risk; one of "below" is that of the mirror image."""
    if direction == "above":
        return outlook.look(history, quantiles, limit, recent, seed)
    near = None if recent is None else _mirrored(recent)
    return outlook.look(_mirrored(history), -quantiles[::-1], -limit, near, seed)


def _mirrored(history: History) -> History:
    return replace(history, values=-history.values, lower=-history.upper, upper=-history.lower)


def _steps(hours: float, step: timedelta) -> int:
    return max(1, round(hours * HOUR / step))


def _probabilities(reached: FloatArray, step: timedelta) -> dict[int, float | None]:
    within = {hours: _steps(hours, step) for hours in HORIZONS_H}
    return {hours: float(reached[n - 1]) if n <= len(reached) else None for hours, n in within.items()}


def _times(reached: FloatArray, history: History, fine: bool) -> dict[float, datetime | None]:
    """When the probability passes each of TIME_QUANTILES: the beginning of that step, or a moment within it."""
    by_step = np.concatenate([[0.0], reached])
    times: dict[float, datetime | None] = dict.fromkeys(TIME_QUANTILES)
    for q in TIME_QUANTILES:
        step = int(np.searchsorted(reached, q))
        if step < len(reached):
            within = (q - by_step[step]) / max(by_step[step + 1] - by_step[step], 1e-12) if fine else 0.0
            # To the minute: more would be made up.
            minutes = round((step + float(within)) * (history.step / MINUTE))
            times[q] = history.end + minutes * MINUTE
    return times


def from_rows(
    history: History, rows: pl.DataFrame, entry: WatchedMetric, seed: int, recent: History | None = None
) -> Risk:
    """The risk of a catalogue metric from rows of the forecasts table (one series, sorted by time)."""
    if entry.limit is None:
        raise ValueError(f"metric {entry.name!r} has no limit")
    fan = rows.select(QUANTILE_COLUMNS).to_numpy().T.astype(float)
    model = str(rows["model"][0])
    return estimate(history, fan, limit=entry.limit, direction=entry.direction, seed=seed, model=model, recent=recent)


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
