"""Series on common instants: the shape that every detector works on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import polars as pl

from components.core.catalog import WatchedMetric

FloatArray = npt.NDArray[np.float64]
TimeArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

SECOND_US = 1_000_000
HOUR_US = 3600 * SECOND_US
DAY_US = 24 * HOUR_US
WEEK_US = 7 * DAY_US

#: Values are held within this, so that their squares and products stay numbers.
_VAST = 1e75


@dataclass(frozen=True)
class Panel:
    """Rows by columns of values at strictly increasing instants.

    times: microseconds since the Unix epoch; values: NaN where missing; rises, falls: whether a change
    upwards or downwards of a column is worth an alarm; usual: the least level (in the column's unit) that a
    relative change is measured against, 0 where only history tells.
    """

    times: TimeArray
    values: FloatArray
    columns: tuple[str, ...]
    rises: BoolArray
    falls: BoolArray
    usual: FloatArray

    def __len__(self) -> int:
        return len(self.times)

    def rows(self, start: int, end: int) -> Panel:
        """The rows from `start` to before `end`."""
        start = max(0, start)
        return replace(self, times=self.times[start:end], values=self.values[start:end])

    def pick(self, columns: Sequence[int]) -> Panel:
        """Some of the columns, by position."""
        index = np.asarray(columns, dtype=int)
        return Panel(
            self.times,
            self.values[:, index],
            tuple(self.columns[i] for i in index),
            self.rises[index],
            self.falls[index],
            self.usual[index],
        )

    def step_us(self) -> int:
        """The usual distance of two rows: the median of the newest thousand; a minute where there is one row."""
        if len(self) < 2:
            return 60 * SECOND_US
        return max(1, int(np.median(np.diff(self.times[-1001:]))))


def panel_of(frame: pl.DataFrame, watched: Mapping[str, WatchedMetric] | None = None) -> Panel:
    """A panel from a frame with `timestamp` (UTC, unique, sorted) and numeric columns.

    `watched` maps a column to its catalogue entry; a column without one counts in both directions.
    """
    columns = tuple(name for name in frame.columns if name != "timestamp")
    values = frame.select(columns).cast(pl.Float64).fill_null(float("nan")).to_numpy()
    times = frame["timestamp"].dt.epoch("us").to_numpy().astype(np.int64)
    entries = [(watched or {}).get(name) for name in columns]
    return Panel(
        times,
        np.ascontiguousarray(np.clip(np.where(np.isfinite(values), values, np.nan), -_VAST, _VAST)),
        columns,
        np.array([entry is None or entry.bad in ("above", "both") for entry in entries], dtype=bool),
        np.array([entry is None or entry.bad in ("below", "both") for entry in entries], dtype=bool),
        np.array([_usual(entry) for entry in entries], dtype=float),
    )


def grid_of(long: pl.DataFrame, watched: Mapping[str, WatchedMetric], step_us: int) -> Panel:
    """A panel on a regular grid from rows `timestamp, series_id, value`; columns sorted, gaps NaN.

    `watched` maps a series_id to its catalogue entry. The grid runs from the first row to the last.
    """
    wide = long.pivot(on="series_id", index="timestamp", values="value", aggregate_function="last").sort("timestamp")
    names = sorted(name for name in wide.columns if name != "timestamp")
    epoch = wide["timestamp"].dt.epoch("us")
    wide = wide.with_columns(timestamp=(epoch - epoch % step_us).cast(pl.Datetime("us")).dt.replace_time_zone("UTC"))
    wide = wide.unique("timestamp", keep="last", maintain_order=True).sort("timestamp")
    grid = pl.DataFrame({"timestamp": np.arange(*_bounds(wide, step_us), step_us)}).with_columns(
        pl.col("timestamp").cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    )
    return panel_of(grid.join(wide.select("timestamp", *names), on="timestamp", how="left"), watched)


def _bounds(wide: pl.DataFrame, step_us: int) -> tuple[int, int]:
    epoch = wide["timestamp"].dt.epoch("us")
    return int(epoch[0]), int(epoch[-1]) + step_us


def _usual(entry: WatchedMetric | None) -> float:
    # A tenth of what the metric can be, or a twentieth of its limit: below that a relative change says nothing.
    if entry is None:
        return 0.0
    return max(0.1 * (entry.capacity or 0.0), 0.05 * (entry.limit or 0.0) if entry.direction == "above" else 0.0)
