"""Are lines linked to the traces they were written in, when they do not say so? Nezha's lines, ids withheld."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import polars as pl

from components.core.times import TIME_DTYPE
from components.logs.candidates import open_spans
from components.logs.masking import shape
from components.logs.tracing import MIN_PROBABILITY, link_traces
from tests.benchmarks.results import table, wilson

_IDS = r"(?i)(?:trace|span)_?id\"*\s*:?\s*\"*[0-9a-f]{16,32}|[0-9a-f]{32}"


def report(data: Path) -> list[str]:
    """The paragraphs of RESULTS.md on links to traces."""
    rows = []
    for day in sorted(path for path in (data / "rca" / "nezha").iterdir() if (path / "log").is_dir()):
        judged = pl.concat([judge(part) for part in minutes(day)])
        for name, part in (
            ("all", judged),
            ("one trace open", judged.filter(pl.col("open") == 1)),
            ("several open", judged.filter(pl.col("open") > 1)),
        ):
            rows.append([day.name, name, *_shares(part)])
    return [
        "### Lines to traces",
        "Nezha's log lines with a trace id, ids removed from fields and text; candidates are all spans of the minutes "
        "around. *One trace open*: a single trace has a span of the line's pod around its time (within a millisecond). "
        "Precision: of the lines that were given a trace, those given theirs; recall: of all lines, those given theirs "
        f"(a trace is given from a probability of {MIN_PROBABILITY} on). Naive: the trace whose span began last before "
        "the line, always given. Intervals are 95 % Wilson, as if lines were independent.",
        table(("day", "lines", "precision", "recall", "naive precision", "n", "open traces"), rows),
    ]


def minutes(day: Path) -> list[tuple[pl.DataFrame, pl.DataFrame]]:
    """Lines (`message, timestamp, service, trace_id`) and spans of each run of minutes of one day."""
    found = []
    for file in sorted((day / "log").glob("*_log.csv")):
        traces = sorted((day / "trace").glob("*_trace.csv"))
        at = _minute(file)
        near = [trace for trace in traces if abs(_minute(trace) - at) <= 1]
        if near:
            found.append((_lines(file), pl.concat([_spans(trace) for trace in near]).unique(maintain_order=True)))
    return found


def judge(part: tuple[pl.DataFrame, pl.DataFrame]) -> pl.DataFrame:
    """`trace_id, found, naive, open` of each line whose trace has a span of its pod."""
    lines, spans = part
    known = spans.select("trace_id", "service").unique()
    lines = lines.join(known, on=["trace_id", "service"], how="semi", maintain_order="left").with_row_index("row")
    template = shape(pl.col("message")).alias("template_id")
    nothing = pl.lit(None, pl.String).alias("trace_id")
    linked = link_traces(lines.select("message", "timestamp", "service", nothing, template), spans)
    line, span = open_spans(lines.drop("row"), spans, 1000)
    pairs = spans[span].with_columns(pl.Series("row", line, dtype=pl.UInt32)).sort("row", "start_time", "trace_id")
    opened, last = pl.col("trace_id").n_unique().alias("open"), pl.col("trace_id").last().alias("naive")
    about = pairs.group_by("row").agg(opened, last)
    judged = lines.with_columns(linked["trace_id"].alias("found")).join(about, on="row", how="left")
    return judged.select("trace_id", "found", "naive", pl.col("open").fill_null(0).cast(pl.Int64))


def _shares(judged: pl.DataFrame) -> list[str]:
    given = judged.drop_nulls("found")
    right = int((given["found"] == given["trace_id"]).sum())
    guessed = judged.drop_nulls("naive")
    return [
        wilson(right, len(given)),
        wilson(right, len(judged)),
        wilson(int((guessed["naive"] == guessed["trace_id"]).sum()), len(guessed)),
        f"{len(judged):,}",
        f"{np.mean(judged['open'].to_numpy()):.1f}" if len(judged) else "–",
    ]


def _minute(path: Path) -> int:
    hour, minute = path.name.split("_")[:2]
    return int(hour) * 60 + int(minute)


def _lines(file: Path) -> pl.DataFrame:
    with file.open(newline="", encoding="utf-8", errors="replace") as stream:
        rows = [(row["Log"], int(row["TimeUnixNano"]) // 1000, row["PodName"], row["TraceID"])
                for row in csv.DictReader(stream) if row["TraceID"] and row["TimeUnixNano"].isdigit()]  # fmt: skip
    schema = {"message": pl.String, "timestamp": pl.Int64, "service": pl.String, "trace_id": pl.String}
    frame = pl.DataFrame([(_inner(text), *rest) for text, *rest in rows], schema=schema, orient="row")
    return frame.with_columns(
        pl.col("message").str.replace_all(_IDS, ""),
        pl.from_epoch("timestamp", "us").dt.replace_time_zone("UTC").cast(TIME_DTYPE),
    )


def _inner(text: str) -> str:
    try:
        return str(json.loads(text)["log"])
    except (ValueError, KeyError, TypeError):
        return text


def _spans(file: Path) -> pl.DataFrame:
    frame = pl.read_csv(file, infer_schema_length=0, truncate_ragged_lines=True)
    start = pl.col("StartTimeUnixNano").cast(pl.Int64, strict=False) // 1000
    return frame.select(
        trace_id="TraceID",
        service="PodName",
        start_time=pl.from_epoch(start, "us").dt.replace_time_zone("UTC").cast(TIME_DTYPE),
        duration_us=pl.col("Duration").cast(pl.Int64, strict=False),
        name="OperationName",
        span_id="SpanID",
    ).drop_nulls()
