"""What is measured of one incoming partition: counts of what is wrong, and the words for it."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import polars as pl

from components.core import storage
from components.core.catalog import WatchedMetric
from components.core.errors import SchemaError, StorageError
from components.core.lake import SIDECAR, Partition
from components.core.schema import TABLES, TableSchema
from components.core.times import iso

#: Columns in which a null makes a row worthless; the schema's other columns may hold nulls.
NEEDED = {
    "metrics": ("timestamp", "service", "metric"),
    "spans": ("trace_id", "span_id", "service", "start_time", "duration_us"),
    "logs": ("timestamp", "body"),
    "changes": ("timestamp", "service", "what"),
}
COMMON = (
    "rows", "unreadable", "missing_columns", "wrong_types", "extra_columns", "cast_columns", "null_required",
    "outside_window", "ahead_s", "duplicated_rows",
)  # fmt: skip
OWN = {
    "metrics": (
        "infinite", "null_values", "impossible_low", "impossible_high", "absent_series", "flat_series",
    ),
    "spans": ("negative_durations",),
    "logs": (),
    "changes": (),
}  # fmt: skip
#: Rates over scrapes that are not evenly spaced overshoot by a few percent; only beyond is impossible.
TOLERANCE = 0.05


@dataclass
class Facts:
    """Counts by fact name, and for those that are not zero a sentence that names the culprit."""

    partition: Partition
    counts: dict[str, float]
    words: dict[str, str] = field(default_factory=dict)

    def note(self, fact: str, count: float, words: str) -> None:
        if count:
            self.counts[fact], self.words[fact] = count, words

    @property
    def sound(self) -> bool:
        """Whether the partition has the columns that its rows can be measured by."""
        return not any(self.counts[fact] for fact in ("unreadable", "missing_columns", "wrong_types"))


def measure(
    partition: Partition, as_of: datetime, catalog: Mapping[str, WatchedMetric]
) -> tuple[Facts, pl.DataFrame | None]:
    """The facts of a partition, and its rows in the schema's columns and types where they can be had."""
    facts = Facts(partition, dict.fromkeys((*COMMON, *OWN[partition.table]), 0))
    schema = TABLES[partition.table]
    raw = _read(partition, facts)
    rows = _conformed(raw, schema, facts) if raw is not None else None
    if rows is None or rows.is_empty():
        return facts, rows
    facts.counts["rows"] = len(rows)
    _measure_rows(rows, schema, as_of, facts)
    if partition.table == "metrics":
        _measure_values(rows, catalog, facts)
    if partition.table == "spans":
        negative = rows.filter(pl.col("duration_us") < 0)
        facts.note("negative_durations", len(negative), _example(negative, "a span lasts {duration_us} us", facts))
    return facts, rows


def _read(partition: Partition, facts: Facts) -> pl.DataFrame | None:
    try:
        expected = _sidecar(partition).get("sha256")
        data = storage.read_bytes(partition.uri)
        if expected and hashlib.sha256(data).hexdigest() != expected:
            facts.note("unreadable", 1, "the file differs from what its sidecar says; write it again")
            return None
        return pl.read_parquet(io.BytesIO(data), hive_partitioning=False)
    except (StorageError, ValueError, OSError, pl.exceptions.PolarsError) as error:
        facts.note("unreadable", 1, f"cannot be read: {_first_line(error)}")
        return None


def _sidecar(partition: Partition) -> dict[str, object]:
    content = json.loads(storage.read_bytes(partition.uri + SIDECAR))
    if not isinstance(content, dict):
        raise ValueError("its sidecar is no JSON object")
    lacking = [key for key in ("table", "producer", "params") if key not in content]
    if lacking:
        raise ValueError(f"its sidecar lacks {lacking[0]!r}")
    return content


