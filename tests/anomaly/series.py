"""Made-up series for the anomaly tests: seasonal, noisy, and nothing wrong with them unless a test says so."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from components.anomaly.panel import DAY_US, HOUR_US, Panel
from components.core.lake import Lake
from components.core.times import Window

#: A Monday.
START = datetime(2026, 1, 5, tzinfo=UTC)
START_US = int(START.timestamp()) * 1_000_000
STEP_US = 300_000_000


def seasonal_panel(days: int, columns: int = 1, seed: int = 0, noise: float = 0.04) -> Panel:
    """Daily and weekly seasons with first-order autoregressive noise, five-minute rows."""
    random = np.random.default_rng(seed)
    times = START_US + np.arange(days * 288, dtype=np.int64) * STEP_US
    hours, weekend = times / HOUR_US % 24, (times // DAY_US + 3) % 7 >= 5
    level, swing, phase = (
        random.uniform(20, 80, columns),
        random.uniform(0.1, 0.4, columns),
        random.uniform(0, 24, columns),
    )
    shape = 1 + swing * np.sin(2 * np.pi * (hours[:, None] - phase) / 24) * np.where(weekend, 0.7, 1.0)[:, None]
    shocks = random.standard_normal((len(times), columns))
    disturbance = np.zeros_like(shocks)
    for row in range(1, len(times)):
        disturbance[row] = 0.5 * disturbance[row - 1] + shocks[row]
    names = tuple(f"service-{i // 3}/metric_{i % 3}" for i in range(columns))
    every = np.ones(columns, dtype=bool)
    return Panel(times, level * shape * (1 + noise * disturbance), names, every, every.copy(), np.zeros(columns))


def with_values(panel: Panel, values: np.ndarray) -> Panel:
    return Panel(panel.times, values, panel.columns, panel.rises, panel.falls, panel.usual)


def write_csv(path: Path, panel: Panel, names: tuple[str, ...] = ("value",)) -> Path:
    """The panel as a file for `traceo detect`."""
    frame = pl.DataFrame(
        {"timestamp": pl.Series(panel.times).cast(pl.Datetime("us")).dt.to_string("%Y-%m-%d %H:%M:%S")}
    )
    columns = [pl.Series(name, panel.values[:, i]) for i, name in enumerate(names)]
    frame.with_columns(columns).write_csv(path)
    return path


def features(panel: Panel) -> pl.DataFrame:
    """The panel as rows of the lake's table `features`."""
    wide = pl.DataFrame(panel.values, schema=list(panel.columns)).with_columns(
        timestamp=pl.Series(panel.times).cast(pl.Datetime("us", "UTC"))
    )
    long = wide.unpivot(index="timestamp", variable_name="series_id", value_name="mean")
    parts = pl.col("series_id").str.split("/")
    same = [pl.col("mean").alias(name) for name in ("min", "max", "last")]
    return long.with_columns(
        *same,
        service=parts.list.get(0),
        metric=parts.list.get(1),
        event_timestamp=pl.col("timestamp") + timedelta(minutes=5),
        count=pl.lit(10),
    ).drop("series_id")


def lake_of(path: Path, panel: Panel) -> Lake:
    """A lake whose features are the panel, one window a day."""
    lake = Lake(str(path))
    rows = features(panel)
    end = START + timedelta(microseconds=int(panel.times[-1]) + STEP_US - START_US)
    for window in Window(START, end).split_by_day():
        part = rows.filter(pl.col("timestamp") >= window.start, pl.col("timestamp") < window.end)
        lake.write_window("features", part, window, producer="test", params={})
    return lake
