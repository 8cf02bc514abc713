"""Whether lines name the same things as the other lines of a trace do: order 4711, a session, a pod."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

from components.logs.candidates import Rows
from components.logs.folding import spread

# A value has a digit and at least four characters; one that stands in a single line, or in many, tells nothing.
_VALUE = r"(?-u:[A-Za-z0-9_-]*[0-9][A-Za-z0-9_-]*)"
_LEAST_CHARS, _MOST_LINES = 4, 200
#: Values of a line that are looked at: the rarest. They often come together, so that more would count twice.
_VALUES = 3
#: What is believed before: so many lines with the value, spread evenly over the traces that are open.
_PRIOR = 1.0
Floats = npt.NDArray[np.float64]


class Consistency:
    """The field-consistency score of pairs of a line and a trace that may be its."""

    def __init__(self, messages: pl.Series, line: Rows, trace: Rows) -> None:
        """messages: of all lines; line, trace: of each pair, sorted by line."""
        pairs, self._pair = np.unique(np.stack([line, trace]), axis=1, return_inverse=True)
        lines, first, counts = np.unique(pairs[0], return_index=True, return_counts=True)
        values = _values(messages.gather(lines))
        of = values["line"].to_numpy().astype(np.int64)
        place, _ = spread(first[of], counts[of])
        self._row, self._size = place, len(pairs[0])
        repeated = np.repeat(np.arange(len(of)), counts[of])
        self._lines = values["lines"].to_numpy().astype(np.float64)[repeated]
        self._open = counts[of].astype(np.float64)[repeated]
        value = values["value"].to_numpy().astype(np.int64)[repeated]
        _, self._cell = np.unique(np.stack([value, pairs[1][place]]), axis=1, return_inverse=True)

    def scores(self, weights: Floats) -> Floats:
        """Of each pair: how many times as likely the line's values are in the trace as in one of those open by chance.

        weights: how probable each pair is as yet. Of the other lines with a value, those of the trace count
        (the predictive probability of Dirichlet's distribution, over the even one).
        """
        likely = np.bincount(self._pair, weights, minlength=self._size)[self._row]
        others = np.maximum(np.bincount(self._cell, likely)[self._cell] - likely, 0.0) if len(likely) else likely
        ratio = (others + _PRIOR / self._open) / (self._lines - 1 + _PRIOR) * self._open
        found: Floats = np.exp(np.bincount(self._row, np.log(ratio), minlength=self._size))
        return found[self._pair]


def _values(messages: pl.Series) -> pl.DataFrame:
    """`line, value, lines` of the values that lines share: the row of the message, a number, and how many have it."""
    named = messages.to_frame("message").with_row_index("line")
    found = named.select("line", pl.col("message").str.extract_all(_VALUE).list.unique().alias("value")).explode(
        "value"
    )
    found = found.filter(pl.col("value").str.len_chars() >= _LEAST_CHARS)
    shared = found.with_columns(pl.len().over("value").alias("lines"))
    shared = shared.filter(pl.col("lines").is_between(2, _MOST_LINES)).sort("line", "lines", "value")
    rarest = shared.group_by("line", maintain_order=True).head(_VALUES)
    return rarest.with_columns(pl.col("value").rank("dense"))
