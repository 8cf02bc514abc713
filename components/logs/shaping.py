"""The shapes of whole blocks of lines; the patterns of `masking` see each distinct folded line once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import count

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from components.logs.folding import fold
from components.logs.masking import shape

#: Text of distinct lines whose shapes are remembered from block to block; past this the memory starts anew.
MAX_REMEMBERED_BYTES = 64 << 20
# What a remembered line takes beside its text.
_ENTRY_BYTES = 300
Codes = npt.NDArray[np.int64]
Messages = Callable[[pl.Series], pl.Series]


@dataclass(frozen=True)
class Keys:
    """The distinct keys of a block. Lines of one key have one shape, and its variables in the same places.

    numbers: what a key is called from block to block; one key may have several numbers, but no number two keys.
    key_of: each line's row among the keys.
    """

    lines: pa.LargeStringArray
    shapes: list[str]
    numbers: Codes
    key_of: Codes


class Shaper:
    """Gives lines their shapes and remembers what it has seen; may be called from several threads."""

    def __init__(self, messages: Messages | None = None) -> None:
        """messages: how lines become their messages, where they are more; it may not tell digits apart."""
        self._messages = messages
        # Of each line: its number, its shape, and whether the shape has a digit.
        self._known: dict[str, tuple[int, str, bool]] = {}
        self._number = count()
        self._bytes = 0

    def keys_of(self, lines: pa.LargeStringArray) -> Keys:
        """A line's key is the folded line; names in a shape that keep their digits (ssh2) would be lost, so that lines
        with such a shape have themselves as keys.
        """
        folded = fold(lines).dictionary_encode()
        told, key_of = self._look_up(folded.dictionary), _indices(folded)
        named = np.fromiter((entry[2] for entry in told), dtype=bool, count=len(told))
        keys = folded.dictionary
        if named.any():
            rows = np.flatnonzero(named[key_of])
            exact = picked(lines, rows).dictionary_encode()
            key_of[rows] = len(told) + _indices(exact)
            told += self._look_up(exact.dictionary)
            # The folded keys of those lines have no line any more.
            left = np.append(~named, np.ones(len(exact.dictionary), dtype=bool))
            keys = picked(pa.concat_arrays([keys, exact.dictionary]), np.flatnonzero(left))
            told = [entry for entry, is_left in zip(told, left, strict=True) if is_left]
            key_of = (np.cumsum(left) - 1)[key_of]
        numbers = np.fromiter((entry[0] for entry in told), dtype=np.int64, count=len(told))
        return Keys(keys, [entry[1] for entry in told], numbers, key_of)

    def _look_up(self, keys: pa.LargeStringArray) -> list[tuple[int, str, bool]]:
        known, lines = self._known, keys.to_pylist()
        new = [line for line in lines if line not in known]
        if new:
            self._bytes += sum(map(len, new)) + _ENTRY_BYTES * len(new)
            if self._bytes > MAX_REMEMBERED_BYTES:
                # A new memory, not an emptied one: another thread may be reading the old one.
                known, self._bytes, new = {}, 0, lines
                self._known = known
            texts = pl.Series("line", new, dtype=pl.String)
            messages = (self._messages(texts) if self._messages else texts).alias("message").to_frame()
            found = messages.select(shape(pl.col("message"), names=True)).to_series()
            told = zip(self._number, found.to_list(), found.str.contains("[0-9]").to_list(), strict=False)
            known.update(zip(new, told, strict=False))
        return [known[line] for line in lines]


def picked(lines: pa.LargeStringArray, rows: npt.NDArray[np.intp]) -> pa.LargeStringArray:
    """These rows of the lines."""
    # Not pa.array(rows): it imports pandas to see whether rows are of its making.
    return lines.take(pa.Array.from_buffers(pa.int64(), len(rows), [None, pa.py_buffer(rows.astype(np.int64))]))


def _indices(encoded: pa.DictionaryArray) -> Codes:
    # to_numpy() imports pandas, which takes as long as a hundred megabytes of logs.
    indices = encoded.indices
    return np.frombuffer(indices.buffers()[1], dtype=np.int32, count=len(indices)).astype(np.int64)
