"""Quantiles from backtest residuals, per step ahead (split conformal), and their growth where residuals end."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from components.core.schema import QUANTILES
from components.forecasting.series import FloatArray, History

LEVELS = np.array(QUANTILES)
#: Normal deviates of QUANTILES.
DEVIATES = np.array([-1.959964, -1.281552, -0.674490, 0.0, 0.674490, 1.281552, 1.959964])
#: Residuals of this many hours before and after a step ahead are pooled with its own.
POOL_HOURS = 12
#: Forecasts a day apart share what happens to them: so many days ahead, two origins tell as much as one alone.
SHARED_DAYS = 3
#: One sample says nothing about spread: a tenth of the value is assumed.
UNKNOWN_SPREAD = 0.1


def offsets_from_residuals(residuals: FloatArray, day: int) -> FloatArray:
    """Quantile minus point forecast, (7, horizon), from residuals (origins, horizon) with NaN where unknown.

    Residuals of neighbouring steps are pooled. With few origins, or many that overlap, the tails are widened as
    Student's t is against the normal. Past the last step that any residual reaches, the spread grows with the root of
    the time.
    """
    horizon = residuals.shape[1]
    pool = max(1, round(POOL_HOURS * day / 24))
    known = np.isfinite(residuals).any(axis=0)
    reach = int(np.nonzero(known)[0][-1]) + 1
    offsets = np.zeros((len(LEVELS), horizon))
    padded = np.pad(residuals, ((0, 0), (pool, pool)), constant_values=np.nan)
    near = sliding_window_view(padded, 2 * pool + 1, axis=1)
    origins = np.isfinite(near).any(axis=2).sum(axis=0)
    values = near.transpose(1, 0, 2).reshape(horizon, -1)[:reach]
    # A third of mirrored residuals: overlapping origins share one fate, which need not be the next one.
    found = _row_quantiles(np.concatenate([values, values, -values], axis=1))
    for step in range(reach):
        if origins[step]:
            offsets[:, step] = found[:, step] * _student_ratio(origins[step] / (1.0 + step / (SHARED_DAYS * day)))
        elif step:
            offsets[:, step] = offsets[:, step - 1]
    # The point forecast stays the median: a median of few residuals is noise.
    offsets[3] = 0.0
    offsets[:3] = np.minimum(offsets[:3], 0.0)
    offsets[4:] = np.maximum(offsets[4:], 0.0)
    growth = np.sqrt(np.arange(reach + 1, horizon + 1) / reach)
    offsets[:, reach:] = offsets[:, reach - 1 : reach] * growth
    return offsets


def offsets_without_backtest(history: History, horizon: int) -> FloatArray:
    """Quantile minus point forecast, (7, horizon), for a history too short to backtest: a random walk's spread."""
    values = history.values
    if len(values) == 1:
        spread = np.full(horizon, UNKNOWN_SPREAD * abs(float(values[0])))
    else:
        walk = float(np.sqrt(np.mean(np.diff(values) ** 2))) * np.sqrt(np.arange(1, horizon + 1))
        spread = np.minimum(walk, max(float(np.ptp(values)), float(walk[0])))
    # Few steps: their spread is itself uncertain.
    offsets: FloatArray = DEVIATES[:, None] * spread[None, :] * _student_ratio(len(values))[:, None]
    return offsets


def quantiles(history: History, points: FloatArray, offsets: FloatArray) -> FloatArray:
    """(7, horizon) quantiles inside what the series can be, never crossing."""
    ordered: FloatArray = np.sort(history.clip(points[None, :] + offsets), axis=0)
    return ordered


def _row_quantiles(rows: FloatArray) -> FloatArray:
    """LEVELS of each row's numbers, (7, rows), as np.quantile gives them; rows of NaN alone give NaN."""
    ordered = np.sort(rows, axis=1)
    last = np.maximum(np.isfinite(rows).sum(axis=1) - 1, 0)
    at = LEVELS[:, None] * last[None, :]
    low = np.floor(at).astype(int)
    high = np.minimum(low + 1, last[None, :])
    each = np.arange(len(rows))[None, :]
    below, above = ordered[each, low], ordered[each, high]
    quantiles: FloatArray = below + (above - below) * (at - low)
    return quantiles


def _student_ratio(samples: float) -> FloatArray:
    # First terms of the Cornish-Fisher expansion of Student's t in the normal deviate.
    degrees = max(samples - 1.0, 1.0)
    ratio: FloatArray = 1.0 + (DEVIATES**2 + 1.0) / (4.0 * degrees)
    return ratio
