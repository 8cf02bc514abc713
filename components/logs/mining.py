"""The miner: blocks of lines in, one table of templates with exact counts, and each line's template by number.

The kernels (fold, hash, group) run on whole blocks, two blocks at a time; Python sees distinct shapes only. Held in
memory: at most MAX_SHAPES distinct shapes, and four bytes per line up to MAX_KEY_BYTES; what is more goes to disk.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

import polars as pl
import pyarrow as pa

from components.logs.masking import template_id
from components.logs.shapes import LineCodes, Shapes
from components.logs.shaping import Shaper

T = TypeVar("T")
R = TypeVar("R")

# Blocks in work at once: the kernels release the GIL, and one more keeps the reader ahead.
_WORKERS = 2


@dataclass(frozen=True)
class Mined:
    """A file's templates, and the way from each line to its template.

    shapes: one row per distinct shape, in the order of its first line: `template`, `template_id`.
    templates: `template_id, template, count, first_line, last_line`, in the order of the first line.
    line_codes: per block, each line's key and its row of `shapes`.
    """

    shapes: pl.DataFrame
    templates: pl.DataFrame
    line_codes: LineCodes


def mine(blocks: Iterable[pa.LargeStringArray], min_siblings: int, shaper: Shaper | None = None) -> Mined:
    """Mine blocks of lines; the result depends on the lines alone, not on where blocks were cut.

    shaper: knows how lines become their messages; without one the lines are messages.
    """
    shapes = Shapes(min_siblings)
    for keys in in_parallel((shaper or Shaper()).keys_of, blocks):
        shapes.add(keys)
    frame = shapes.templates()
    frame = frame.with_columns(template_ids(frame["template"]))
    counted = (
        frame.group_by("template_id", "template")
        .agg(pl.col("count").sum(), pl.col("first_line").min(), pl.col("last_line").max())
        .sort("first_line")
    )
    return Mined(frame.select("template_id", "template"), counted, shapes.line_codes)


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
