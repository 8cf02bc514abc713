"""The shapes of whole blocks of lines; the patterns of `masking` see each distinct folded line once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from components.logs.folding import fold
from components.logs.masking import shape

#: Text of distinct lines whose shapes are remembered from block to block; past this the memory starts anew.
MAX_REMEMBERED_BYTES = 64 << 20
Codes = npt.NDArray[np.int64]
Messages = Callable[[pl.Series], pl.Series]


class Shaper:
    """Gives lines their shapes and remembers what it has seen; may be called from several threads."""

    def __init__(self, messages: Messages | None = None) -> None:
        """messages: how lines become their messages, where they are more; it may not tell digits apart."""
        self._messages = messages
        # Of each line: its shape, and whether the shape has a digit.
        self._known: dict[str, tuple[str, bool]] = {}
        self._bytes = 0

    def keys_of(self, lines: pa.LargeStringArray) -> tuple[pa.LargeStringArray, list[str], Codes]:
        """The distinct keys of a block, their shapes, and which key each line has.

        A line's key is the folded line; names in a shape that keep their digits (ssh2) would be lost, so that lines
        with such a shape have themselves as keys.
        """
        folded = fold(lines).dictionary_encode()
        shapes, named = self._shapes(folded.dictionary)
        codes = _indices(folded)
        rows = np.flatnonzero(named[codes]) if named.any() else ()
        if not len(rows):
            return folded.dictionary, shapes, codes
        exact = picked(lines, rows).dictionary_encode()
        codes[rows] = len(shapes) + _indices(exact)
        keys = pa.concat_arrays([folded.dictionary, exact.dictionary])
        return keys, shapes + self._shapes(exact.dictionary)[0], codes

    def shapes_of(self, lines: pa.LargeStringArray) -> tuple[list[str], Codes]:
        """The distinct shapes of a block in the order of their first line, and which of them each line has."""
        _, shapes, codes = self.keys_of(lines)
        return _numbered(shapes, codes)

    def _shapes(self, keys: pa.LargeStringArray) -> tuple[list[str], npt.NDArray[np.bool_]]:
        """The shape of each key, and whether it has a digit."""
        known, lines = self._known, keys.to_pylist()
        new = [line for line in lines if line not in known]
        if new:
            self._bytes += sum(map(len, new))
            if self._bytes > MAX_REMEMBERED_BYTES:
                # A new memory, not an emptied one: another thread may be reading the old one.
                known, self._bytes, new = {}, 0, lines
                self._known = known
            texts = pl.Series("line", new, dtype=pl.String)
            messages = (self._messages(texts) if self._messages else texts).alias("message").to_frame()
            found = messages.select(shape(pl.col("message"), names=True)).to_series()
            digits = found.str.contains("[0-9]").to_list()
            known.update(zip(new, zip(found.to_list(), digits, strict=True), strict=True))
        told = [known[line] for line in lines]
        return [shape for shape, _ in told], np.array([digit for _, digit in told], dtype=bool)


def _indices(encoded: pa.DictionaryArray) -> Codes:
    # to_numpy() imports pandas, which takes as long as a hundred megabytes of logs.
    indices = encoded.indices
    return np.frombuffer(indices.buffers()[1], dtype=np.int32, count=len(indices)).astype(np.int64)


def picked(lines: pa.LargeStringArray, rows: npt.NDArray[np.intp]) -> pa.LargeStringArray:
    """These rows of the lines."""
    # Not pa.array(rows): it imports pandas to see whether rows are of its making.
    return lines.take(pa.Array.from_buffers(pa.int64(), len(rows), [None, pa.py_buffer(rows.astype(np.int64))]))


def _numbered(texts: list[str], codes: Codes) -> tuple[list[str], Codes]:
    """Equal texts and unused ones removed, the rest in the order of their first line."""
    numbers: dict[str, int] = {}
    merged = np.array([numbers.setdefault(text, len(numbers)) for text in texts], dtype=np.int64)[codes]
    used, first, dense = np.unique(merged, return_index=True, return_inverse=True)
    order = np.argsort(first)
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    distinct = list(numbers)
    return [distinct[number] for number in used[order]], place[dense].astype(np.int64)
