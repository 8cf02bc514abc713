"""Samples → one row per series and five minutes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta

import polars as pl

from components.core.catalog import WatchedMetric
from components.core.times import Window, merge

STEP = timedelta(minutes=5)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SERIES = ["service", "metric"]
_KEY = ["timestamp", *SERIES]


def aligned(covered: Iterable[Window]) -> list[Window]:
    """The whole five minutes within windows; windows that touch are joined first."""
    inner = []
    for window in merge(covered):
        start, end = -(-(window.start - _EPOCH) // STEP), (window.end - _EPOCH) // STEP
        if start < end:
            inner.append(Window(_EPOCH + start * STEP, _EPOCH + end * STEP))
    return inner


def worst_is(metrics: Mapping[str, WatchedMetric]) -> dict[str, int]:
    """For metrics whose worst instance speaks for the service: 1 where high values hurt, -1 where low ones do."""
    return {name: -1 if metric.bad == "below" else 1 for name, metric in metrics.items() if metric.internal}


def five_minutes(samples: pl.DataFrame, worst: Mapping[str, int]) -> pl.DataFrame:
    """Aggregate samples (timestamp, service, metric, value, and instance, attributes where known).

    Returns timestamp, service, metric, event_timestamp, mean, min, max, last, count, std; sorted by key.
    `worst` names the metrics of which the worst instance is taken, see `worst_is`; others are averaged.
    """
    finite = samples.filter(pl.col("value").is_finite())
    parts = [name for name in ("instance", "attributes") if _varies(finite, name)]
    rows = _aggregate(finite, parts)
    if parts:
        rows = _combine(rows, parts, worst)
    return rows.with_columns((pl.col("timestamp") + STEP).alias("event_timestamp")).sort(_KEY)


def _varies(frame: pl.DataFrame, name: str) -> bool:
    return name in frame.columns and frame[name].n_unique() > 1


def _aggregate(samples: pl.DataFrame, parts: list[str]) -> pl.DataFrame:
    value = pl.col("value")
    # Rows are sorted first and the order kept: sums of floats must not depend on threads or on file order.
    ordered = samples.sort([*SERIES, *parts, "timestamp", "value"], maintain_order=True)
    bucketed = ordered.with_columns(pl.col("timestamp").dt.truncate(STEP))
    return bucketed.group_by([*_KEY, *parts], maintain_order=True).agg(
        value.mean().alias("mean"),
        value.min().alias("min"),
        value.max().alias("max"),
        value.last().alias("last"),
        value.len().cast(pl.Int64).alias("count"),
        value.std().alias("std"),
    )


def _combine(rows: pl.DataFrame, parts: list[str], worst: Mapping[str, int]) -> pl.DataFrame:
    sign = pl.col("metric").replace_strict(worst, default=0, return_dtype=pl.Int8)
    rows = rows.sort([*_KEY, *parts], nulls_last=True).with_columns((sign * pl.col("mean")).alias("badness"), sign=sign)
    loudest = rows.filter(pl.col("sign") != 0).sort("badness", descending=True, maintain_order=True)
    picked = loudest.group_by(_KEY, maintain_order=True).first()
    averaged = (
        rows.filter(pl.col("sign") == 0)
        .group_by(_KEY, maintain_order=True)
        .agg(
            pl.col("mean").mean(),
            pl.col("min").min(),
            pl.col("max").max(),
            pl.col("last").mean(),
            pl.col("count").sum(),
            pl.col("std").mean(),
        )
    )
    return pl.concat([picked.select(averaged.columns), averaged])
