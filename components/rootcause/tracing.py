"""What spans say: who calls whom, the time a service itself takes, and where errors start.

Durations are microseconds. A span's exclusive time is its duration without the union of its direct children's
time inside it; an error starts at a span that failed while none of its children did.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

from components.core.times import TIME_DTYPE

_BIN_S = 30
#: Nothing takes longer than a year: such a duration is a mistake and counts as none.
MAX_DURATION_US = 366 * 86_400e6
#: Metric names under which the series made here appear in causes.
OWN_TIME, ERROR_ORIGIN, DURATION, ERRORS, MISSING_CALLS = (
    "span_own_time_us",
    "span_error_origin_ratio",
    "span_duration_us",
    "span_error_ratio",
    "span_missing_calls",
)
_FAILED = r"(?i)^(.*error.*|fail.*|2|5\d\d|.*exception.*|deadline_exceeded|unavailable|internal|aborted)$"


def linked(spans: pl.DataFrame) -> pl.DataFrame:
    """The spans, each id once, with `failed`, `start_us`, `end_us` and their parent's service, start, end and failure.

    A parent that is not there leaves `parent_service` null; a span that names itself as its parent is a root.
    """
    keyed = spans.with_columns(_key("span_id").alias("key"))
    first = keyed["key"].is_first_distinct()
    keyed = (
        (keyed if first.all() else keyed.filter(first))
        .with_columns(
            _failed(),
            pl.col("start_time").dt.epoch("us").alias("start_us"),
            pl.when(pl.col("duration_us") <= MAX_DURATION_US).then("duration_us").fill_null(0.0).clip(0.0),
            pl.when(pl.col("parent_span_id") != pl.col("span_id")).then(_key("parent_span_id")).alias("parent_key"),
        )
        .with_columns((pl.col("start_us") + pl.col("duration_us")).alias("end_us"))
    )
    parents = keyed.select(
        pl.col("key").alias("parent_key"),
        pl.col("service").alias("parent_service"),
        pl.col("start_us").alias("parent_start_us"),
        pl.col("end_us").alias("parent_end_us"),
        pl.col("failed").alias("parent_failed"),
    )
    return keyed.join(parents, on="parent_key", how="left", maintain_order="left")


def _key(span_column: str) -> pl.Expr:
    """One number for a trace's span: comparing pairs of texts would take most of the time."""
    return pl.col("trace_id").hash(1) ^ pl.col(span_column).hash(2)


def _failed() -> pl.Expr:
    """Whether a status says failure; there are few of them, so each is looked at once."""
    status = pl.col("status_code").fill_null("").cast(pl.Categorical)
    return status.cast(pl.String).str.contains(_FAILED).alias("failed")


def enriched(spans: pl.DataFrame) -> pl.DataFrame:
    """The linked spans with `rest_us`, `calls_on`, `peer`, `own_us` and `origin`.

    calls_on: whether a span has children; rest_us: the part of a span that none of them covers. peer: the callee, where
    all children run in one other service, so that the rest is the wait for it; own_us is 0 there. origin: an error that
    no child explains.
    """
    found = linked(spans)
    below = _below(found)
    rest = (pl.col("duration_us") - pl.col("covered_us").fill_null(0.0)).clip(0.0)
    return (
        found.join(below, on="key", how="left", maintain_order="left")
        .with_columns(
            rest.alias("rest_us"),
            pl.col("covered_us").is_not_null().alias("calls_on"),
            (pl.col("failed") & ~pl.col("child_failed").fill_null(False)).alias("origin"),
        )
        .with_columns(pl.when(pl.col("peer").is_null()).then("rest_us").otherwise(0.0).alias("own_us"))
        .drop("covered_us", "child_failed")
    )


def _below(found: pl.DataFrame) -> pl.DataFrame:
    """Per parent span: its children's time inside it, whether one failed, the one other service they run in."""
    inside = found.filter(pl.col("parent_service").is_not_null()).select(
        pl.col("parent_key").alias("key"),
        "failed",
        "service",
        pl.col("service").hash().alias("number"),
        pl.col("parent_service").hash().alias("parent_number"),
        _since_parent("start_us").alias("from"),
        _since_parent("end_us").alias("to"),
    )
    ordered = inside.sort("key", "from")
    ordered = ordered.with_columns(pl.Series("new_us", _uncovered(ordered), dtype=pl.Float64))
    # Hashes stand for names, which would be compared letter by letter.
    single = (pl.col("number").min() == pl.col("number").max()) & (
        pl.col("number").first() != pl.col("parent_number").first()
    )
    return ordered.group_by("key").agg(
        pl.col("new_us").sum().alias("covered_us"),
        pl.col("failed").any().alias("child_failed"),
        pl.when(single).then(pl.col("service").first()).alias("peer"),
    )


def _since_parent(column: str) -> pl.Expr:
    """Microseconds since the parent's start, as far as they lie inside the parent."""
    inside = (pl.col(column) - pl.col("parent_start_us")).clip(0, pl.col("parent_end_us") - pl.col("parent_start_us"))
    return inside.cast(pl.Int64)


