"""Lines that differ in their digits only are looked at once.

Every pattern of the miner and of the header asks whether a character is a digit and never which one. So digits are
folded to ones first (a table look-up over the bytes), equal lines are counted together, and the expensive patterns
see each distinct line once. Names that keep their digits (ssh2) are the exception: their lines are masked as they are.
"""

from __future__ import annotations

import re

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from components.logs.masking import shape

_FOLD = np.arange(256, dtype=np.uint8)
# A Unix time begins with a one, and so does every folded number.
_FOLD[ord("0") : ord("9") + 1] = ord("1")
#: Distinct lines whose shapes are remembered from block to block; past this the memory starts anew.
MAX_REMEMBERED = 200_000
_DIGIT = re.compile("[0-9]")
Codes = npt.NDArray[np.int64]


class Shaper:
    """Gives lines their shapes and remembers what it has seen; may be called from several threads."""

    def __init__(self, message: pl.Expr | None = None) -> None:
        """message: how a line (column `line`) becomes its message, where it is more; it may not tell digits apart."""
        self._message = pl.col("line") if message is None else message
        self._known: dict[str, str] = {}

    def shapes_of(self, lines: pl.Series) -> tuple[list[str], Codes]:
        """The distinct shapes of a block in the order of their first line, and which of them each line has."""
        original = pc.fill_null(lines.to_arrow().cast(pa.large_string()), "")
        folded = _folded(original).dictionary_encode()
        texts = self._shapes(folded.dictionary.to_pylist())
        codes: Codes = folded.indices.to_numpy().astype(np.int64)
        named = np.fromiter((_DIGIT.search(text) is not None for text in texts), dtype=bool, count=len(texts))
        rows = np.flatnonzero(named[codes])
        if len(rows):
            exact = original.take(pa.array(rows)).dictionary_encode()
            codes[rows] = len(texts) + exact.indices.to_numpy().astype(np.int64)
            texts = texts + self._shapes(exact.dictionary.to_pylist())
        return _numbered(pl.Series(texts, dtype=pl.String), codes)

    def _shapes(self, lines: list[str]) -> list[str]:
        known = self._known
        new = [line for line in lines if line not in known]
        if new:
            if len(known) > MAX_REMEMBERED:
                # A new memory, not an emptied one: another thread may be reading the old one.
                known = self._known = {}
                new = lines
            frame = pl.DataFrame({"line": new}, schema={"line": pl.String})
            found = frame.select(shape(self._message, names=True).alias("shape")).to_series()
            known.update(zip(new, found.to_list(), strict=True))
        return [known[line] for line in lines]


def _numbered(texts: pl.Series, codes: Codes) -> tuple[list[str], Codes]:
    """Equal texts and unused ones removed, the rest in the order of their first line."""
    same = texts.to_arrow().dictionary_encode()
    merged: Codes = same.indices.to_numpy().astype(np.int64)[codes]
    used, first, dense = np.unique(merged, return_index=True, return_inverse=True)
    order = np.argsort(first)
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    distinct = same.dictionary.take(pa.array(used[order])).to_pylist()
    return distinct, place[dense].astype(np.int64)


def _folded(lines: pa.Array) -> pa.Array:
    """The lines with every ASCII digit replaced by a one; other bytes, and so all of UTF-8, stay."""
    _, offsets, data = lines.buffers()
    start, stop = (int(np.frombuffer(offsets, dtype=np.int64)[lines.offset + at]) for at in (0, len(lines)))
    content = np.frombuffer(data or b"", dtype=np.uint8)[start:stop] if data else np.empty(0, dtype=np.uint8)
    begins = np.frombuffer(offsets, dtype=np.int64)[lines.offset : lines.offset + len(lines) + 1] - start
    return pa.LargeStringArray.from_buffers(len(lines), pa.py_buffer(begins), pa.py_buffer(_FOLD[content]))
