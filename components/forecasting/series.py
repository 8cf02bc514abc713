"""A series on a regular grid, ready for a model: gaps filled and marked, bounds known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from numpy.typing import NDArray

from components.core.errors import InputError
from components.core.times import floor, iso

if TYPE_CHECKING:
    from components.forecasting.seasonality import Profile

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
#: A grid longer than this is cut to its newest part: two years of hours, and a guard against a stray ancient sample.
MAX_STEPS = 17_520
#: What fails within hours is looked for in this many days on a grid of at least this step.
FINE_DAYS = 3
FINEST = timedelta(minutes=5)


@dataclass(frozen=True)
class Regressor:
    """A second column that may explain the series: its past on the same grid, its future as far as known."""

    past: FloatArray
    future: FloatArray


@dataclass(frozen=True)
class History:
    """The past of one series.

    values: one finite mean per step, oldest first. observed: which of them were measured (the others are
    interpolated). start: the first step's beginning. lower, upper: what the series can be.
    """

    values: FloatArray
    start: datetime
    step: timedelta = HOUR
    observed: BoolArray | None = None
    lower: float = -np.inf
    upper: float = np.inf
    regressors: Mapping[str, Regressor] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.values)

    @property
    def day(self) -> int:
        """Steps per day, at least 1."""
        return max(1, round(DAY / self.step))

    @property
    def end(self) -> datetime:
        """The beginning of the first step after the history: the first forecast's timestamp."""
        return self.start + len(self.values) * self.step

    @cached_property
    def profile(self) -> Profile:
        """The daily and weekly profile, fitted once however many models ask."""
        from components.forecasting.seasonality import fit_profile

        return fit_profile(self.values, self.day)

    @cached_property
    def level(self) -> FloatArray:
        """The values without the profile."""
        return self.values - self.profile.past()

    def times(self, horizon: int) -> list[datetime]:
        """The timestamps of the next `horizon` steps."""
        return [self.end + i * self.step for i in range(horizon)]

    def until(self, cutoff: int) -> History:
        """What was known after the first `cutoff` steps; the regressors' later values count as known future."""
        regressors = {
            name: Regressor(r.past[:cutoff], np.concatenate([r.past[cutoff:], r.future]))
            for name, r in self.regressors.items()
        }
        observed = None if self.observed is None else self.observed[:cutoff]
        return replace(self, values=self.values[:cutoff], observed=observed, regressors=regressors)

    def clip(self, values: FloatArray) -> FloatArray:
        return np.clip(values, self.lower, self.upper)


def build(
    frame: pl.DataFrame, *, step: timedelta = HOUR, capacity: float | None = None, where: str = "series"
) -> History:
    """A History from `timestamp, value` and regressor columns (any number, Float64, nulls where missing).

    Samples of one step are averaged, missing steps interpolated. Rows after the last value give the regressors'
    known future. Raises InputError, naming `where`, where not one value is a number.
    """
    width_us = int(step.total_seconds() * 1e6)
    grid = frame.with_columns((pl.col("timestamp").dt.epoch("us") // width_us).alias("_step"))
    means = grid.group_by("_step").agg(pl.exclude("timestamp").mean()).sort("_step")
    known = means.filter(pl.col("value").is_not_null())
    if known.is_empty():
        raise InputError(f"{where}: column 'value' holds no number; add samples")
    last = int(known["_step"][-1])
    first = max(int(known["_step"][0]), last - MAX_STEPS + 1)
    values, observed = _on_grid(known, "value", first, last)
    raw = frame["value"].drop_nulls().to_numpy()
    _check_capacity(float(raw.max()), capacity, where)
    regressors = {
        name: _regressor(means, name, first, last) for name in frame.columns if name not in ("timestamp", "value")
    }
    return History(
        values=values,
        start=floor(frame["timestamp"][0], step) + (first - int(means["_step"][0])) * step,
        step=step,
        observed=observed,
        lower=0.0 if float(raw.min()) >= 0 else -np.inf,
        upper=np.inf if capacity is None else capacity,
        regressors={name: regressor for name, regressor in regressors.items() if regressor is not None},
    )


def recent(frame: pl.DataFrame, history: History) -> History | None:
    """The last days of a series on a grid as fine as its samples, at least FINEST; None where that is no finer.

    frame: what `history` was built from.
    """
    newest = history.end - FINE_DAYS * DAY
    known = frame.filter(pl.col("value").is_not_null(), pl.col("timestamp") >= newest).select("timestamp", "value")
    gaps = known["timestamp"].unique().sort().diff().drop_nulls()
    if not len(gaps):
        return None
    spacing = timedelta(microseconds=float(gaps.dt.total_microseconds().median()))  # type: ignore[arg-type]
    step = max(FINEST, FINEST * round(spacing / FINEST))
    return build(known, step=step) if 2 * step <= history.step else None


def _check_capacity(largest: float, capacity: float | None, where: str) -> None:
    # A millionth of slack: a gauge that rounds may stand a hair above its capacity.
    if capacity is not None and largest > capacity + 1e-6 * abs(capacity):
        raise InputError(
            f"{where}: value {largest:g} is past the capacity {capacity:g}; correct `capacity` or the data"
        )


def _on_grid(known: pl.DataFrame, name: str, first: int, last: int) -> tuple[FloatArray, BoolArray]:
    rows = known.filter(pl.col("_step").is_between(first, last), pl.col(name).is_not_null())
    at = rows["_step"].to_numpy() - first
    steps = np.arange(last - first + 1)
    observed = np.zeros(len(steps), dtype=bool)
    observed[at] = True
    return np.interp(steps, at, rows[name].to_numpy()), observed


def _regressor(means: pl.DataFrame, name: str, first: int, last: int) -> Regressor | None:
    known = means.filter(pl.col(name).is_not_null(), pl.col("_step") >= first)
    if known.is_empty() or int(known["_step"][0]) > last:
        return None
    values, _ = _on_grid(known, name, first, int(known["_step"][-1]))
    length = last - first + 1
    past = values[:length]
    return Regressor(np.pad(past, (0, length - len(past)), mode="edge"), values[length:])


def describe(history: History) -> str:
    """A clause about the grid, such as "720 steps of 1:00:00 from 2026-01-01T00:00:00Z, 12 filled"."""
    filled = 0 if history.observed is None else int((~history.observed).sum())
    text = f"{len(history)} steps of {history.step} from {iso(history.start)}"
    return f"{text}, {filled} filled" if filled else text
