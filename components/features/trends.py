"""Slope and ratios of a row against the same series' past."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import numpy.typing as npt
import polars as pl

from components.features.aggregates import SERIES, STEP

Grid = npt.NDArray[np.float64]

HOUR = timedelta(hours=1) // STEP
DAY = timedelta(days=1) // STEP
#: How far back `add_trends` looks: the hour around the same time of the day before.
LOOKBACK = (DAY + HOUR // 2) * STEP
#: An hour counts from half of its five-minute means on; below that a ratio or slope is null.
MIN_POINTS = HOUR // 2


def add_trends(rows: pl.DataFrame, history: pl.DataFrame) -> pl.DataFrame:
    """Add slope_per_h, ratio_1h and ratio_24h to feature rows, in their order.

    `history` has the rows of the LOOKBACK before (timestamp, service, metric, mean). Null where fewer than
    MIN_POINTS means are known, and ratios where the past is zero. Each value is computed from its own
    past alone, so that a day built at once and in pieces gives the same numbers.
    """
    if rows.is_empty():
        empty = [pl.lit(None, pl.Float64).alias(name) for name in ("slope_per_h", "ratio_1h", "ratio_24h")]
        return rows.with_columns(empty)
    means, at = _grid(rows, history)
    past_hour = _average(means, range(1, HOUR + 1))
    day_before = _average(means, range(DAY - HOUR // 2, DAY + HOUR // 2 + 1))
    with np.errstate(divide="ignore", invalid="ignore"):
        columns = {"slope_per_h": _slope(means), "ratio_1h": means / past_hour, "ratio_24h": means / day_before}
    finite = {name: np.where(np.isfinite(grid), grid, np.nan)[at] for name, grid in columns.items()}
    return rows.with_columns(pl.Series(name, values, nan_to_null=True) for name, values in finite.items())


def _grid(rows: pl.DataFrame, history: pl.DataFrame) -> tuple[Grid, tuple[npt.NDArray[np.int64], ...]]:
    """Means on a dense grid (five minutes × series), and where on it `rows` lie."""
    keys = ["timestamp", *SERIES, "mean"]
    stacked = pl.concat([history.select(keys), rows.select(keys)]).with_columns(
        series=pl.struct(SERIES).rank("dense").cast(pl.Int64) - 1,
        slot=(pl.col("timestamp").dt.epoch("us") // (STEP // timedelta(microseconds=1))).cast(pl.Int64),
    )
    slots = (stacked["slot"] - stacked["slot"].min()).to_numpy()
    series = stacked["series"].to_numpy()
    means = np.full((slots.max() + 1, series.max() + 1), np.nan)
    means[slots, series] = stacked["mean"].to_numpy()
    return means, (slots[len(history) :], series[len(history) :])


def _shifted(means: Grid, lag: int) -> Grid:
    out = np.full_like(means, np.nan)
    if lag < len(means):
        out[lag:] = means[: len(means) - lag]
    return out


def _average(means: Grid, lags: range) -> Grid:
    """Mean over the given lags; NaN where fewer than MIN_POINTS are known."""
    total, known = np.zeros_like(means), np.zeros_like(means)
    for lag in lags:
        past = _shifted(means, lag)
        total += np.nan_to_num(past)
        known += ~np.isnan(past)
    return np.where(known >= MIN_POINTS, total / np.maximum(known, 1), np.nan)


def _slope(means: Grid) -> Grid:
    """Least-squares slope of the last HOUR means, this one included, per hour."""
    n, sx, sy, sxx, sxy = (np.zeros_like(means) for _ in range(5))
    for lag in range(HOUR):
        # Against the newest mean, so that a large level does not cost digits.
        y, x = _shifted(means, lag) - means, -lag / HOUR
        known = ~np.isnan(y)
        y = np.where(known, y, 0.0)
        n, sx, sy = n + known, sx + x * known, sy + y
        sxx, sxy = sxx + x * x * known, sxy + x * y
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = (n * sxy - sx * sy) / (n * sxx - sx * sx)
    return np.where(n >= MIN_POINTS, slope, np.nan)
