"""Which metrics move with a template's rate: correlation over five-minute slots, at several lags."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt
import polars as pl

from components.logs.counting import SLOT

#: What is looked at before a slot, and by how much a metric may run ahead of the lines or behind them.
HISTORY, LAG = timedelta(hours=2), timedelta(minutes=30)
#: Series that are told of a template, and how likely chance may be to make one of all that were looked at.
MOST, MAX_P_VALUE = 3, 0.001
_SLOTS, _LAGS = round(HISTORY / SLOT) + 1, round(LAG / SLOT)
_LEAST = 12
Floats = npt.NDArray[np.float64]


def moving_series(surges: pl.DataFrame, counts: pl.DataFrame, metrics: pl.DataFrame) -> pl.Series:
    """For each row of `log_changes`, the metrics of its service that move with its template's lines, as JSON.

    surges: `timestamp, service, template_id`; counts: rows of `log_counts` of the HISTORY before them too; metrics:
    `timestamp, service, metric, value` of the same time. JSON: a list, the surest first, of `metric`, `correlation`
    (Pearson's, of the logarithm of the lines) and `lag_min`, positive where the metric moved first. What comes after
    the slot is not looked at. The test is Fisher's, corrected for the metrics and lags that were tried.
    """
    wanted = counts.join(surges.select("service", "template_id").unique(), on=["service", "template_id"], how="semi")
    lines = _by_slot(wanted, "template_id", pl.col("count").sum())
    means = _by_slot(metrics, "metric", pl.col("value").mean())
    told = []
    for time, service, template in surges.select("timestamp", "service", "template_id").iter_rows():
        slot = _number(time)
        rate = np.log1p(np.nan_to_num(_until(lines[service, template], slot)))
        near = {name: _until(series, slot) for (of, name), series in means.items() if of == service}
        found = sorted(_movements(rate, near), key=lambda one: (one[0], one[1]))
        told.append([{"metric": name, "correlation": r, "lag_min": lag} for _, name, r, lag in found[:MOST]])
    return pl.Series("series", [json.dumps(one) for one in told], dtype=pl.String)


def _movements(rate: Floats, metrics: dict[str, Floats]) -> Iterator[tuple[float, str, float, int]]:
    """The p-value, name, correlation and lag in minutes of each metric that moves with the rate."""
    lags = range(-_LAGS, _LAGS + 1)
    for name, values in metrics.items():
        correlated = {lag: _correlation(rate, values, lag) for lag in lags}
        lag = min(correlated, key=lambda one: (correlated[one][1], abs(one), one))
        r, p_value = correlated[lag]
        if p_value * len(metrics) * len(lags) <= MAX_P_VALUE:
            yield p_value, name, round(r, 3), round(lag * SLOT.total_seconds() / 60)


def _by_slot(frame: pl.DataFrame, name: str, value: pl.Expr) -> dict[tuple[str, str], tuple[int, Floats]]:
    """The values of each service and name from its first slot on, with the number of that slot; NaN where none is."""
    slot = (pl.col("timestamp").dt.epoch("s") // round(SLOT.total_seconds())).alias("slot")
    rows = frame.group_by("service", name, slot).agg(value.alias("value"))
    found = {}
    for (service, of), part in rows.partition_by("service", name, as_dict=True).items():
        places = part["slot"].to_numpy()
        values = np.full(int(np.ptp(places)) + 1, np.nan)
        values[places - places.min()] = part["value"].to_numpy()
        found[str(service), str(of)] = int(places.min()), values
    return found


def _until(series: tuple[int, Floats], slot: int) -> Floats:
    """The values of the slots up to this one."""
    first, values = series
    place = np.arange(slot - _SLOTS + 1, slot + 1) - first
    inside = (place >= 0) & (place < len(values))
    return np.where(inside, values[place.clip(0, len(values) - 1)], np.nan)


def _number(time: datetime) -> int:
    return int(time.timestamp() // SLOT.total_seconds())


def _correlation(rate: Floats, values: Floats, lag: int) -> tuple[float, float]:
    """Pearson's correlation of the rate with the values `lag` slots before, and its two-sided p-value (Fisher)."""
    from scipy.special import ndtr

    x = rate[max(0, lag) : _SLOTS + min(0, lag)]
    y = values[max(0, -lag) : _SLOTS - max(0, lag)]
    known = np.isfinite(y)
    x, y = x[known], y[known]
    if len(x) < _LEAST or np.ptp(x) == 0 or np.ptp(y) == 0:
        return 0.0, 1.0
    r = float(np.clip(np.corrcoef(x, y)[0, 1], -0.999999, 0.999999))
    return r, float(2 * ndtr(-abs(np.arctanh(r)) * np.sqrt(len(x) - 3)))