def _conformed(raw: pl.DataFrame, schema: TableSchema, facts: Facts) -> pl.DataFrame | None:
    missing = [name for name in schema.required if name not in raw.columns]
    facts.note("missing_columns", len(missing), f"column {_names(missing)} is missing")
    extra = [name for name in raw.columns if name not in schema.columns]
    facts.note("extra_columns", len(extra), f"column {_names(extra)} is not known and was dropped")
    if missing:
        return None
    other = [name for name, dtype in schema.columns.items() if name in raw.columns and raw.schema[name] != dtype]
    try:
        rows = schema.conform(raw, "partition")
    except SchemaError as error:
        facts.note("wrong_types", len(other), str(error).removeprefix("partition: "))
        return None
    facts.note("cast_columns", len(other), f"column {_names(other)} had another type and was cast")
    return rows


def _measure_rows(rows: pl.DataFrame, schema: TableSchema, as_of: datetime, facts: Facts) -> None:
    needed, time = NEEDED[schema.name], pl.col(schema.time)
    nulls = {name: rows[name].null_count() for name in needed if rows[name].null_count()}
    facts.note("null_required", sum(nulls.values()), f"column {_names(list(nulls))} has empty cells")
    if window := facts.partition.window:
        strays = rows.filter((time < window.start) | (time >= window.end))
        facts.note("outside_window", len(strays), f"a row at {_first_time(strays, schema)} lies outside its window")
    newest = rows[schema.time].max()
    if isinstance(newest, datetime) and newest > as_of:
        ahead_s = (newest - as_of).total_seconds()
        facts.note("ahead_s", ahead_s, f"a row at {iso(newest)} lies {ahead_s:.0f} s after {iso(as_of)}")
    repeated = _repeated(rows, schema)
    facts.note("duplicated_rows", repeated, f"{repeated} rows repeat {_names(list(schema.key or rows.columns))}")


def _repeated(rows: pl.DataFrame, schema: TableSchema) -> int:
    # Samples that differ in attributes (a device, a mount point) are not the same sample.
    key = [*schema.key, "attributes"] if schema.name == "metrics" else list(schema.key)
    present = [name for name in key if name in rows.columns and rows[name].null_count() < len(rows)]
    return len(rows) - rows.n_unique(subset=present or None)


def _measure_values(rows: pl.DataFrame, catalog: Mapping[str, WatchedMetric], facts: Facts) -> None:
    value = pl.col("value")
    infinite = rows.filter(value.is_infinite())
    facts.note("infinite", len(infinite), _example(infinite, "{metric} of {service} is infinite", facts))
    unknown = rows.filter(value.is_null() | value.is_nan())
    facts.note("null_values", len(unknown), _example(unknown, "{metric} of {service} has no value", facts))
    metric = pl.col("metric")
    lowest = dict.fromkeys(catalog, 0.0)
    highest = {name: entry.capacity for name, entry in catalog.items() if entry.capacity is not None}
    slack = metric.replace_strict(highest, default=0.0, return_dtype=pl.Float64) * TOLERANCE
    floor = metric.replace_strict(lowest, default=None, return_dtype=pl.Float64) - slack
    ceiling = metric.replace_strict(highest, default=None, return_dtype=pl.Float64) + slack
    numbers = rows.filter(value.is_finite())
    low, high = numbers.filter(value < floor), numbers.filter(value > ceiling)
    facts.note("impossible_low", len(low), _example(low, "{metric} of {service} is {value}, below zero", facts))
    facts.note(
        "impossible_high", len(high), _example(high, "{metric} of {service} is {value}, above its capacity", facts)
    )


def _example(found: pl.DataFrame, words: str, facts: Facts) -> str:
    if found.is_empty():
        return ""
    time = TABLES[facts.partition.table].time
    row = found.sort(found.columns).row(0, named=True)
    at = row[time]
    return words.format(**row) + (f" at {iso(at)}" if at else "") + f" ({len(found)} rows)"


def _first_time(rows: pl.DataFrame, schema: TableSchema) -> str:
    first = rows[schema.time].min()
    return iso(first) if isinstance(first, datetime) else "none"


def _names(columns: list[str]) -> str:
    return ", ".join(repr(name) for name in columns)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def newest_end(partitions: list[Partition], published: datetime | None) -> datetime | None:
    """The end of the newest window among incoming partitions and what is published."""
    ends = [partition.window.end for partition in partitions if partition.window]
    return max([*ends, *([published] if published else [])], default=None)
