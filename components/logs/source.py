"""A log file as blocks with a layout, whatever its format; read from the start as often as asked."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import polars as pl

from components.core.errors import InputError
from components.core.files import read_frame
from components.logs.header import learn_header
from components.logs.layouts import Layout, json_layout, table_layout, text_layout
from components.logs.reading import COMPRESSIONS, plain_suffix, read_bytes, read_lines

Format = Literal["auto", "text", "jsonl", "csv"]
FORMATS: tuple[Format, ...] = ("auto", "text", "jsonl", "csv")

# Lines that a header or the keys of a JSON log are learnt from; a shorter log is its own sample.
_SAMPLE = 1000
_TABLE_ROWS = 100_000


@dataclass(frozen=True)
class Source:
    """A log file: `blocks()` starts from its first line each time; `layout` reads the blocks."""

    path: Path
    format: Format
    layout: Layout
    #: Bytes of the file when it was opened: a log may grow while it is read twice, and only these count.
    size: int
    table: pl.DataFrame | None = None

    def blocks(self) -> Iterator[pl.DataFrame]:
        """Blocks of lines (column `line`) or of table rows, in order."""
        if self.table is None:
            for lines in read_lines(self.path, self.size):
                yield lines.to_frame("line")
        else:
            yield from self.table.iter_slices(_TABLE_ROWS)

    def messages(self) -> Iterator[pl.Series]:
        for block in self.blocks():
            yield self.layout.messages(block)

    def minable(self) -> tuple[Iterator[pl.Series], pl.Expr | None]:
        """What `mining.mine` takes: whole lines with the way to their messages where it may see them folded."""
        if self.layout.folds:
            return (block["line"] for block in self.blocks()), self.layout.message
        return self.messages(), None


def open_source(path: Path, format: Format = "auto") -> Source:
    """Look at a file and learn how to read it; InputError where it is absent, empty, damaged or lacks `body`.

    `auto` goes by the suffix for tables and by the first lines otherwise.
    """
    suffix = plain_suffix(path)
    if suffix == ".parquet" or format == "csv" or (format == "auto" and suffix == ".csv"):
        table = _read_table(path, suffix)
        return Source(path, "csv", table_layout(table.schema), path.stat().st_size, table)
    size = path.stat().st_size if path.is_file() else 0
    sample = _sample(path)
    if format == "jsonl" or (format == "auto" and _looks_like_json(sample)):
        return Source(path, "jsonl", json_layout(sample), size)
    return Source(path, "text", text_layout(learn_header(sample)), size)


def _read_table(path: Path, suffix: str) -> pl.DataFrame:
    if path.suffix.lower() not in COMPRESSIONS and suffix == path.suffix.lower() and suffix in (".csv", ".parquet"):
        frame = read_frame(path, strings=True)
    else:
        data = b"".join(read_bytes(path))
        try:
            if suffix == ".parquet":
                frame = pl.read_parquet(io.BytesIO(data))
            else:
                text = data.decode("utf-8-sig", errors="replace").encode()
                frame = pl.read_csv(io.BytesIO(text), infer_schema_length=0)
        except pl.exceptions.PolarsError as error:
            raise InputError(f"{path}: cannot be read ({str(error).splitlines()[0]}); is it complete?") from None
    if "body" not in frame.columns:
        raise InputError(f"{path}: no column 'body' (found {', '.join(frame.columns)}); rename the message column")
    if frame.is_empty():
        raise InputError(f"{path}: no rows below the header; it needs at least one line")
    return frame


def _sample(path: Path) -> list[str]:
    # From the first block only, spread over it: the head of a log (start-up) looks unlike the rest.
    lines = next(iter(read_lines(path)), pl.Series("line", [], dtype=pl.String))
    step = max(1, len(lines) // _SAMPLE)
    return lines.gather_every(step).head(_SAMPLE).to_list()


def _looks_like_json(sample: Sequence[str]) -> bool:
    filled = [line.lstrip() for line in sample if line.strip()]
    objects = sum(line.startswith("{") and line.rstrip().endswith("}") for line in filled)
    return bool(filled) and objects >= 0.8 * len(filled)
