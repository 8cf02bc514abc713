"""The shapes of whole blocks of lines; the patterns of `masking` see each distinct folded line once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from threading import Lock

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from components.logs.columns import as_series, numbered
from components.logs.folding import Places, fold
from components.logs.masking import shape
from components.logs.names import digits_kept, restore

#: Text of distinct lines whose shapes are remembered from block to block; past this the memory starts anew.
MAX_REMEMBERED_BYTES = 64 << 20
#: Folded lines of which is remembered where their names have digits.
MAX_KEPT = 50_000
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

    texts: list[str]
    shapes: list[str]
    numbers: Codes
    key_of: Codes

    @property
    def lines(self) -> pl.Series:
        """The text of each key."""
        return pl.Series("line", self.texts, dtype=pl.String)


class Shaper:
    """Gives lines their shapes and remembers what it has seen; may be called from several threads."""

    def __init__(self, messages: Messages | None = None) -> None:
        """messages: how lines become their messages, where they are more; it may not tell digits apart."""
        self._messages = messages
        # Of each line: its number, its shape, and whether the shape has a digit.
        self._known: dict[str, tuple[int, str, bool]] = {}
        # Of the folded lines with such a shape, by their numbers: where those digits are.
        self._digits: dict[int, Places] = {}
        self._number = count()
        self._bytes = 0
        # Two threads that meet new lines mostly meet the same ones: the second waits for the first.
        self._lock = Lock()

    def keys_of(self, lines: pa.LargeStringArray) -> Keys:
        """A line's key is the folded line; where its shape keeps digits (ssh2), these are put back into it."""
        distinct, key_of = numbered(as_series(fold(lines)))
        keys = distinct.to_list()
        told = self._look_up(keys)
        named = np.fromiter((entry[2] for entry in told), dtype=bool, count=len(told))
        if named.any():
            rows, place = np.flatnonzero(named[key_of]), np.cumsum(named) - 1
            some = [key for key, is_named in zip(keys, named, strict=True) if is_named]
            kept = self._kept(some, [entry for entry, is_named in zip(told, named, strict=True) if is_named])
            restored, of = restore(lines, rows, place[key_of[rows]], some, kept)
            # The folded keys of those lines have no line any more.
            keys = [key for key, is_named in zip(keys, named, strict=True) if not is_named]
            told = [entry for entry in told if not entry[2]] + self._look_up(restored)
            key_of = np.cumsum(~named)[key_of] - 1
            key_of[rows] = len(keys) + of
            keys += restored
        numbers = np.fromiter((entry[0] for entry in told), dtype=np.int64, count=len(told))
        return Keys(keys, [entry[1] for entry in told], numbers, key_of)

    def _kept(self, lines: list[str], told: list[tuple[int, str, bool]]) -> list[Places]:
        """Where the digits stand that stay in the shapes of folded lines."""
        known = self._digits
        new = [row for row, entry in enumerate(told) if entry[0] not in known]
        if new:
            if len(known) > MAX_KEPT:
                known, new = {}, list(range(len(lines)))
                self._digits = known
            texts = pl.Series("line", [lines[row] for row in new], dtype=pl.String)
            shapes = pl.Series("shape", [told[row][1] for row in new], dtype=pl.String)
            found = digits_kept(texts, self._messages(texts) if self._messages else texts, shapes)
            known.update(zip((told[row][0] for row in new), found, strict=True))
        return [known[entry[0]] for entry in told]

    def _look_up(self, lines: list[str]) -> list[tuple[int, str, bool]]:
        known = self._known
        if all(map(known.__contains__, lines)):
            return [known[line] for line in lines]
        with self._lock:
            return self._look_up_new(lines)

    def _look_up_new(self, lines: list[str]) -> list[tuple[int, str, bool]]:
        known = self._known
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
