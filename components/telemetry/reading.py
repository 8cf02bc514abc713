"""The columns of one CSV or Parquet file, under the names of the lake's tables where they can be told."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
from pydantic import BaseModel, ConfigDict, Field

from components.core.errors import InputError
from components.core.times import parse_instant

#: Names by which a time column is known, a bracketed unit after them allowed; the first one found counts.
TIME_NAMES = ("timestamp", "datetime", "time", "ts", "date")

#: Cells that say that a value is missing, in lower case.
MISSING = ("", "nan", "na", "n/a", "null", "none", "-")


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


def read_columns(path: Path, layout: Layout, notes: list[str]) -> pl.DataFrame:
    """Read a file's columns; InputError where it is empty or of another kind, notes about what is left out."""
    if path.stat().st_size == 0:
        raise InputError(f"{path}: the file is empty; write its rows or remove it")
    try:
        if path.suffix.casefold() == ".parquet":
            return _renamed(pl.read_parquet(path), layout)
        return _renamed(_read_csv(path, layout, notes), layout)
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
        return cell.casefold() in MISSING
    return True


def _is_time(cell: str) -> bool:
    try:
        parse_instant(cell)
    except InputError:
        return False
    return True


def _renamed(frame: pl.DataFrame, layout: Layout) -> pl.DataFrame:
    """The columns under the names of the schema where `source.yaml` or their spelling says which they are."""
    stated = {
        name: role
        for role in ("timestamp", "service", "instance", "metric", "value")
        if (name := getattr(layout, role))
    }
    names = {name: stated.get(name, name.strip()) for name in frame.columns}
    taken = set(names.values())
    for role in ("service", "instance", "metric", "value"):
        for name in frame.columns:
            if role not in taken and name.strip().casefold() == role:
                names[name] = role
                taken.add(role)
    if "timestamp" not in taken:
        plain = {re.sub(r"\s*\[.*\]$", "", name.strip().casefold()): name for name in reversed(frame.columns)}
        time = next((plain[known] for known in TIME_NAMES if known in plain), None) or _first_times(frame)
        if time is not None and names[time] == time.strip():
            names[time] = "timestamp"
    return frame.rename(names)


def _first_times(frame: pl.DataFrame) -> str | None:
    """The first column that begins with a written time, where no column is named like one."""
    for name, cells in frame.head(1).to_dict(as_series=False).items():
        if (
            isinstance(cells[0] if cells else None, datetime | str)
            and not _is_number(str(cells[0]))
            and _is_time(str(cells[0]))
        ):
            return name
    return None
