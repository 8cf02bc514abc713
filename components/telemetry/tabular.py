"""One CSV or Parquet file of telemetry, read into rows that lie in memory as small as they can.

A table of metrics is *long* (one row per sample: `timestamp, service, metric, value`) or *wide* (one column
per metric); a wide one stays wide until a window of it is asked for.
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
from pydantic import BaseModel, ConfigDict, Field

from components.core.errors import InputError
from components.core.schema import TABLES
from components.core.times import parse_instant, parse_times

#: Names by which a time column is known, a bracketed unit after them allowed; the first one found counts.
TIME_NAMES = ("timestamp", "datetime", "time", "ts", "date")

#: Columns beside the time that are no metric in a wide table. A label is the truth of a benchmark, not telemetry.
_ATTRIBUTES = ("service", "instance")
_IGNORED = ("label",)
_MISSING = ("", "nan", "na", "n/a", "null", "none", "-")


class Layout(BaseModel):
    """`source.yaml` in a directory: what its files do not say themselves."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    step_s: float = Field(default=300, gt=0, description="seconds between rows of files without a time column")
    start: datetime = Field(
        default=datetime(2024, 1, 1, tzinfo=UTC), description="time of the first row of files without a time column"
    )
    timestamp: str | None = Field(default=None, description="name of the time column")
    service: str | None = Field(default=None, description="name of the column with the service")
    instance: str | None = Field(default=None, description="name of the column with the instance")
    metric: str | None = Field(default=None, description="name of the column with the metric's name")
    value: str | None = Field(default=None, description="name of the column with the metric's value")

    @property
    def first_row(self) -> datetime:
        return parse_instant(self.start)


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
    raw = _renamed(_read(path, layout, notes), layout)
    if raw.is_empty():
        raise InputError(f"{path}: no rows below the header; add samples or remove the file")
    table = _table_of(path)
    if table != "metrics":
        return Content(table, _schema_rows(raw, table, path, notes), notes=notes)
    if {"metric", "value"} <= set(raw.columns):
        return Content(table, _long_rows(raw, path, notes), notes=notes)
    return Content(table, _wide_rows(raw, path, notes), wide=True, notes=notes)


def _table_of(path: Path) -> str:
    """spans, logs or changes where the name starts with it as a word of its own; else metrics."""
    found = re.match(r"(spans|logs|changes)(?![a-z])", path.stem.casefold())
    return found[1] if found else "metrics"


# --- bytes to columns ----------------------------------------------------------------------------------


def _read(path: Path, layout: Layout, notes: list[str]) -> pl.DataFrame:
    if path.stat().st_size == 0:
        raise InputError(f"{path}: the file is empty; write its rows or remove it")
    try:
        if path.suffix.casefold() == ".parquet":
            return pl.read_parquet(path)
        return _read_csv(path, layout, notes)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise InputError(f"{path}: cannot be read ({str(error).splitlines()[0]}); is it complete?") from None


def _read_csv(path: Path, layout: Layout, notes: list[str]) -> pl.DataFrame:
    with path.open("rb") as file:
        first = file.readline().decode("utf-8-sig", errors="replace").rstrip("\r\n")
    separator = max(",;\t", key=first.count)
    cells = [cell.strip().strip('"') for cell in first.split(separator)]
    headed = not all(_is_number(cell) for cell in cells[1:]) or not (_is_number(cells[0]) or _is_time(cells[0]))
    names = None if headed else _names_for(cells)
    frame = pl.read_csv(
        _whole_lines(path, len(cells), separator, notes),
        has_header=headed,
        new_columns=names,
        separator=separator,
        infer_schema_length=None,
        encoding="utf8-lossy",
        # A few names repeated in every row: kept once.
        schema_overrides=dict.fromkeys(_repeated(cells, layout), pl.Categorical()) if headed else None,
    )
    blank = [name for name in frame.columns if not name.strip() or name.startswith("_duplicated")]
    if blank:
        notes.append(f"{path}: {len(blank)} column(s) without a name of their own are left out")
    return frame.drop(blank)


def _names_for(cells: Sequence[str]) -> list[str]:
    # Numbers alone never are a time here: a counter of bytes looks the same.
    timed = not _is_number(cells[0])
    return ["timestamp"] * timed + [f"metric_{i + 1}" for i in range(len(cells) - timed)]


def _repeated(cells: Sequence[str], layout: Layout) -> list[str]:
    """The columns whose texts stand in many rows: names, and in a long table the times."""
    names = {"service", "metric", "instance", layout.service, layout.metric, layout.instance}
    found = [cell for cell in cells if cell in names or cell.casefold() in names]
    long = any(cell == layout.metric or cell.casefold() == "metric" for cell in found)
    times = {*TIME_NAMES, layout.timestamp} if long else set()
    return found + [cell for cell in cells if cell in times or cell.casefold() in times]


def _whole_lines(path: Path, fields: int, separator: str, notes: list[str]) -> Path | io.BytesIO:
    """The file without a last line that was cut off: one without its end and with fewer fields."""
    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(max(0, size - 1_000_000))
        tail = file.read()
    last = tail.rsplit(b"\n", 1)[-1]
    if not last.strip() or len(last) == size or last.count(separator.encode()) >= fields - 1:
        return path
    notes.append(f"{path}: the last line is cut off and left out; is the file complete?")
    return io.BytesIO(path.read_bytes()[: size - len(last)])


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return cell.casefold() in _MISSING
    return True


