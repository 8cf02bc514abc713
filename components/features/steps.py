"""The feature steps."""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Any

import polars as pl

from components.core.catalog import load_catalog
from components.core.lake import Lake
from components.core.step import StepIO
from components.core.times import Window, floor, iso
from components.features.aggregates import STEP, aligned, five_minutes, worst_is
from components.features.specs import BuildParams
from components.features.trends import LOOKBACK, add_trends

logger = logging.getLogger("traceo.features")


def build(io: StepIO, params: BuildParams) -> dict[str, Any]:
    """Build the features of every whole five minutes that metrics cover and features do not, oldest first."""
    lake = io.lake()
    as_of = params.as_of or lake.watermark("metrics")
    windows = _unbuilt(lake, as_of) if as_of else []
    rows = 0
    for window in windows:
        frame = _features(lake, window)
        lake.write_window("features", frame, window, producer=io.producer, params={})
        rows += len(frame)
        logger.info("features of %s to %s: %d rows", iso(window.start), iso(window.end), len(frame))
    watermark = lake.watermark("features")
    summary = {"windows": len(windows), "rows": rows, "watermark": iso(watermark) if watermark else None}
    io.write_json("built", summary)
    return summary


def _unbuilt(lake: Lake, as_of: datetime) -> list[Window]:
    end = floor(as_of, STEP)
    covered = [Window(w.start, min(w.end, end)) for w in aligned(lake.coverage("metrics")) if w.start < end]
    return [gap for window in covered for gap in lake.gaps("features", window)]


def _features(lake: Lake, window: Window) -> pl.DataFrame:
    columns = ["timestamp", "service", "metric", "value", "instance", "attributes"]
    samples = lake.scan("metrics", window).select(columns).collect()
    rows = five_minutes(samples, worst_is(load_catalog()))
    past = Window(window.start - LOOKBACK, window.start)
    history = lake.scan("features", past).select("timestamp", "service", "metric", "mean").collect()
    return add_trends(rows, history)
