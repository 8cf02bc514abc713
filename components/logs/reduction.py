"""A block of a log file to its archived lines: what a worker of the pipeline does, alone and again if need be."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from components.logs.archive import write_block
from components.logs.blocks import BlockRef
from components.logs.details import Reader
from components.logs.layouts import trace_in_text
from components.logs.lines import NOTHING, carry_on
from components.logs.masking import fill_column
from components.logs.reading import read_block
from components.logs.shapes import BlockCodes
from components.logs.shaping import Shaper
from components.logs.source import Block, Source, open_source


def archive_block(folder: str, ref: BlockRef, archive: str, year: int) -> dict[str, Any]:
    """Archive the lines of one block; returns its account. The bytes are the same on every run."""
    source = _source(str(Path(folder) / ref.path))
    parts, last = [], NOTHING
    for block in _blocks(source, ref):
        part, last = carry_on(_lines(source, block, year), last)
        parts.append(part)
    lines = pl.concat(parts).with_columns(pl.col("timestamp").fill_null(strategy="backward"))
    return write_block(archive, ref.name, lines)


def _blocks(source: Source, ref: BlockRef) -> list[Block]:
    if source.table is not None or source.is_compressed:
        return list(source.blocks())
    return [Block(read_block(source.path, ref.start, ref.end))]


def _lines(source: Source, block: Block, year: int) -> pl.DataFrame:
    """`timestamp, service, severity, trace_id, template, parameters, continues` of each line."""
    shaper = Shaper(source.messages)
    keys = shaper.keys_of(block.lines)
    codes = BlockCodes(keys.numbers, np.arange(len(keys.shapes)), keys.key_of.astype(np.uint32))
    shapes = pl.Series("template", keys.shapes, dtype=pl.String)
    read = Reader(source, shaper, year, with_messages=False).read(block, codes, shapes)
    frame = read.with_columns(shapes.gather(codes.shapes).alias("template"))
    frame = frame.with_columns(fill_column(frame))
    said = pl.coalesce("trace_id", trace_in_text(pl.col("message")))
    return frame.select(
        "timestamp", "service", "severity", said.alias("trace_id"), "template", "parameters", "continues"
    )


@lru_cache(maxsize=16)
def _source(path: str) -> Source:
    # A file's layout is learnt once per worker. It is learnt from the whole file, so that all blocks read alike.
    return open_source(Path(path))