def _uncovered(ordered: pl.DataFrame) -> npt.NDArray[np.float64]:
    """Of each interval, sorted by parent and start, the length that no earlier one of the same parent covers."""
    if ordered.is_empty():
        return np.zeros(0)
    key, begin, end = (ordered[name].to_numpy() for name in ("key", "from", "to"))
    first = np.flatnonzero(np.concatenate([[True], key[1:] != key[:-1]]))
    # One running maximum serves all parents: each lies in a range of its own, just wide enough for it.
    width = np.maximum.reduceat(end, first) + 1
    offset = np.repeat(np.cumsum(width) - width, np.diff(np.append(first, len(key))))
    reached = np.maximum.accumulate(end + offset)
    before = np.concatenate([[0], reached[:-1]])
    return np.asarray(np.clip(end + offset - np.maximum(begin + offset, before), 0, None), dtype=np.float64)


def nested(found: pl.DataFrame) -> bool:
    """Whether any span has its parent among the linked ones: without, nothing tells own time from that of callees.

    The spans of a single service have no callees; no spans at all are not nested.
    """
    return bool(found["parent_service"].is_not_null().any()) or found["service"].n_unique() == 1


def span_metrics(found: pl.DataFrame) -> pl.DataFrame:
    """Enriched spans as a long table (timestamp, service, metric, value) in half minutes.

    Times are compared with the median of the same operation, so that another mix of operations moves nothing. Spans
    that are not nested give durations and the share of errors, and nothing of a service's own.
    """
    if found.is_empty():
        return pl.DataFrame(
            schema={"timestamp": TIME_DTYPE, "service": pl.String, "metric": pl.String, "value": pl.Float64}
        )
    # One number for an operation and one for a service: grouping by texts would take most of the time.
    numbered = found.with_columns(
        (pl.col("service").hash(1) ^ pl.col("name").hash(2)).alias("operation"), pl.col("service").hash(1).alias("of")
    )
    usual = [
        (pl.col(column) - pl.col(column).median().over("operation")).alias(f"{column}_excess")
        for column in ("own_us", "duration_us")
    ]
    level = [pl.col(column).median().over("of").alias(f"{column}_level") for column in ("own_us", "duration_us")]
    bins = (
        numbered.with_columns(usual + level)
        .with_columns(pl.col("start_time").dt.truncate(f"{_BIN_S}s").alias("timestamp"))
        .group_by("timestamp", "service", maintain_order=True)
        .agg(
            (pl.col("own_us_level").first() + pl.col("own_us_excess").mean()).alias(OWN_TIME),
            (pl.col("duration_us_level").first() + pl.col("duration_us_excess").mean()).alias(DURATION),
            pl.col("origin").mean().alias(ERROR_ORIGIN),
        )
    )
    if not nested(found):
        bins = bins.drop(OWN_TIME).rename({ERROR_ORIGIN: ERRORS})
    return (
        bins.unpivot(index=["timestamp", "service"], variable_name="metric", value_name="value")
        .with_columns(pl.col("value").cast(pl.Float64))
        .sort("service", "metric", "timestamp")
    )


def call_statistics(found: pl.DataFrame) -> pl.DataFrame:
    """Linked spans as calls between services: caller, callee, calls, rate, errors, p95_us, first_seen, last_seen.

    calls_per_s: over the time of all spans; error_ratio: failed calls; passed_on_ratio: of these, the share whose
    caller failed with them, null where none failed.
    """
    seconds = max(1.0, float(np.ptp(found["start_us"].to_numpy())) / 1e6) if len(found) else 1.0
    between = found.filter(pl.col("parent_service").is_not_null(), pl.col("parent_service") != pl.col("service"))
    return (
        between.group_by(pl.col("parent_service").alias("caller"), pl.col("service").alias("callee"))
        .agg(
            pl.len().cast(pl.Int64).alias("calls"),
            (pl.len() / seconds).alias("calls_per_s"),
            pl.col("failed").mean().alias("error_ratio"),
            pl.col("parent_failed").filter("failed").mean().alias("passed_on_ratio"),
            pl.col("duration_us").quantile(0.95, "nearest").cast(pl.Float64).alias("p95_us"),
            pl.col("start_time").min().alias("first_seen"),
            pl.col("start_time").max().alias("last_seen"),
        )
        .sort("caller", "callee")
    )


def merged_calls(current: pl.DataFrame, previous: pl.DataFrame) -> pl.DataFrame:
    """Calls seen now with the first time they were ever seen; earlier ones stay with their last statistics."""
    latest = ["calls", "calls_per_s", "error_ratio", "passed_on_ratio", "p95_us"]
    names = ["caller", "callee", *latest, "first_seen", "last_seen"]
    both = pl.concat([current.select(names), previous.select(names)], how="vertical_relaxed")
    return (
        both.group_by("caller", "callee", maintain_order=True)
        .agg(
            pl.col(latest).first(),
            pl.col("first_seen").min(),
            pl.col("last_seen").max(),
        )
        .sort("caller", "callee")
    )
