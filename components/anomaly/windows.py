"""What the detectors over recent rows share: filled values, sub-sequences, least scales, directions."""

from __future__ import annotations

import numpy as np
import polars as pl

from components.anomaly import robust
from components.anomaly.detector import MOST_ROWS
from components.anomaly.panel import HOUR_US, BoolArray, FloatArray, Panel

#: A deviation of the minimum effect is this many scales at least.
_EFFECT_SCALES = 4.0


def newest(history: Panel) -> Panel:
    """The newest rows, as many as a detector learns from."""
    return history.rows(len(history) - MOST_ROWS, len(history))


def filled(values: FloatArray) -> FloatArray:
    """Rows by columns without gaps: the last known value, before the first known one that; 0 for an empty column."""
    frame = pl.DataFrame(values, schema=[str(i) for i in range(values.shape[1])], nan_to_null=True)
    whole = frame.select(pl.all().fill_null(strategy="forward").fill_null(strategy="backward").fill_null(0.0))
    return np.ascontiguousarray(whole.to_numpy(), dtype=float)


def sub_sequences(values: FloatArray, rows: int) -> FloatArray:
    """The `rows` values that end at each row, oldest first: columns by rows by `rows`. The start is padded."""
    padded = np.vstack([np.repeat(values[:1], rows - 1, axis=0), values])
    windows: FloatArray = np.lib.stride_tricks.sliding_window_view(padded, rows, axis=0).transpose(1, 0, 2)
    return windows


def whole(values: FloatArray, rows: int) -> BoolArray:
    """Whether all of the `rows` values that end at each row are known, rows by columns; what is before them is."""
    missing = np.cumsum(~np.isfinite(values), axis=0)
    before = np.vstack([np.zeros((rows, values.shape[1]), dtype=missing.dtype), missing])[: len(values)]
    result: BoolArray = missing == before
    return result


def least_spread(history: Panel, minimum_effect: float) -> FloatArray:
    """The least scale per column: a deviation of the minimum effect on the usual level is no more than a few."""
    magnitude = np.nan_to_num(robust.median(np.abs(history.values)))
    reach = robust.quantile(history.values, 0.95) - robust.quantile(history.values, 0.05)
    level = np.maximum.reduce([magnitude, np.nan_to_num(reach) / 2, history.usual])
    least: FloatArray = np.maximum(minimum_effect * level / _EFFECT_SCALES, 1e-9)
    return least


def directed(strange: FloatArray, above: FloatArray, panel: Panel) -> FloatArray:
    """`strange` where the change (a rise: `above` > 0) counts for the column, else 0; NaN where no value is."""
    counts = np.where(above > 0, panel.rises, panel.falls) | (panel.rises & panel.falls)
    result: FloatArray = np.where(np.isfinite(panel.values), np.where(counts, strange, 0.0), np.nan)
    return result


def rows_of_hours(hours: float, step_us: int, least: int, most: int) -> int:
    """How many rows `hours` are, within bounds."""
    return int(np.clip(hours * HOUR_US / max(step_us, 1), least, most))
