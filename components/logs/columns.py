"""Lines as Arrow arrays, whose bytes are looked at together, and as columns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

Places = npt.NDArray[np.int64]


@dataclass(frozen=True)
class _Exported:
    """An Arrow array as any of Arrow's own kind: polars imports all of pyarrow.compute for one of pyarrow."""

    array: pa.Array

    def __arrow_c_array__(self, requested_schema: object | None = None) -> tuple[object, object]:
        exported: tuple[object, object] = self.array.__arrow_c_array__(requested_schema)
        return exported


def as_series(texts: pa.Array) -> pl.Series:
    """The same texts or bytes as a column, none of them copied."""
    return pl.Series("line", _Exported(texts))


def numbered(values: pl.Series) -> tuple[pl.Series, Places]:
    """The distinct values of a column in the order of their first row, and each row's place among them."""
    rows = values.rename("value").to_frame().with_row_index("row")
    groups = rows.group_by("value", maintain_order=True).agg("row")
    place = np.empty(len(values), dtype=np.int64)
    place[groups["row"].explode().to_numpy()] = np.repeat(np.arange(len(groups)), groups["row"].list.len())
    return groups["value"], place


def split(block: bytes) -> pa.LargeStringArray:
    """The lines of a text; the last one may lack its newline."""
    return next(split_pieces([block], 0))


def split_pieces(pieces: Iterable[bytes], size: int) -> Iterator[pa.LargeStringArray]:
    """The lines of pieces of text that are whole lines, about `size` bytes of them in each array.

    A piece is looked at while it is in the processor's cache.
    """
    room, ends, length = np.empty(0, dtype=np.uint8), list[Places](), 0
    for piece in pieces:
        text, line_ends = _without_newlines(piece)
        if length + len(text) > len(room):
            if ends:
                yield _array(room[:length], ends)
            # Not bytes: numpy asks for large pages, of which a block takes a few instead of thousands.
            room, ends, length = np.empty(max(size, len(text)), dtype=np.uint8), [], 0
        room[length : length + len(text)] = np.frombuffer(text, dtype=np.uint8)
        ends.append(line_ends + length)
        length += len(text)
    if ends:
        yield _array(room[:length], ends)


def _array(text: npt.NDArray[np.uint8], ends: list[Places]) -> pa.LargeStringArray:
    offsets = np.concatenate([np.zeros(1, dtype=np.int64), *ends])
    return pa.LargeStringArray.from_buffers(len(offsets) - 1, pa.py_buffer(offsets), pa.py_buffer(text))


def _without_newlines(piece: bytes) -> tuple[bytes, Places]:
    """The text, in which a line ends where the next one begins, and these ends."""
    if b"\r" in piece:  # One byte is sought ten times as fast as two.
        piece = piece.replace(b"\r\n", b"\n")
    if piece and not piece.endswith(b"\n"):
        piece += b"\n"
    if not piece.isascii():
        piece = _as_unicode(piece)
    ends = np.flatnonzero(np.frombuffer(piece, dtype=np.uint8) == ord("\n"))
    return piece.replace(b"\n", b""), ends - np.arange(len(ends))


def _as_unicode(piece: bytes) -> bytes:
    try:
        piece.decode()
    except UnicodeDecodeError:
        return piece.decode(errors="replace").encode()
    return piece
