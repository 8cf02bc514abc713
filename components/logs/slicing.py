"""Fields and parameters of lines, cut out of their bytes.

Lines with one key have their fields and parameters in the same places. So the places are found once per key, by the
patterns, and the texts of all lines are then gathered from the block's bytes at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from components.logs.folding import Places, spread
from components.logs.masking import WILDCARD, variables

_LONG = 1 << 20
_TEXTS = pl.List(pl.String)


class Bytes:
    """The bytes of a block of lines, to cut pieces out of."""

    def __init__(self, lines: pa.LargeStringArray) -> None:
        _, offsets, data = lines.buffers()
        self.starts: Places = np.frombuffer(offsets, dtype=np.int64)[lines.offset : lines.offset + len(lines)]
        self._data = np.frombuffer(data, dtype=np.uint8) if data is not None else np.empty(0, dtype=np.uint8)

    def cut(self, begins: Places, lengths: Places) -> pa.LargeStringArray:
        """The texts of pieces, given by their places among all bytes."""
        offsets = np.append(0, np.cumsum(lengths, dtype=np.int64))
        text = np.empty(offsets[-1], dtype=np.uint8)
        # Places take eight bytes per byte, which is too much for the few pieces that are huge.
        long = lengths > _LONG
        for piece in np.flatnonzero(long):
            begin = int(begins[piece])
            text[offsets[piece] : offsets[piece + 1]] = self._data[begin : begin + int(lengths[piece])]
        places, _ = spread(begins.astype(np.int64), np.where(long, 0, lengths).astype(np.int64))
        if long.any():
            text[spread(offsets[:-1], np.where(long, 0, lengths))[0]] = self._data[places]
        else:
            text = self._data[places]
        return pa.LargeStringArray.from_buffers(len(lengths), pa.py_buffer(offsets), pa.py_buffer(text))


def cut_field(block: Bytes, at: pl.Series, length: pl.Series) -> pl.Series:
    """One field of each line; `at` and `length` say where it is in the line, null where it has none."""
    known = at.is_not_null().to_numpy()
    lengths = length.fill_null(0).cast(pl.Int64).to_numpy()
    texts = pl.Series(pl.from_arrow(block.cut(block.starts + at.fill_null(0).cast(pl.Int64).to_numpy(), lengths)))
    return texts if known.all() else texts.zip_with(pl.Series(known), pl.Series([None], dtype=pl.String))


@dataclass(frozen=True)
class Pieces:
    """Where each key's lines have their parameters, in bytes from the line's begin; `counts` of each key."""

    begins: Places
    lengths: Places
    counts: Places

    def of(self, key: int) -> tuple[Places, Places]:
        end = int(self._ends[key])
        some = slice(end - int(self.counts[key]), end)
        return self.begins[some], self.lengths[some]

    @cached_property
    def _ends(self) -> Places:
        ends: Places = np.cumsum(self.counts)
        return ends


def find_parameters(keys: pl.DataFrame) -> Pieces:
    """Where the parameters of keys are; `message, message_at, shape, template` of each."""
    known = key_parameters(keys)
    counts = known.list.len().to_numpy().astype(np.int64)
    return Pieces(*_places(keys, known, counts), counts)


def cut_parameters(block: Bytes, key_of: npt.NDArray[Any], pieces: Pieces) -> pl.Series:
    """The parameters of each line, as lists of text; `key_of` is each line's key."""
    counts = pieces.counts[key_of]
    piece, first = spread((np.cumsum(pieces.counts) - pieces.counts)[key_of], counts)
    texts = block.cut(np.repeat(block.starts, counts) + pieces.begins[piece], pieces.lengths[piece])
    offsets = pa.py_buffer(np.append(first, len(piece)))
    lists = pa.Array.from_buffers(pa.large_list(pa.large_string()), len(counts), [None, offsets], children=[texts])
    return pl.Series("parameters", pl.from_arrow(lists), dtype=_TEXTS)


def key_parameters(keys: pl.DataFrame) -> pl.Series:
    """The concrete text behind every `<*>` of the templates of `message, shape, template`, as lists.

    Where the template is the message's own shape, its variables are the parameters; elsewhere words of the shape
    became variables too, and the template itself is matched against the message.
    """
    numbered = keys.select("message", "shape", "template").with_row_index("row")
    is_own = pl.col("template") == pl.col("shape")
    parts = [numbered.filter(is_own).select("row", variables(pl.col("message"), names=True).alias("parameters"))]
    for (template,), group in numbered.filter(~is_own).group_by("template"):
        parts.append(group.select("row", _match(str(template)).alias("parameters")))
    return pl.concat(parts).sort("row")["parameters"].cast(_TEXTS)


def _match(template: str) -> pl.Expr:
    # Shortest first: any split that the whole template allows puts the message together again.
    pieces = [pl.escape_regex(piece) for piece in template.split(WILDCARD)]
    if len(pieces) == 1:
        return pl.lit([], dtype=_TEXTS)
    groups = pl.col("message").str.extract_groups("(?s)^" + "(.*?)".join(pieces) + "$")
    return pl.concat_list([groups.struct.field(str(i)) for i in range(1, len(pieces))])


def _places(keys: pl.DataFrame, known: pl.Series, per_key: Places) -> tuple[Places, Places]:
    """Where each parameter of each key begins within a line, and how long it is."""
    lengths = _lengths(known)
    literals = _lengths(keys["template"].str.split(WILDCARD))
    # A template has one literal more than parameters; those behind the last parameter are left out.
    is_last = np.zeros(len(literals), dtype=bool)
    is_last[np.cumsum(per_key + 1) - 1] = True
    before = literals[~is_last]
    ends = np.cumsum(before + lengths)
    key_start = np.append(0, ends)[np.cumsum(per_key) - per_key]
    at = keys["message_at"].cast(pl.Int64).to_numpy()
    return ends - lengths + np.repeat(at - key_start, per_key), lengths


def _lengths(lists: pl.Series) -> Places:
    texts: Any = lists.explode(empty_as_null=False) if lists.list.len().sum() else pl.Series([], dtype=pl.String)
    found: Places = texts.str.len_bytes().to_numpy().astype(np.int64)
    return found
