"""A log file as blocks with a layout, whatever its format; read from the start as often as asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import polars as pl
import pyarrow as pa

from components.logs.columns import as_series
from components.logs.layouts import Layout, json_kind, learn_layout, table_records
from components.logs.loki import is_loki, read_loki
from components.logs.reading import COMPRESSIONS, is_utf16, plain_suffix, read_lines, read_part
from components.logs.tables import read_tables
from components.logs.wrappers import find_wrapper

Format = Literal["auto", "text", "jsonl", "csv"]
FORMATS: tuple[Format, ...] = ("auto", "text", "jsonl", "csv")

# Lines that headers or the keys of a JSON log are learnt from; a shorter log is its own sample.
_SAMPLE = 1000
# Of a large file they are taken from so many places, so many bytes each: the head of a log looks unlike the rest.
_LARGE, _PLACES, _PART_BYTES = 16 << 20, 8, 1 << 17


@dataclass(frozen=True)
class Block:
    """Lines of a file in order; of a table the lines are its messages, and `rows` has them with the other columns."""

    lines: pa.LargeStringArray
    rows: pl.DataFrame | None = None


@dataclass(frozen=True)
class Source:
    """A log file: `blocks()` starts from its first line each time; `layout` reads the lines of text files."""

    path: Path
    layout: Layout
    #: Bytes of the file when it was opened: a log may grow while it is read twice, and only these count.
    size: int
    #: Begins the rows of a table from the first.
    table: Callable[[], Iterator[pl.DataFrame]] | None = None

    def blocks(self) -> Iterator[Block]:
        if self.table is None:
            for lines in read_lines(self.path, self.size):
                yield Block(lines)
        else:
            for rows in self.table():
                if len(rows):
                    yield Block(as_text(rows["body"]), rows)

    @property
    def is_compressed(self) -> bool:
        return self.path.suffix.lower() in COMPRESSIONS

    def messages(self, lines: pl.Series) -> pl.Series:
        """The messages of lines as blocks hold them."""
        return lines if self.table is not None else self.layout.messages(lines)

    def records(self, block: Block, year: int) -> pl.DataFrame:
        """`message, timestamp, severity, service, trace_id, continues` of each line."""
        if block.rows is not None:
            return table_records(block.rows, year)
        return self.layout.records(as_series(block.lines), year)


def as_text(column: pl.Series) -> pa.LargeStringArray:
    return column.cast(pl.String).fill_null("").to_arrow().cast(pa.large_string())


def open_source(path: Path, format: Format = "auto") -> Source:
    """Look at a file and learn how to read it; InputError where it is absent, empty, damaged or lacks `body`.

    `auto` goes by the suffix for tables and by the lines otherwise.
    """
    suffix, size = plain_suffix(path), path.stat().st_size if path.is_file() else 0
    if suffix == ".parquet" or format == "csv" or (format == "auto" and suffix == ".csv"):
        next(read_tables(path, size))
        return Source(path, Layout(), size, lambda: read_tables(path, size))
    sample = _sample(path, size)
    if format != "text" and is_loki(sample):
        return Source(path, Layout(), size, lambda: read_loki(path, size))
    wrapper = find_wrapper(sample)
    if format == "jsonl" and not wrapper.fields:
        return Source(path, Layout((json_kind(sample),)), size)
    return Source(path, learn_layout(sample, wrapper), size)


def _sample(path: Path, size: int) -> list[str]:
    parts: list[pa.LargeStringArray] = []
    if size > _LARGE and path.suffix.lower() not in COMPRESSIONS and not is_utf16(path):
        parts = [read_part(path, size * place // _PLACES, _PART_BYTES) for place in range(_PLACES)]
    if not any(len(lines) for lines in parts):
        parts = [_head(path)]
    sample: list[str] = []
    for lines in parts:
        step = max(1, len(lines) * len(parts) // _SAMPLE)
        sample += as_series(lines).gather_every(step).to_list()[: _SAMPLE // len(parts)]
    return sample


def _head(path: Path) -> pa.LargeStringArray:
    """The first lines, about _LARGE bytes of them."""
    blocks, size = list[pa.LargeStringArray](), 0
    for lines in read_lines(path):
        blocks.append(lines)
        size += lines.nbytes
        if size >= _LARGE:
            break
    return pa.concat_arrays(blocks)
