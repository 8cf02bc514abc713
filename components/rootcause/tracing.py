"""What spans say: who calls whom, the time a service itself takes, and where errors start.

Durations are microseconds. A span's exclusive time is its duration without the union of its direct children's
time inside it; an error starts at a span that failed while none of its children did.
"""

from __future__ import annotations

import polars as pl

from components.core.times import TIME_DTYPE

_BIN_S = 30
#: Metric names under which the series made here appear in causes.
OWN_TIME, ERROR_ORIGIN, DURATION, CALLS = (
    "span_own_time_us",
    "span_error_origin_ratio",
    "span_duration_us",
    "span_calls",
)
_FAILED = r"(?i)^(.*error.*|fail.*|2|5\d\d|.*exception.*|deadline_exceeded|unavailable|internal|aborted)$"


def linked(spans: pl.DataFrame) -> pl.DataFrame:
    """The spans, each id once, with `failed`, `start_us`, `end_us` and their parent's service, start and end.

    A parent that is not there leaves `parent_service` null; a span that names itself as its parent is a root.
    """
    keyed = (
        spans.unique(["trace_id", "span_id"], keep="first", maintain_order=True)
        .with_columns(
            pl.col("status_code").fill_null("").str.contains(_FAILED).alias("failed"),
            pl.col("start_time").dt.epoch("us").alias("start_us"),
            pl.col("duration_us").fill_null(0.0).clip(0.0),
            pl.when(pl.col("parent_span_id") != pl.col("span_id")).then("parent_span_id").alias("parent_span_id"),
        )
        .with_columns((pl.col("start_us") + pl.col("duration_us")).alias("end_us"))
    )
    parents = keyed.select(
        "trace_id",
        pl.col("span_id").alias("parent_span_id"),
        pl.col("service").alias("parent_service"),
        pl.col("start_us").alias("parent_start_us"),
        pl.col("end_us").alias("parent_end_us"),
    )
    return keyed.join(parents, on=["trace_id", "parent_span_id"], how="left", maintain_order="left")


def enriched(spans: pl.DataFrame) -> pl.DataFrame:
    """The linked spans with `own_us` and `origin` (an error that no child explains)."""
    found = linked(spans)
    below = _below(found)
    return (
        found.join(below, on=["trace_id", "span_id"], how="left", maintain_order="left")
        .with_columns(
            (pl.col("duration_us") - pl.col("covered_us").fill_null(0.0)).clip(0.0).alias("own_us"),
            (pl.col("failed") & ~pl.col("child_failed").fill_null(False)).alias("origin"),
        )
        .drop("covered_us", "child_failed")
    )


def _below(found: pl.DataFrame) -> pl.DataFrame:
    """Per parent span: the union of its children's time inside it, and whether one of them failed."""
    inside = found.filter(pl.col("parent_service").is_not_null()).select(
        "trace_id",
        "parent_span_id",
        "failed",
        pl.max_horizontal(pl.col("start_us").cast(pl.Float64), pl.col("parent_start_us").cast(pl.Float64)).alias(
            "from"
        ),
        pl.min_horizontal("end_us", "parent_end_us").alias("to"),
    )
    group = ["trace_id", "parent_span_id"]
    ordered = inside.sort([*group, "from", "to"])
    reached = pl.col("to").cum_max().shift(1).over(group).fill_null(float("-inf"))
    new = (pl.col("to") - pl.max_horizontal("from", reached)).clip(0.0)
    return (
        ordered.with_columns(new.alias("new_us"))
        .group_by(group)
        .agg(pl.col("new_us").sum().alias("covered_us"), pl.col("failed").any().alias("child_failed"))
        .rename({"parent_span_id": "span_id"})
    )


def span_metrics(found: pl.DataFrame) -> pl.DataFrame:
    """Enriched spans as a long table (timestamp, service, metric, value) in half minutes.

    Times are compared with the median of the same operation, so that another mix of operations moves nothing.
    """
    if found.is_empty():
        return pl.DataFrame(
            schema={"timestamp": TIME_DTYPE, "service": pl.String, "metric": pl.String, "value": pl.Float64}
        )
    operation = ["service", "name"]
    usual = [
        (pl.col(column) - pl.col(column).median().over(operation)).alias(f"{column}_excess")
        for column in ("own_us", "duration_us")
    ]
    level = [pl.col(column).median().over("service").alias(f"{column}_level") for column in ("own_us", "duration_us")]
    bins = (
        found.with_columns(usual + level)
        .with_columns(pl.col("start_time").dt.truncate(f"{_BIN_S}s").alias("timestamp"))
        .group_by("timestamp", "service", maintain_order=True)
        .agg(
            (pl.col("own_us_level").first() + pl.col("own_us_excess").mean()).alias(OWN_TIME),
            (pl.col("duration_us_level").first() + pl.col("duration_us_excess").mean()).alias(DURATION),
            pl.col("origin").mean().alias(ERROR_ORIGIN),
        )
    )
    return (
        bins.unpivot(index=["timestamp", "service"], variable_name="metric", value_name="value")
        .with_columns(pl.col("value").cast(pl.Float64))
        .sort("service", "metric", "timestamp")
    )


def call_statistics(found: pl.DataFrame) -> pl.DataFrame:
    """Linked spans as calls between services: caller, callee, calls, error_ratio, p95_us, first_seen, last_seen."""
    between = found.filter(pl.col("parent_service").is_not_null(), pl.col("parent_service") != pl.col("service"))
    return (
        between.group_by(pl.col("parent_service").alias("caller"), pl.col("service").alias("callee"))
        .agg(
            pl.len().cast(pl.Int64).alias("calls"),
            pl.col("failed").mean().alias("error_ratio"),
            pl.col("duration_us").quantile(0.95, "nearest").cast(pl.Float64).alias("p95_us"),
            pl.col("start_time").min().alias("first_seen"),
            pl.col("start_time").max().alias("last_seen"),
        )
        .sort("caller", "callee")
    )


def merged_calls(current: pl.DataFrame, previous: pl.DataFrame) -> pl.DataFrame:
    """Calls seen now with the first time they were ever seen; earlier ones stay with their last statistics."""
    names = ["caller", "callee", "calls", "error_ratio", "p95_us", "first_seen", "last_seen"]
    both = pl.concat([current.select(names), previous.select(names)], how="vertical_relaxed")
    return (
        both.group_by("caller", "callee", maintain_order=True)
        .agg(
            pl.col("calls", "error_ratio", "p95_us").first(),
            pl.col("first_seen").min(),
            pl.col("last_seen").max(),
        )
        .sort("caller", "callee")
    )
