"""The steps of the logs domain."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import polars as pl

from components.core.lake import Lake
from components.core.step import StepIO
from components.core.times import Window, floor, iso, merge, parse_instant, subtract
from components.logs.change import compare_windows
from components.logs.counting import SLOT, count_lines
from components.logs.specs import MineParams

_SURPRISES = 5
_BAD = ("ERROR", "FATAL", "CRITICAL", "SEVERE", "ALERT", "EMERG", "PANIC")


def mine(io: StepIO, params: MineParams) -> dict[str, Any]:
    """Count the lines of every window that the logs cover and `log_counts` does not yet."""
    lake = io.lake()
    as_of = parse_instant(params.as_of) if params.as_of else lake.watermark("metrics") or lake.watermark("logs")
    gaps = _gaps(lake, as_of, params.lookback_h) if as_of else []
    lines = rows = 0
    for gap in gaps:
        counts = count_lines(lake.read("logs", gap))
        lines, rows = lines + int(counts["count"].sum()), rows + len(counts)
        lake.write_window("log_counts", counts, gap, producer=io.producer, params=io.params)
    mined = {
        "as_of": iso(as_of) if as_of else None,
        "windows": len(gaps),
        "lines": lines,
        "rows": rows,
        "surprising": _surprises(lake, gaps, params) if gaps else [],
    }
    io.write_json("mined", mined)
    return mined


def _gaps(lake: Lake, as_of: datetime, lookback_h: float) -> list[Window]:
    """Windows to count: whole five minutes that the logs cover, within one day each, oldest first.

    A slot that the logs begin in is counted, one that they end in waits for its rest.
    """
    end = floor(as_of, SLOT)
    window = Window(floor(end - timedelta(hours=lookback_h), SLOT), end)
    covered = [Window(floor(part.start, SLOT), max(floor(part.start, SLOT), floor(part.end, SLOT)))
               for part in lake.coverage("logs")]  # fmt: skip
    uncovered = subtract(window, covered)
    open_parts = subtract(window, merge([*uncovered, *lake.coverage("log_counts")]))
    return [piece for part in open_parts for piece in part.split_by_day()]


def _surprises(lake: Lake, gaps: list[Window], params: MineParams) -> list[dict[str, Any]]:
    """The least likely error templates of what was mined last, given the time before it; see MineParams.compared_h."""
    end = gaps[-1].end
    start = max(gaps[0].start, end - timedelta(hours=params.compared_h / 24))
    after = Window(start, end)
    before = Window(start - timedelta(hours=params.compared_h), start)
    past = [part for part in lake.coverage("log_counts") if part.start < start]
    if not past:
        return []
    before = Window(max(before.start, past[0].start), start)
    frames = [_errors(lake, window) for window in (before, after)]
    hours = [window.length.total_seconds() / 3600 for window in (before, after)]
    changes = compare_windows(frames[0], frames[1], hours[0], hours[1], params.max_p_value)
    risen = changes.filter(pl.col("change").is_in(["new", "multiplied"])).head(_SURPRISES)
    examples = (
        frames[1]
        .group_by("template_id")
        .agg(pl.col("service").sort().first(), pl.col("example").sort_by("timestamp", "service").first())
    )
    told = risen.join(examples, on="template_id", how="left", maintain_order="left")
    return told.select(
        "change", "service", "template_id", "template", "before", "after", "p_value", "example"
    ).to_dicts()


def _errors(lake: Lake, window: Window) -> pl.DataFrame:
    severe = pl.col("severity").str.to_uppercase().str.starts_with("ERR") | pl.col("severity").str.to_uppercase().is_in(
        _BAD
    )
    return lake.scan("log_counts", window).filter(severe).collect()
