"""The distinct shapes of a file with their counts, in bounded memory."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import polars as pl

from components.logs.masking import WILDCARD
from components.logs.siblings import merge_siblings
from components.logs.variants import even_out

Codes = npt.NDArray[np.uint32]
Counts = npt.NDArray[np.int64]

#: Distinct shapes held at once, and their text. Where a file has more, they are merged into templates on the way; if
#: half of the room is still taken then, the rarest give way to the one template `<*>`, whose parameter is the message.
MAX_SHAPES, MAX_SHAPE_BYTES = 200_000, 128 << 20
#: Numbers of lines' shapes that stay in memory; the rest is in a temporary file.
MAX_CODE_BYTES = 256 << 20


@dataclass(frozen=True)
class MaskedBlock:
    """One block's distinct shapes in order of appearance, and which of them each line has."""

    texts: list[str]
    counts: Counts
    first: Counts
    last: Counts
    local_codes: Codes


@dataclass
class LineCodes:
    """The number of each line's shape, block by block; read again as often as asked."""

    lengths: list[int] = field(default_factory=list)
    #: Of each block: how many times shapes had been merged on the way when it was added.
    merges: list[int] = field(default_factory=list)
    #: Of each merge: the new number of each old one; the last one leads to the final numbers.
    maps: list[Codes] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._stream = tempfile.SpooledTemporaryFile(MAX_CODE_BYTES)  # noqa: SIM115 (closed with the object)

    def add(self, codes: Codes) -> None:
        self._stream.write(codes.astype(np.uint32).tobytes())
        self.lengths.append(len(codes))
        self.merges.append(len(self.maps))

    def __len__(self) -> int:
        return len(self.lengths)

    def __iter__(self) -> Iterator[Codes]:
        at = 0
        for length, merges in zip(self.lengths, self.merges, strict=True):
            self._stream.seek(at)
            codes = np.frombuffer(self._stream.read(4 * length), dtype=np.uint32)
            at += 4 * length
            for renumbered in self.maps[merges:]:
                codes = renumbered[codes]
            yield codes


class Shapes:
    """The distinct shapes met so far, numbered in the order of their first line."""

    def __init__(self, min_siblings: int) -> None:
        self.line_codes = LineCodes()
        self._min_siblings, self._lines, self._bytes = min_siblings, 0, 0
        self._codes: dict[str, int] = {}
        self._counts: list[int] = []
        self._first: list[int] = []
        self._last: list[int] = []

    def add(self, block: MaskedBlock) -> None:
        """Count a block of lines that follow those before."""
        codes = np.empty(len(block.texts), dtype=np.uint32)
        for local, text in enumerate(block.texts):
            code = self._codes.setdefault(text, len(self._counts))
            if code == len(self._counts):
                self._bytes += len(text)
                self._counts.append(0)
                self._first.append(self._lines + int(block.first[local]))
                self._last.append(0)
            self._counts[code] += int(block.counts[local])
            self._last[code] = self._lines + int(block.last[local])
            codes[local] = code
        self._lines += len(block.local_codes)
        self.line_codes.add(codes[block.local_codes])
        if len(self._codes) > MAX_SHAPES or self._bytes > MAX_SHAPE_BYTES:
            self._make_room()

    def templates(self) -> pl.DataFrame:
        """`shape, template, count, first_line, last_line` of each shape in the order of its number."""
        frame = self._frame()
        return frame.with_columns(merge_siblings(even_out(frame["shape"]), self._min_siblings))

    def _frame(self) -> pl.DataFrame:
        return pl.DataFrame(
            {
                "shape": pl.Series(list(self._codes), dtype=pl.String),
                "count": pl.Series(self._counts, dtype=pl.Int64),
                "first_line": pl.Series(self._first, dtype=pl.Int64),
                "last_line": pl.Series(self._last, dtype=pl.Int64),
            }
        )

    def _make_room(self) -> None:
        """Put merged templates in the place of their shapes; the rarest go where that is not enough."""
        frame = self.templates()
        sizes = frame.group_by("template").agg(pl.col("count").sum(), pl.col("first_line").min())
        sizes = sizes.sort(["count", "first_line"], descending=[True, False])
        room = sizes["template"].str.len_bytes().cum_sum() <= MAX_SHAPE_BYTES // 2
        kept = sizes.filter(room).head(MAX_SHAPES // 2)["template"].implode()
        template = pl.when(pl.col("template").is_in(kept)).then(pl.col("template")).otherwise(pl.lit(WILDCARD))
        frame = frame.with_columns(template.alias("template"))
        left = (
            frame.group_by("template")
            .agg(pl.col("count").sum(), pl.col("first_line").min(), pl.col("last_line").max())
            .sort("first_line")
        )
        self._codes = {text: code for code, text in enumerate(left["template"])}
        self._counts, self._first, self._last = (left[name].to_list() for name in ("count", "first_line", "last_line"))
        self._bytes = int(left["template"].str.len_bytes().sum())
        self.line_codes.maps.append(np.array([self._codes[text] for text in frame["template"]], dtype=np.uint32))
