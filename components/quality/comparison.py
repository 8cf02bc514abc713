"""Which hours are compared for drift, and how far apart two halves of one window are by chance."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import polars as pl

from components.core.times import DAY, Window, floor

HOUR = timedelta(hours=1)
#: A series needs half of the window's hours in both windows to be compared.
MIN_SHARE = 0.5


@dataclass(frozen=True)
class Windows:
    """Two windows of equal length, the current one right after the reference."""

    reference: Window
    current: Window


def choose_windows(start: datetime, as_of: datetime, days: int) -> Windows | None:
    """`days` up to as_of and the same number before: the same hours of the week where `days` is 7.

    Whole days, fewer where the history since `start` is short; None where it holds less than two days.
    """
    end = floor(as_of, HOUR)
    length = min(days, (end - start) // (2 * DAY)) * DAY
    if not length:
        return None
    return Windows(Window(end - 2 * length, end - length), Window(end - length, end))


def hourly(features: pl.LazyFrame, window: Window) -> pl.DataFrame:
    """Hourly means: column `hour` (hours since the window's start), then one column per series, by name."""
    since = (pl.col("timestamp") - window.start).dt.total_hours().cast(pl.Int32)
    long = (
        features.filter(pl.col("timestamp") >= window.start, pl.col("timestamp") < window.end)
        .with_columns(since.alias("hour"), pl.concat_str("service", "metric", separator="/").alias("series"))
        .sort("series", "timestamp")
        .group_by("hour", "series", maintain_order=True)
        .agg(pl.col("mean").mean())
        .collect()
    )
    wide = long.sort("series", "hour").pivot("series", index="hour", values="mean").sort("hour")
    return wide.select("hour", *sorted(set(wide.columns) - {"hour"}))


def paired(reference: pl.DataFrame, current: pl.DataFrame, hours: int) -> dict[str, tuple[pl.Series, pl.Series]]:
    """For each series, its values at the hours known in both windows, in units of the reference's spread.

    Left out: series known in both windows for less than MIN_SHARE of `hours`.
    """
    both = reference.join(current, on="hour", suffix="\0current")
    pairs = {}
    for name in sorted(set(reference.columns) & set(current.columns) - {"hour"}):
        known = both.select(ref=name, cur=f"{name}\0current").drop_nulls()
        if len(known) < MIN_SHARE * hours:
            continue
        centre, spread = float(known["ref"].mean() or 0.0), _spread(known["ref"])  # type: ignore[arg-type]
        pairs[name] = ((known["ref"] - centre) / spread, (known["cur"] - centre) / spread)
    return pairs


def chance_distance(values: pl.Series) -> float:
    """Wasserstein distance between two halves of one window, alternating by day (by hour within one day).

    What two samples of the same distribution differ by: a smaller distance between windows says nothing.
    """
    from scipy.stats import wasserstein_distance

    numbers = values.to_numpy()
    position = np.arange(len(numbers))
    odd = (position // 24 if len(numbers) > 36 else position) % 2 == 1
    return float(wasserstein_distance(numbers[odd], numbers[~odd])) if 0 < odd.sum() < len(odd) else 0.0


def _spread(values: pl.Series) -> float:
    """Standard deviation; a constant series counts one percent of its level as its spread."""
    spread = float(values.std() or 0.0)  # type: ignore[arg-type]
    level = abs(float(values.mean() or 0.0))  # type: ignore[arg-type]
    return spread if spread > 1e-9 * level and spread > 0 else 0.01 * level or 1.0
