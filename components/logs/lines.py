"""The table of lines that `traceo logs` writes, block by block."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from components.core.errors import InputError
from components.core.times import TIME_DTYPE
from components.logs.categories import categorize, with_severity
from components.logs.details import Reader
from components.logs.layouts import trace_in_text
from components.logs.mining import Mined, in_parallel
from components.logs.shapes import BlockCodes
from components.logs.shaping import Shaper
from components.logs.source import Block, Source
from components.logs.tracing import link_traces

COLUMNS = (
    "line", "timestamp", "severity", "service", "categories", "template_id", "template", "parameters", "cluster"
)  # fmt: skip
TRACE_COLUMNS = ("trace_id", "trace_probability")


def assigned_lines(mined: Mined) -> Iterator[pl.DataFrame]:
    """`line, template_id` of every line."""
    start = 0
    for codes in mined.line_codes:
        ids = mined.shapes["template_id"].gather(codes.shapes)
        lines = pl.int_range(start, start + len(ids), dtype=pl.Int64, eager=True).alias("line")
        yield pl.DataFrame([lines, ids])
        start += len(ids)


def detailed_lines(
    source: Source, mined: Mined, shaper: Shaper, clusters: pl.Series, year: int, spans: pl.DataFrame | None
) -> Iterator[pl.DataFrame]:
    """COLUMNS, and TRACE_COLUMNS where spans are given, of every line; `clusters` is aligned to the templates."""
    clustered = mined.templates.select("template_id").with_columns(clusters.alias("cluster"))
    about = mined.shapes.join(clustered, on="template_id", how="left", maintain_order="left")
    about = about.with_columns(categorize(pl.col("template")).alias("categories"))
    reader = Reader(source, shaper, year, with_messages=spans is not None)

    def detail(part: tuple[Block, BlockCodes]) -> pl.DataFrame:
        block, codes = part
        return pl.concat([reader.read(block, codes, about["template"]), about[codes.shapes]], how="horizontal")

    start, last = 0, NOTHING
    for frame in in_parallel(detail, _as_mined(source, mined)):
        frame, last = carry_on(frame, last)
        numbers = pl.int_range(start, start + len(frame), dtype=pl.Int64)
        start += len(frame)
        frame = frame.with_columns(numbers.alias("line"), line_categories(frame))
        if spans is None:
            yield frame.select(COLUMNS)
        else:
            links = link_traces(frame.select("message", "timestamp", "service", _trace(), "template_id"), spans)
            yield pl.concat([frame.select(COLUMNS), links], how="horizontal")


def _trace() -> pl.Expr:
    return pl.coalesce("trace_id", trace_in_text(pl.col("message"))).alias("trace_id")


_CARRIED: dict[str, Any] = {"timestamp": TIME_DTYPE, "severity": pl.String, "service": pl.String}
NOTHING = pl.DataFrame(schema=_CARRIED)


def carry_on(frame: pl.DataFrame, last: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Lines that continue a record (the frames of a stack trace) get its time, severity and service.

    last: the fields of the last line before these, no row where there is none; that of these lines is returned.
    """
    if frame["continues"].any():
        row = pl.int_range(pl.len())
        head = pl.when(~pl.col("continues")).then(row).forward_fill()
        filled = {name: pl.col(name).gather(head) for name in _CARRIED}
        before = {name: pl.lit(last[name][0] if len(last) else None, dtype=dtype) for name, dtype in _CARRIED.items()}
        frame = frame.with_columns(
            pl.when(head.is_null()).then(before[name]).otherwise(filled[name]).alias(name) for name in _CARRIED
        )
    return frame, frame.select(*_CARRIED)[-1:] if len(frame) else last


def line_categories(frame: pl.DataFrame) -> pl.Series:
    """The categories of each line: those of its template, and what its severity adds."""
    pairs = frame.select("categories", "severity")
    distinct = pairs.unique()
    told = distinct.with_columns(with_severity(pl.col("categories"), pl.col("severity")).alias("told"))
    joined = pairs.join(told, on=["categories", "severity"], how="left", nulls_equal=True, maintain_order="left")
    return joined["told"].alias("categories")


def _as_mined(source: Source, mined: Mined) -> Iterator[tuple[Block, BlockCodes]]:
    """The blocks once more, with the codes of their lines; InputError where they are not those that were mined."""
    blocks = source.blocks()
    for codes in mined.line_codes:
        block = next(blocks, None)
        if block is None or len(block.lines) != len(codes.key_of):
            raise InputError(f"{source.path}: changed while it was read; mine a copy of it")
        yield block, codes


@dataclass
class Tally:
    """What went by while lines were written: lines per minute and severity, links, clusters."""

    lines: int = 0
    linked: int | None = None
    clusters: pl.Series | None = None
    minutes: list[pl.DataFrame] = field(default_factory=list)

    def add(self, piece: pl.DataFrame) -> None:
        self.lines += len(piece)
        if "trace_id" in piece.columns:
            self.linked = (self.linked or 0) + len(piece) - piece["trace_id"].null_count()
        if "timestamp" in piece.columns:
            minute = pl.col("timestamp").dt.truncate("1m")
            self.minutes.append(piece.group_by(minute, pl.col("severity").fill_null("unknown")).len("count"))

    def over_time(self) -> pl.DataFrame:
        """`timestamp, severity, count` per minute; lines without a time are left out."""
        if not self.minutes:
            return pl.DataFrame(schema={"timestamp": TIME_DTYPE, "severity": pl.String, "count": pl.UInt32})
        seen = pl.concat(self.minutes).drop_nulls("timestamp")
        return seen.group_by("timestamp", "severity").agg(pl.col("count").sum()).sort("timestamp", "severity")

    def describe(self, templates: pl.DataFrame) -> str:
        """A summary in a few lines for a person."""
        parts = [f"{self.lines:,} lines", f"{len(templates):,} templates"]
        if self.clusters is not None:
            parts.append(f"{self.clusters.filter(self.clusters >= 0).n_unique():,} clusters")
        if self.linked is not None:
            parts.append(f"{self.linked:,} lines linked to traces")
        counted = pl.concat(self.minutes).group_by("severity").agg(pl.col("count").sum()) if self.minutes else None
        if counted is not None:
            known = counted.filter(pl.col("severity") != "unknown").sort(
                ["count", "severity"], descending=[True, False]
            )
            parts += [f"{count:,} {severity}" for severity, count in known.iter_rows()]
        top = templates.sort(["count", "first_line"], descending=[True, False]).head(3)
        often = [
            f"  {count:>9,}  {_one_line(text)[:100]}" for count, text in top.select("count", "template").iter_rows()
        ]
        return "\n".join([", ".join(parts), *often])


def _one_line(text: str) -> str:
    """A template that spans lines (a stack trace) as one."""
    return " ⏎ ".join(text.splitlines())
