"""Medians, spreads and trailing windows over the rows of an array, missing values left out."""

from __future__ import annotations

import numpy as np
import polars as pl

from components.anomaly.panel import FloatArray

#: Of a normal distribution: standard deviation over median absolute deviation, and over interquartile range.
MAD_TO_SIGMA = 1.4826
IQR_TO_SIGMA = 1 / 1.349


def median(values: FloatArray, axis: int = 0) -> FloatArray:
    """The median along an axis; NaN where nothing is known. Sorting beats numpy's nanmedian by ten here."""
    return quantile(values, 0.5, axis)


def quantile(values: FloatArray, level: float, axis: int = 0) -> FloatArray:
    """A quantile along an axis, linearly interpolated, NaN left out; NaN where nothing is known."""
    ordered = np.sort(np.moveaxis(values, axis, 0), axis=0)
    if not len(ordered):
        return np.full(ordered.shape[1:], np.nan)
    known = np.maximum(np.isfinite(ordered).sum(axis=0) - 1, 0)
    place = level * known
    low = np.floor(place).astype(int)
    high = np.minimum(low + 1, known)
    at_low = np.take_along_axis(ordered, low[None], axis=0)[0]
    at_high = np.take_along_axis(ordered, high[None], axis=0)[0]
    result: FloatArray = at_low + (at_high - at_low) * (place - low)
    return result


def trailing_quantiles(values: FloatArray, rows: int, levels: tuple[float, ...]) -> list[FloatArray]:
    """Quantiles of the `rows` rows before each row, that row left out; NaN below a sixteenth of them.

    They depend on those rows alone, whatever came earlier.
    """
    frame = pl.DataFrame(values, schema=[str(i) for i in range(values.shape[1])], nan_to_null=True)
    least = max(3, rows // 16)
    found = []
    for level in levels:
        rolled = frame.select(
            pl.all().rolling_quantile(level, interpolation="linear", window_size=rows, min_samples=least)
        )
        # Shifted afterwards: without a null in front polars takes a path that is four times as fast.
        found.append(np.ascontiguousarray(rolled.shift(1).fill_null(float("nan")).to_numpy()))
    return found
