"""Fields and parameters of lines, cut out of their bytes.

Lines with one key have their fields and parameters in the same places. So the places are found once per key, by the
patterns, and the texts of all lines are then gathered from the block's bytes at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from components.logs.folding import Places, spread
from components.logs.masking import WILDCARD, variables

_TEXTS = pl.List(pl.String)
_VIEWS = pl.CompatLevel.newest()


class Bytes:
    """The bytes of a block of lines, to cut pieces out of."""

    def __init__(self, lines: pa.LargeStringArray) -> None:
        self._lines = pl.Series("line", pl.from_arrow(lines), dtype=pl.String).cast(pl.Binary)

    def cut(self, rows: Places | None, begins: Places, lengths: Places) -> pl.Series:
        """The texts of pieces, given by their line's row (each line once where None) and their place in it in bytes."""
        # Pieces are views of the block: none of its bytes is copied.
        lines = self._lines if rows is None else self._lines.gather(rows)
        pieces = pl.DataFrame({"line": lines, "begin": begins, "length": lengths})
        return pieces.select(pl.col("line").bin.slice("begin", "length").cast(pl.String)).to_series()


def cut_field(block: Bytes, at: pl.Series, length: pl.Series) -> pl.Series:
    """One field of each line; `at` and `length` say where it is in the line, null where it has none."""
    known = at.is_not_null().to_numpy()
    lengths = length.fill_null(0).cast(pl.Int64).to_numpy()
    texts = block.cut(None, at.fill_null(0).cast(pl.Int64).to_numpy(), lengths)
    return texts if known.all() else texts.zip_with(pl.Series(known), pl.Series([None], dtype=pl.String))


@dataclass(frozen=True)
class Pieces:
    """Where each key's lines have their parameters, in bytes from the line's begin; `counts` of each key."""

    begins: Places
    lengths: Places
    counts: Places

    def take(self, keys: Places) -> Pieces:
        """The pieces of these keys, which may repeat."""
        piece, _ = self.of(keys)
        return Pieces(self.begins[piece], self.lengths[piece], self.counts[keys])

    def of(self, keys: Places) -> tuple[Places, Places]:
        """The rows of the pieces of these keys, one key after another, and where each key begins among them."""
        return spread((np.cumsum(self.counts) - self.counts)[keys], self.counts[keys])

    def plus(self, other: Pieces) -> Pieces:
        """The pieces of the keys of both."""
        parts = zip((self.begins, self.lengths, self.counts), (other.begins, other.lengths, other.counts), strict=True)
        return Pieces(*(np.concatenate(part) for part in parts))


def find_parameters(keys: pl.DataFrame) -> Pieces:
    """Where the parameters of keys are; `message, message_at, shape, template` of each."""
    known = key_parameters(keys)
    counts = known.list.len().to_numpy().astype(np.int64)
    return Pieces(*_places(keys, known, counts), counts)


def cut_parameters(block: Bytes, key_of: npt.NDArray[Any], pieces: Pieces) -> pl.Series:
    """The parameters of each line, as lists of text; `key_of` is each line's key."""
    counts = pieces.counts[key_of]
    piece, _ = pieces.of(key_of)
    rows = np.repeat(np.arange(len(counts)), counts)
    return _in_lists(block.cut(rows, pieces.begins[piece], pieces.lengths[piece]), counts)


def _in_lists(texts: pl.Series, counts: Places) -> pl.Series:
    """Texts one after another as lists of so many each, without a copy."""
    values = texts.to_arrow(compat_level=_VIEWS)
    offsets = pa.py_buffer(np.append(0, np.cumsum(counts, dtype=np.int64)))
    lists = pa.Array.from_buffers(pa.large_list(values.type), len(counts), [None, offsets], children=[values])
    return pl.Series("parameters", pl.from_arrow(lists), dtype=_TEXTS)


def key_parameters(keys: pl.DataFrame) -> pl.Series:
    """The concrete text behind every `<*>` of the templates of `message, shape, template`, as lists.

    Where the template is the message's own shape, its variables are the parameters; elsewhere words of the shape
    became variables too, and what stands between the template's literals are the parameters.
    """
    numbered = keys.select("message", "shape", "template").with_row_index("row")
    is_own = pl.col("template") == pl.col("shape")
    own = numbered.filter(is_own).select("row", variables(pl.col("message"), names=True).alias("parameters"))
    rest = numbered.filter(~is_own)
    literals = {template: template.split(WILDCARD) for template in rest["template"].unique()}
    values = [_between(literals[template], text) for template, text in rest.select("template", "message").iter_rows()]
    texts = pl.Series("text", list(chain.from_iterable(values)), dtype=pl.String)
    others = rest.select("row").with_columns(_in_lists(texts, np.array([len(one) for one in values], dtype=np.int64)))
    return pl.concat([own.cast(others.schema), others]).sort("row")["parameters"]


def _between(literals: Sequence[str], message: str) -> list[str]:
    """What stands between the literals of a message's template, each as short as it can be.

    A literal that is taken where it first occurs leaves the most room for those behind it; the last one is the end.
    Of a message that lacks one (its line reads otherwise than the folded line does), the rest is the next value.
    """
    values, at = [], len(literals[0])
    for literal in literals[1:-1]:
        found = message.find(literal, at)
        end = found if found >= 0 else len(message)
        values.append(message[at:end])
        at = min(end + len(literal), len(message))
    return [*values, message[at : len(message) - len(literals[-1])]] if len(literals) > 1 else []


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
