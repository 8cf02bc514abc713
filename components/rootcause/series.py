"""Series out of long tables: sorted, each instant once, counters as their increase per second."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt
import polars as pl

from components.rootcause.periods import Floats

#: Fewer samples do not show that a series only ever rises.
_MIN_COUNTED = 20
#: Larger values stand for none (the largest double often does), and their squares would overflow.
MAX_VALUE = 1e100


@dataclass(frozen=True)
class Series:
    """One series: seconds since the epoch, sorted and unique, and finite values."""

    service: str
    metric: str
    times: Floats
    values: Floats
    source: str = "metrics"

    @cached_property
    def step_s(self) -> float:
        return at_share(np.sort(np.diff(self.times)), 0.5) if len(self.times) > 1 else 60.0


def series_of(metrics: pl.DataFrame, source: str = "metrics") -> list[Series]:
    """The series of a long table (timestamp, service, metric, value): duplicates averaged, unusable values left out."""
    usable = pl.col("value").is_between(-MAX_VALUE, MAX_VALUE)
    clean = metrics.drop_nulls(["timestamp", "service", "metric", "value"]).filter(usable)
    if clean.is_empty():
        return []
    seconds = pl.col("timestamp").dt.epoch("us") / 1e6
    grouped = clean.group_by("service", "metric", maintain_order=True).agg(seconds, pl.col("value"), pl.len())
    # Rows of one series lie together: cutting two arrays is ten times as fast as sorting texts row by row.
    ends = np.cumsum(grouped["len"].to_numpy())[:-1]
    times, values = (np.split(grouped[name].explode().to_numpy(), ends) for name in ("timestamp", "value"))
    names = zip(grouped["service"].to_list(), grouped["metric"].to_list(), strict=True)
    found = [Series(*name, *_ordered(t, v), source) for name, t, v in zip(names, times, values, strict=True)]
    return sorted(found, key=lambda series: (series.service, series.metric))


def _ordered(times: Floats, values: Floats) -> tuple[Floats, Floats]:
    """Sorted by time; values of one instant averaged."""
    steps = np.diff(times)
    if (steps > 0).all():
        return times, values
    if (steps < 0).any():
        order = np.argsort(times, kind="stable")
        times, values = times[order], values[order]
    first = np.flatnonzero(np.concatenate([[True], np.diff(times) > 0]))
    counts = np.diff(np.append(first, len(times)))
    return times[first], np.add.reduceat(values, first) / counts


def at_share(ordered: Floats, share: float) -> float:
    """The linearly interpolated quantile of sorted values; numpy's own costs ten times as much on short arrays."""
    return float(at_shares(ordered[None, :], share)[0])


def at_shares(ordered: Floats, share: float) -> Floats:
    """The same of every row."""
    place = share * (ordered.shape[1] - 1)
    below = int(place)
    above = min(below + 1, ordered.shape[1] - 1)
    return np.asarray(ordered[:, below] + (place - below) * (ordered[:, above] - ordered[:, below]), dtype=np.float64)


def as_rates(found: Sequence[Series]) -> list[tuple[Series, bool]]:
    """Series sampled at the same instants; counters (only ever rising, with restarts) as increase per second."""
    times = found[0].times
    if len(times) < _MIN_COUNTED:
        return [(series, False) for series in found]
    values = np.stack([series.values for series in found])
    before, after = values[:, :-1], values[:, 1:]
    restarts = (after < before) & (after < 0.1 * before)
    # Nearly every series falls now and then: the rest is worked out for those that may be counters.
    falls = np.any((after < before) & ~restarts, axis=1)
    rows = zip(found, falls.tolist(), list(restarts), strict=True)
    return [(series, False) if fell else _as_rate(series, restarted) for series, fell, restarted in rows]


def _as_rate(series: Series, restarts: npt.NDArray[np.bool_]) -> tuple[Series, bool]:
    steps = np.diff(series.values)
    rising = steps[steps >= 0]
    rises = float(np.mean(steps > 0))
    # A level that merely drifts up does not grow by many times its usual step without ever falling.
    grown = float(np.sum(rising)) > 10 * float(np.ptp(rising)) if len(rising) else False
    if rises < 0.5 or not grown:
        return series, False
    increase = np.where(restarts, series.values[1:], steps) / np.maximum(np.diff(series.times), 1e-6)
    return replace(series, times=series.times[1:], values=increase), True