def _is_time(cell: str) -> bool:
    try:
        parse_instant(cell)
    except InputError:
        return False
    return True


def _renamed(frame: pl.DataFrame, layout: Layout) -> pl.DataFrame:
    """The columns under the names of the schema where `source.yaml` or their spelling says which they are."""
    stated = {name: role for role in ("timestamp", *_ATTRIBUTES, "metric", "value") if (name := getattr(layout, role))}
    names = {name: stated.get(name, name.strip()) for name in frame.columns}
    taken = set(names.values())
    for role in (*_ATTRIBUTES, "metric", "value"):
        for name in frame.columns:
            if role not in taken and name.strip().casefold() == role:
                names[name] = role
                taken.add(role)
    if "timestamp" not in taken:
        plain = {re.sub(r"\s*\[.*\]$", "", name.strip().casefold()): name for name in reversed(frame.columns)}
        time = next((plain[known] for known in TIME_NAMES if known in plain), None)
        if time is not None and names[time] == time.strip():
            names[time] = "timestamp"
    return frame.rename(names)


# --- columns to rows -----------------------------------------------------------------------------------


def _schema_rows(raw: pl.DataFrame, table: str, path: Path, notes: list[str]) -> pl.DataFrame:
    schema = TABLES[table]
    raw = _timed(
        raw.rename({"timestamp": schema.time})
        if schema.time not in raw.columns and "timestamp" in raw.columns
        else raw,
        schema.time,
        path,
        notes,
    )
    return schema.conform(raw, str(path))


def _long_rows(raw: pl.DataFrame, path: Path, notes: list[str]) -> pl.DataFrame:
    if "timestamp" not in raw.columns:
        raise InputError(f"{path}: a table with columns 'metric' and 'value' needs 'timestamp' too; add it")
    raw = _timed(raw, "timestamp", path, notes)
    raw = raw.with_columns(_number(raw["value"], path, notes)).filter(pl.col("value").is_not_null())
    if raw.is_empty():
        raise InputError(f"{path}: column 'value' holds no numbers; correct it or remove the file")
    names = [name for name in ("service", "metric", "instance") if name in raw.columns]
    kept = [name for name in TABLES["metrics"].columns if name in raw.columns]
    return raw.select(kept).with_columns(pl.col(names).cast(pl.String).cast(pl.Categorical))


def _wide_rows(raw: pl.DataFrame, path: Path, notes: list[str]) -> pl.DataFrame:
    if "timestamp" in raw.columns:
        raw = _timed(raw, "timestamp", path, notes)
    known = [name for name in ("timestamp", *_ATTRIBUTES) if name in raw.columns]
    names = [name for name in raw.columns if name not in known and name.casefold() not in _IGNORED]
    numbers = [
        column for column in (_number(raw[name], path, notes) for name in names) if column.null_count() < len(column)
    ]
    if not numbers:
        raise InputError(
            f"{path}: no column holds numbers (found {', '.join(raw.columns)}); add one or remove the file"
        )
    return pl.DataFrame(
        [*(raw[name].cast(pl.String) if name in _ATTRIBUTES else raw[name] for name in known), *numbers]
    )


def _timed(raw: pl.DataFrame, name: str, path: Path, notes: list[str]) -> pl.DataFrame:
    """The rows whose time can be read, as UTC microseconds."""
    if name not in raw.columns:
        raise InputError(f"{path}: no column {name!r} (found {', '.join(raw.columns)}); add it")
    # The same few instants stand in every series of a long table: each is read once.
    texts = raw[name].unique(maintain_order=True)
    instants = pl.DataFrame(
        [texts, parse_times(texts.cast(pl.String) if texts.dtype == pl.Categorical else texts, str(path)).alias("_at")]
    )
    timed = (
        raw.join(instants, on=name, how="left", maintain_order="left", nulls_equal=True)
        .with_columns(pl.col("_at").alias(name))
        .drop("_at")
    )
    lost = timed[name].null_count()
    if lost:
        notes.append(f"{path}: {lost} row(s) without a readable {name} are left out")
    return timed.filter(pl.col(name).is_not_null())


def _number(column: pl.Series, path: Path, notes: list[str]) -> pl.Series:
    """The column as Float64; infinite values and text become null, and text is noted."""
    if not (column.dtype.is_numeric() or column.dtype in (pl.String, pl.Boolean, pl.Null)):
        notes.append(f"{path}: column {column.name!r} holds {column.dtype}, no numbers, and is left out")
        return pl.Series(column.name, [None] * len(column), dtype=pl.Float64)
    if column.dtype != pl.String:
        numbers = column.cast(pl.Float64)
    else:
        text = column.str.strip_chars()
        numbers = text.cast(pl.Float64, strict=False)
        bad = numbers.is_null() & text.is_not_null() & ~text.str.to_lowercase().is_in(_MISSING)
        if bad.any():
            first = bad.arg_true()[0]
            notes.append(
                f"{path}: column {column.name!r} has text in {int(bad.sum())} of {len(column)} rows "
                f"(row {first + 1}: {text[first]!r}); those values are left out"
            )
    frame = pl.DataFrame([numbers])
    return frame.select(pl.when(pl.col(column.name).is_finite()).then(pl.col(column.name))).to_series()
