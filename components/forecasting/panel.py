"""Many series at once: hourly means of the lake's features as histories, the watched ones first."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import polars as pl

from components.core.catalog import WatchedMetric
from components.core.series import series_id
from components.forecasting import series
from components.forecasting.series import History

#: Columns of a panel: `series_id` as core.series makes it, `timestamp` the start of the hour.
COLUMNS = ("series_id", "timestamp", "value")


def hourly(features: pl.LazyFrame, as_of: datetime, every: str = "1h") -> pl.DataFrame:
    """Means by the hour (or `every`) known at `as_of`: series_id, service, metric, timestamp, value; sorted."""
    weight = pl.col("count").clip(lower_bound=1)
    known = features.filter(pl.col("event_timestamp") <= as_of, pl.col("mean").is_finite())
    # Sorted and collected first: a lazy aggregation adds floats in an order of its own, and the last bits would differ
    # from run to run, and with them the model's bytes.
    rows = known.sort("service", "metric", "timestamp").collect()
    return (
        rows.group_by("service", "metric", pl.col("timestamp").dt.truncate(every), maintain_order=True)
        .agg(((pl.col("mean") * weight).sum() / weight.sum()).alias("value"))
        .with_columns(series_id())
        .select("series_id", "service", "metric", "timestamp", "value")
        .sort("series_id", "timestamp")
    )


def choose(panel: pl.DataFrame, catalog: Mapping[str, WatchedMetric], most: int) -> list[str]:
    """Up to `most` series, in the order: with a limit, in the catalogue, the rest; by name within each."""

    def rank(metric: str) -> int:
        entry = catalog.get(metric)
        return 2 if entry is None else int(entry.limit is None)

    pairs = panel.select("series_id", "metric").unique().rows()
    return [name for name, _ in sorted(pairs, key=lambda pair: (rank(pair[1]), pair[0]))[:most]]


def histories(panel: pl.DataFrame, capacities: Mapping[str, float]) -> dict[str, History]:
    """A History per series of a panel (COLUMNS, sorted by time), in the order of their names.

    A capacity that the series has exceeded is wrong for it and is left out.
    """
    found = {}
    for (name,), rows in sorted(panel.partition_by("series_id", as_dict=True).items()):
        capacity = capacities.get(str(name))
        if capacity is not None and float(rows["value"].max()) > capacity:  # type: ignore[arg-type]
            capacity = None
        found[str(name)] = series.build(rows.select("timestamp", "value"), capacity=capacity, where=str(name))
    return found
