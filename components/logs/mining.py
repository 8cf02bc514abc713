"""The miner: blocks of messages in, one table of shapes with exact counts, and each line's shape by number.

The kernels (mask, hash, group) run on whole blocks, two blocks at a time; Python sees distinct shapes only.
Held in memory: the distinct shapes, four bytes per line, and a few blocks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import polars as pl

from components.logs.folding import Shaper
from components.logs.masking import template_id
from components.logs.siblings import merge_siblings
from components.logs.variants import even_out

T = TypeVar("T")
R = TypeVar("R")
Codes = npt.NDArray[np.uint32]

# Blocks in work at once: the kernels release the GIL, and one more keeps the reader ahead.
_WORKERS = 2


@dataclass
class Shapes:
    """The distinct shapes met so far, numbered in the order of their first line."""

    texts: list[str] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)
    first_lines: list[int] = field(default_factory=list)
    last_lines: list[int] = field(default_factory=list)
    lines: int = 0
    _codes: dict[str, int] = field(default_factory=dict)

    def add(self, block: MaskedBlock) -> Codes:
        """Count a block of lines that follow those before; returns the number of each line's shape."""
        codes = np.empty(len(block.texts), dtype=np.uint32)
        for local, text in enumerate(block.texts):
            code = self._codes.setdefault(text, len(self.texts))
            if code == len(self.texts):
                self.texts.append(text)
                self.counts.append(0)
                self.first_lines.append(self.lines + int(block.first[local]))
                self.last_lines.append(0)
            self.counts[code] += int(block.counts[local])
            self.last_lines[code] = self.lines + int(block.last[local])
            codes[local] = code
        self.lines += len(block.local_codes)
        return codes[block.local_codes]


@dataclass(frozen=True)
class MaskedBlock:
    """One block's distinct shapes in order of appearance, and which of them each line has."""

    texts: list[str]
    counts: npt.NDArray[np.int64]
    first: npt.NDArray[np.int64]
    last: npt.NDArray[np.int64]
    local_codes: Codes


@dataclass(frozen=True)
class Mined:
    """A file's templates, and the way from each line to its template.

    shapes: one row per distinct shape: `template`, `template_id`, `merged` (the template is not the shape).
    templates: `template_id, template, count, first_line, last_line`, in order of the first line.
    line_codes: per block, each line's row of `shapes`.
    """

    shapes: pl.DataFrame
    templates: pl.DataFrame
    line_codes: list[Codes]


def mine(blocks: Iterable[pl.Series], min_siblings: int, message: pl.Expr | None = None) -> Mined:
    """Mine blocks of lines; the result depends on the lines alone, not on where blocks were cut.

    message: how a line becomes its message, see `Shaper`; without it the lines are messages.
    """
    shapes, shaper = Shapes(), Shaper(message)
    line_codes = [shapes.add(block) for block in in_parallel(lambda lines: mask_block(lines, shaper), blocks)]
    texts = pl.Series("shape", shapes.texts, dtype=pl.String)
    templates = merge_siblings(even_out(texts), min_siblings)
    frame = pl.DataFrame(
        {
            "template": templates,
            "merged": templates != texts,
            "count": pl.Series(shapes.counts, dtype=pl.Int64),
            "first_line": pl.Series(shapes.first_lines, dtype=pl.Int64),
            "last_line": pl.Series(shapes.last_lines, dtype=pl.Int64),
        }
    ).with_columns(template_ids(templates))
    counted = (
        frame.group_by("template_id", "template")
        .agg(pl.col("count").sum(), pl.col("first_line").min(), pl.col("last_line").max())
        .sort("first_line")
    )
    return Mined(frame.select("template_id", "template", "merged"), counted, line_codes)


def mask_block(lines: pl.Series, shaper: Shaper) -> MaskedBlock:
    """Mask one block and number its distinct shapes."""
    texts, codes = shaper.shapes_of(lines)
    last = np.zeros(len(texts), dtype=np.int64)
    last[codes] = np.arange(len(codes))
    _, first, counts = np.unique(codes, return_index=True, return_counts=True)
    return MaskedBlock(texts, counts.astype(np.int64), first.astype(np.int64), last, codes.astype(np.uint32))


def template_ids(templates: pl.Series) -> pl.Series:
    """The ids of a column of templates."""
    return pl.Series("template_id", [template_id(text) for text in templates], dtype=pl.String)


def in_parallel(work: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
    """The results of `work` in the order of the items, a few at a time."""
    source = iter(items)
    with ThreadPoolExecutor(_WORKERS) as pool:
        running: list[Future[R]] = [pool.submit(work, item) for item in islice(source, _WORKERS + 1)]
        while running:
            result = running.pop(0).result()
            running += [pool.submit(work, item) for item in islice(source, 1)]
            yield result
