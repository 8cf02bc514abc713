"""One file of telemetry as rows that lie in memory as small as they can.

A table of metrics is *long* (one row per sample: `timestamp, service, metric, value`) or *wide* (one column
per metric); a wide one stays wide until a window of it is asked for.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from components.core.errors import InputError
from components.core.schema import TABLES
from components.core.times import parse_times
from components.telemetry.reading import MISSING, Layout, read_columns

#: Columns beside the time that are no metric in a wide table. A label is the truth of a benchmark, not telemetry.
_ATTRIBUTES = ("service", "instance")
_IGNORED = ("label",)


@dataclass(frozen=True)
class Content:
    """The rows of one file: `table` names the lake's table, `wide` says that metrics stand in columns.

    frame: of a wide table the time (where it has one) and Float64 columns; else the columns of the schema.
    """

    table: str
    frame: pl.DataFrame
    wide: bool = False
    notes: list[str] = field(default_factory=list)

    @property
    def timed(self) -> bool:
        return not self.wide or "timestamp" in self.frame.columns


def read_content(path: Path, layout: Layout) -> Content:
    """Read one file; InputError names the file and what is wrong where nothing of it can be used."""
    notes: list[str] = []
    raw = read_columns(path, layout, notes)
    if raw.is_empty():
        raise InputError(f"{path}: no rows below the header; add samples or remove the file")
    table = _table_of(path)
    try:
        if table != "metrics":
            return Content(table, _schema_rows(raw, table, path, notes), notes=notes)
        if {"metric", "value"} <= set(raw.columns):
            return Content(table, _long_rows(raw, path, notes), notes=notes)
        return Content(table, _wide_rows(raw, path, notes), wide=True, notes=notes)
    except pl.exceptions.PolarsError as error:
        raise InputError(f"{path}: cannot be used ({str(error).splitlines()[0]}); correct or remove it") from None


def _table_of(path: Path) -> str:
    """spans, logs or changes where the name starts with it as a word of its own; else metrics."""
    found = re.match(r"(spans|logs|changes)(?![a-z])", path.stem.casefold())
    return found[1] if found else "metrics"


def _schema_rows(raw: pl.DataFrame, table: str, path: Path, notes: list[str]) -> pl.DataFrame:
    schema = TABLES[table]
    if schema.time not in raw.columns and "timestamp" in raw.columns:
        raw = raw.rename({"timestamp": schema.time})
    return schema.conform(_timed(raw, schema.time, path, notes), str(path))


def _long_rows(raw: pl.DataFrame, path: Path, notes: list[str]) -> pl.DataFrame:
    if "timestamp" not in raw.columns:
        raise InputError(f"{path}: a table with columns 'metric' and 'value' needs 'timestamp' too; add it")
    raw = _timed(raw, "timestamp", path, notes)
    raw = raw.with_columns(_numbers(raw, ["value"], path, notes)).filter(pl.col("value").is_not_null())
    names = [name for name in ("service", "metric", "instance") if name in raw.columns]
    kept = [name for name in TABLES["metrics"].columns if name in raw.columns]
    return raw.select(kept).with_columns(pl.col(names).cast(pl.String).cast(pl.Categorical))


def _wide_rows(raw: pl.DataFrame, path: Path, notes: list[str]) -> pl.DataFrame:
    if "timestamp" in raw.columns:
        raw = _timed(raw, "timestamp", path, notes)
    known = [name for name in ("timestamp", *_ATTRIBUTES) if name in raw.columns]
    names = [name for name in raw.columns if name not in known and name.casefold() not in _IGNORED]
    numbers = _numbers(raw, names, path, notes)
    return pl.DataFrame([*(_name_or_time(raw[name]) for name in known), *numbers])


def _name_or_time(column: pl.Series) -> pl.Series:
    return column.cast(pl.String) if column.name in _ATTRIBUTES else column


def _timed(raw: pl.DataFrame, name: str, path: Path, notes: list[str]) -> pl.DataFrame:
    """The rows whose time can be read, as UTC microseconds."""
    if name not in raw.columns:
        raise InputError(f"{path}: no column {name!r} (found {', '.join(raw.columns)}); add it")
    # The same few instants stand in every series of a long table: each is read once.
    texts = raw[name].unique(maintain_order=True)
    written = texts.cast(pl.String) if texts.dtype == pl.Categorical else texts
    instants = pl.DataFrame([texts, parse_times(written, str(path)).alias("_instant")])
    joined = raw.join(instants, on=name, how="left", maintain_order="left", nulls_equal=True)
    timed = joined.with_columns(pl.col("_instant").alias(name)).drop("_instant")
    lost = timed[name].null_count()
    if lost:
        notes.append(f"{path}: {lost} row(s) without a readable {name} are left out")
    return timed.filter(pl.col(name).is_not_null())


def _numbers(raw: pl.DataFrame, names: Sequence[str], path: Path, notes: list[str]) -> list[pl.Series]:
    """The columns that hold numbers, as Float64; what is left out of the file is said in two notes at most."""
    kept, textual, spoilt = [], [], []
    for name in names:
        numbers, texts = _number(raw[name])
        if numbers.null_count() == len(numbers):
            textual.append(name)
            continue
        kept.append(numbers)
        if len(texts):
            spoilt.append(f"{name!r} has text in {len(texts)} of {len(raw)} rows ({texts[0]!r})")
    if not kept:
        raise InputError(
            f"{path}: no column holds numbers (found {', '.join(raw.columns)}); add one or remove the file"
        )
    if textual:
        notes.append(f"{path}: column(s) without numbers are left out: {', '.join(textual)}")
    if spoilt:
        more = f", and so do {len(spoilt) - 1} more column(s)" if len(spoilt) > 1 else ""
        notes.append(f"{path}: column {spoilt[0]}{more}; those values are left out")
    return kept


def _number(column: pl.Series) -> tuple[pl.Series, pl.Series]:
    """The column as Float64, null where there is no finite number, and the texts among its values."""
    texts = column.clear()
    if column.dtype == pl.String:
        stripped = column.str.strip_chars()
        numbers = stripped.cast(pl.Float64, strict=False)
        texts = stripped.filter(
            numbers.is_null() & stripped.is_not_null() & ~stripped.str.to_lowercase().is_in(MISSING)
        )
    elif column.dtype.is_numeric() or column.dtype == pl.Boolean:
        numbers = column.cast(pl.Float64)
    else:
        numbers = pl.Series(column.name, [None] * len(column), dtype=pl.Float64)
    finite = pl.when(pl.col(column.name).is_finite()).then(pl.col(column.name))
    return pl.DataFrame([numbers]).select(finite).to_series(), texts
