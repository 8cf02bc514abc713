"""CSV and Parquet files of log lines as frames of many rows, one after another: memory does not grow with the file."""

from __future__ import annotations

import io
import re
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from components.core.errors import InputError
from components.logs import reading
from components.logs.reading import COMPRESSIONS, as_utf8, plain_suffix, read_bytes

#: Rows of a table at a time.
ROWS = 100_000
#: Bytes of one record of a CSV; where more follow a quote, it is one that nobody closed.
MAX_RECORD = 256 << 20
_CSV_FIX = (
    "a row has more fields than the header or a quote in a field is not doubled: mend it, or read the lines as they "
    "are with --format text"
)


def read_tables(path: Path, size: int) -> Iterator[pl.DataFrame]:
    """The rows of a file, many at a time, in order; InputError where it cannot be read or has no column `body`.

    size: bytes of the stored file to read; a CSV may grow meanwhile. CSV columns are text; broken UTF-8 is replaced.
    """
    found = False
    try:
        for rows in _parquet(path) if plain_suffix(path) == ".parquet" else _csv(path, size):
            if "body" not in rows.columns:
                raise InputError(
                    f"{path}: no column 'body' (found {', '.join(rows.columns)}); rename the message column"
                    + (", and separate columns by commas" if re.search("[;\t|]", rows.columns[0]) else "")
                )
            found = found or len(rows) > 0
            yield rows.with_columns(_text(rows["body"], path))
    except (pl.exceptions.PolarsError, pa.ArrowException, OSError) as error:
        reason = str(error).partition("\n")[0].rstrip(".")
        fix = "is it complete?" if plain_suffix(path) == ".parquet" else _CSV_FIX
        raise InputError(f"{path}: cannot be read ({reason}); {fix}") from None
    if not found:
        raise InputError(f"{path}: no rows below the header; it needs at least one line")


def _text(body: pl.Series, path: Path) -> pl.Series:
    if body.dtype.is_nested():
        raise InputError(f"{path}: column 'body' holds {body.dtype}, not text; write each message as text")
    if body.dtype == pl.Binary:
        texts = [None if content is None else content.decode("utf-8", errors="replace") for content in body]
        return pl.Series("body", texts, dtype=pl.String)
    return body


def _parquet(path: Path) -> Iterator[pl.DataFrame]:
    with tempfile.TemporaryFile() as plain:
        pieces = read_bytes(path)
        source: BinaryIO | Path = path
        if path.suffix.lower() in COMPRESSIONS:
            plain.writelines(pieces)
            source = plain
        else:
            next(pieces)  # Says so where the file is absent or empty.
        file = pq.ParquetFile(source)
        yield pl.DataFrame(pl.from_arrow(file.schema_arrow.empty_table()))
        for batch in file.iter_batches(batch_size=ROWS):
            yield pl.DataFrame(pl.from_arrow(batch))


def _csv(path: Path, size: int) -> Iterator[pl.DataFrame]:
    header = b""
    for records in _records(_many(as_utf8(read_bytes(path, size))), path):
        text = header + records.decode("utf-8", errors="replace").encode()
        header = header or text[: _record_end(text) or len(text)]
        yield pl.read_csv(io.BytesIO(text), infer_schema_length=0)


def _many(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes a block at a time: a small table takes as long to read as a large one."""
    held, size = list[bytes](), 0
    for piece in pieces:
        held.append(piece)
        size += len(piece)
        if size >= reading.BLOCK_BYTES:
            yield b"".join(held)
            held, size = [], 0
    yield b"".join(held)


def _records(pieces: Iterable[bytes], path: Path) -> Iterator[bytes]:
    """The bytes in pieces that end where records do: at a newline outside of quotes."""
    held: list[bytes] = []
    quotes = 0
    for piece in pieces:
        quotes += piece.count(b'"')
        # No byte is counted twice, or a file with a stray quote would take hours.
        end, behind = len(piece), 0
        while cut := piece.rfind(b"\n", 0, end) + 1:
            behind += piece.count(b'"', cut, end)
            if (quotes - behind) % 2 == 0:
                break
            end = cut - 1
        if cut:
            yield b"".join([*held, piece[:cut]])
            held = []
        held.append(piece[cut:])
        if sum(map(len, held)) > MAX_RECORD:
            raise InputError(
                f"{path}: a record of more than {MAX_RECORD >> 20} MB: a quote is never closed; close it, or read the "
                "file with --format text"
            )
    if rest := b"".join(held):
        yield rest


def _record_end(text: bytes) -> int:
    """Where the first record ends; 0 where it is the whole text."""
    begin = quotes = 0
    while end := text.find(b"\n", begin) + 1:
        quotes += text.count(b'"', begin, end)
        if quotes % 2 == 0:
            break
        begin = end
    return end
