"""The distinct shapes of a file with their counts, in bounded memory."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from components.logs.enclosed import empty_enclosed
from components.logs.masking import WILDCARD
from components.logs.shaping import Codes, Keys
from components.logs.siblings import merge_siblings
from components.logs.variants import even_out, even_templates

#: Distinct shapes held at once, and their text. Where a file has more, they are merged into templates on the way; if
#: half of the room is still taken then, the rarest give way to the one template `<*>`, whose parameter is the message.
MAX_SHAPES, MAX_SHAPE_BYTES = 200_000, 128 << 20
#: Bytes of lines' keys that stay in memory; the rest is in a temporary file.
MAX_KEY_BYTES = 256 << 20
_Small = npt.NDArray[np.uint32]


@dataclass(frozen=True)
class BlockCodes:
    """Of one block: the number and the row of `shapes` of each of its keys, and each line's key."""

    keys: Codes
    shape_of_key: Codes
    key_of: _Small

    @property
    def shapes(self) -> Codes:
        """Each line's row of `shapes`."""
        found: Codes = self.shape_of_key[self.key_of]
        return found


class LineCodes:
    """What is kept of the lines of each block; read again as often as asked."""

    def __init__(self) -> None:
        self._stream = tempfile.SpooledTemporaryFile(MAX_KEY_BYTES)  # noqa: SIM115 (closed with the object)
        self._sizes: list[tuple[int, int, int]] = []
        self._maps: list[Codes] = []

    def add(self, keys: Keys, shape_of_key: Codes) -> None:
        for numbers in (keys.numbers, shape_of_key, keys.key_of):
            self._stream.write(numbers.astype(np.uint32).tobytes())
        self._sizes.append((len(keys.numbers), len(keys.key_of), len(self._maps)))

    def renumber(self, new: Codes) -> None:
        """Shapes of blocks added so far have other numbers from now on: `new` by the old ones."""
        self._maps.append(new)

    def __len__(self) -> int:
        return len(self._sizes)

    def __iter__(self) -> Iterator[BlockCodes]:
        at = 0
        for keys, lines, maps in self._sizes:
            self._stream.seek(at)
            part = np.frombuffer(self._stream.read(4 * (2 * keys + lines)), dtype=np.uint32)
            at += part.nbytes
            shapes = part[keys : 2 * keys].astype(np.int64)
            for renumbered in self._maps[maps:]:
                shapes = renumbered[shapes]
            yield BlockCodes(part[:keys].astype(np.int64), shapes, part[2 * keys :])


class Shapes:
    """The distinct shapes met so far, numbered in the order of their first line."""

    def __init__(self, min_siblings: int) -> None:
        self.line_codes = LineCodes()
        self._min_siblings, self._lines, self._bytes = min_siblings, 0, 0
        self._codes: dict[str, int] = {}
        self._counts: list[int] = []
        self._first: list[int] = []
        self._last: list[int] = []

    def add(self, keys: Keys) -> None:
        """Count a block of lines that follow those before."""
        counts = np.bincount(keys.key_of, minlength=len(keys.shapes))
        rows = np.arange(len(keys.key_of))
        first, last = np.zeros_like(counts), np.zeros_like(counts)
        last[keys.key_of], first[keys.key_of[::-1]] = rows, rows[::-1]
        shape_of_key = np.empty(len(counts), dtype=np.int64)
        for key in np.argsort(first, kind="stable").tolist():
            text = keys.shapes[key]
            code = self._codes.setdefault(text, len(self._counts))
            if code == len(self._counts):
                self._bytes += len(text)
                self._counts.append(0)
                self._first.append(self._lines + int(first[key]))
                self._last.append(0)
            self._counts[code] += int(counts[key])
            self._last[code] = max(self._last[code], self._lines + int(last[key]))
            shape_of_key[key] = code
        self._lines += len(keys.key_of)
        self.line_codes.add(keys, shape_of_key)
        if len(self._codes) > MAX_SHAPES or self._bytes > MAX_SHAPE_BYTES:
            self._make_room()

    def templates(self) -> pl.DataFrame:
        """`shape, template, count, first_line, last_line` of each shape in the order of its number."""
        frame = pl.DataFrame(
            {
                "shape": pl.Series(list(self._codes), dtype=pl.String),
                "count": pl.Series(self._counts, dtype=pl.Int64),
                "first_line": pl.Series(self._first, dtype=pl.Int64),
                "last_line": pl.Series(self._last, dtype=pl.Int64),
            }
        )
        emptied = pl.Series("shape", empty_enclosed(frame["shape"].to_list(), self._min_siblings), dtype=pl.String)
        evened, values = even_out(emptied)
        merged = merge_siblings(evened, self._min_siblings, values)
        return frame.with_columns(even_templates(merged, self._min_siblings))

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
        self.line_codes.renumber(np.array([self._codes[text] for text in frame["template"]], dtype=np.int64))
