"""The feature steps."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl

from components.core.catalog import load_catalog
from components.core.lake import Lake
from components.core.schema import TABLES
from components.core.step import StepIO
from components.core.times import Window, floor, iso
from components.features import store
from components.features.aggregates import STEP, aligned, five_minutes, worst_is
from components.features.specs import BuildParams, OnlineParams, TrainingSetParams
from components.features.training import instants, stride_min
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
    # Always, not only after a window was built: a step killed before this line is healed by the next.
    pushed = store.push(_newest(lake, watermark)) if watermark else 0
    summary = {
        "windows": len(windows),
        "rows": rows,
        "pushed": pushed,
        "watermark": iso(watermark) if watermark else None,
    }
    io.write_json("built", summary)
    return summary


def training_set(io: StepIO, params: TrainingSetParams) -> dict[str, Any]:
    """What was known of every series at evenly spaced instants of the last days, through Feast."""
    lake = io.lake()
    known = [instant for instant in (params.as_of, lake.watermark("features")) if instant]
    end = min(known, default=datetime(1970, 1, 2, tzinfo=UTC))
    features = lake.read("features", Window(end - timedelta(days=params.days), end))
    first = features["timestamp"].min() if len(features) else end
    assert isinstance(first, datetime)
    series = features.n_unique(["service", "metric"]) if len(features) else 0
    chosen = instants(Window(first, end), series, params.max_rows)
    rows = store.as_known(features, chosen)
    io.write_table("training_set", rows)
    return {"rows": len(rows), "series": series, "instants": len(chosen), "stride_min": stride_min(chosen)}


def online(io: StepIO, params: OnlineParams) -> dict[str, Any]:
    """The latest vector of every series of the last day, none newer than as_of or older than allowed."""
    lake = io.lake()
    as_of = params.as_of or lake.watermark("metrics")
    rows = TABLES["features"].empty()
    if as_of:
        window = Window(as_of - timedelta(days=1), as_of)
        rows = store.latest(lake.scan("features", window).select("service", "metric").unique().collect())
        oldest = as_of - timedelta(minutes=params.max_age_min)
        rows = rows.filter(pl.col("event_timestamp").is_between(oldest, as_of))
    io.write_table("online_features", rows)
    return {"series": len(rows), "as_of": iso(as_of) if as_of else None}


def _newest(lake: Lake, watermark: datetime) -> pl.DataFrame:
    recent = lake.read("features", Window(watermark - timedelta(hours=1), watermark))
    return recent.unique(["service", "metric"], keep="last", maintain_order=True)


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
