"""The synthetic shop's traces: times add up, errors climb the tree, and faults show where they are."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from components.core.schema import TABLES
from components.core.times import Window
from components.telemetry.shop import Shop

ANCHOR = datetime(2026, 2, 6, 20, 15, tzinfo=UTC)
DAY = Window(ANCHOR - timedelta(days=1), ANCHOR)
SHOP = Shop(2, ANCHOR)


@pytest.fixture(scope="module")
def spans() -> pl.DataFrame:
    return SHOP.spans(DAY)


@pytest.fixture(scope="module")
def pairs(spans: pl.DataFrame) -> pl.DataFrame:
    """Every child next to its parent, where both lie in the day."""
    parents = spans.select(
        "trace_id",
        pl.col("span_id").alias("parent_span_id"),
        pl.all().exclude("trace_id", "span_id", "parent_span_id").name.prefix("parent_"),
    )
    return spans.join(parents, on=["trace_id", "parent_span_id"])


@pytest.mark.parametrize("step", [timedelta(hours=1), timedelta(minutes=31, seconds=7, microseconds=3)])
def test_any_split_gives_the_same_rows(spans: pl.DataFrame, step: timedelta) -> None:
    # The last five hours of the day, an odd microsecond late.
    start = DAY.end - timedelta(hours=5, microseconds=-1)
    starts = [start + k * step for k in range(-(-(DAY.end - start) // step))]
    parts = pl.concat([SHOP.spans(Window(at, min(at + step, DAY.end))) for at in starts])
    whole = spans.filter(pl.col("start_time") >= start)
    assert_frame_equal(parts, whole, check_exact=True)


def test_rows_fit_the_schema_and_ids_look_like_opentelemetrys(spans: pl.DataFrame) -> None:
    TABLES["spans"].conform(spans, "day")
    assert spans["trace_id"].str.contains("^[0-9a-f]{32}$").all()
    assert spans["span_id"].str.contains("^[0-9a-f]{16}$").all()
    assert spans["span_id"].is_unique().all()
    assert set(spans["status_code"].unique()) == {"OK", "ERROR"}
    assert len(SHOP.spans(Window(ANCHOR, ANCHOR))) == 0


def test_there_is_about_one_trace_in_ten_seconds_at_peak(spans: pl.DataFrame) -> None:
    roots = spans.filter(pl.col("parent_span_id") == "")
    hourly = roots.group_by(pl.col("start_time").dt.truncate("1h")).len()["len"]
    assert 300 < hourly.max() < 640
    assert hourly.min() < 0.6 * hourly.max()


def test_children_lie_inside_their_parents_and_durations_add_up(spans: pl.DataFrame, pairs: pl.DataFrame) -> None:
    assert len(pairs) > 10_000
    end, parent_end = (
        pl.col(f"{who}start_time") + pl.duration(microseconds=f"{who}duration_us") for who in ("", "parent_")
    )
    assert pairs.filter((pl.col("start_time") < pl.col("parent_start_time")) | (end > parent_end)).is_empty()
    children = pairs.group_by("trace_id", "parent_span_id").agg(
        pl.col("duration_us").sum().alias("below"), pl.col("parent_duration_us").first()
    )
    own = children["parent_duration_us"] - children["below"]
    assert own.min() >= 50
    # Siblings do not overlap: each starts after the one before it has ended.
    ordered = pairs.sort("trace_id", "parent_span_id", "start_time")
    previous = end.shift(1).over("trace_id", "parent_span_id")
    assert ordered.filter(pl.col("start_time") < previous).is_empty()
    whole = Window(DAY.start + timedelta(hours=1), DAY.end - timedelta(hours=1))
    inner = spans.filter(pl.col("start_time").is_between(whole.start, whole.end) & (pl.col("parent_span_id") != ""))
    assert len(inner.join(pairs, on=["trace_id", "span_id"], how="anti")) == 0


def test_spans_show_the_true_call_graph(pairs: pl.DataFrame) -> None:
    seen = set(
        pairs.filter(pl.col("service") != pl.col("parent_service")).select("parent_service", "service").iter_rows()
    )
    assert seen == set(SHOP.calls()) - {("search", "catalogue-db")}


def test_errors_climb_from_child_to_parent(pairs: pl.DataFrame) -> None:
    failing = pairs.filter(pl.col("status_code") == "ERROR")
    share = (failing["parent_status_code"] == "ERROR").mean()
    usual = (pairs.filter(pl.col("status_code") == "OK")["parent_status_code"] == "ERROR").mean()
    assert 0.7 < share < 0.95
    assert usual < 0.06


def test_a_fault_slows_its_service_in_traces_and_metrics_alike() -> None:
    (fault,) = [fault for fault in SHOP.faults(DAY) if fault.kind == "slow_queries"]
    margin = timedelta(minutes=5)
    during = Window(fault.start + margin, fault.end - margin)
    before = Window(fault.start - timedelta(minutes=45), fault.start)
    spans = [SHOP.spans(window).filter(pl.col("service") == fault.service) for window in (before, during)]
    metrics = [
        SHOP.metrics(w).filter(
            (pl.col("service") == fault.service) & (pl.col("metric") == "query_execution_time_trend")
        )
        for w in (before, during)
    ]
    slower = spans[1]["duration_us"].median() / spans[0]["duration_us"].median()
    assert 1.8 < slower < 3.6
    assert metrics[1]["value"].median() / metrics[0]["value"].median() == pytest.approx(slower, rel=0.35)


def test_a_bad_release_fails_its_own_spans_most() -> None:
    rates = []
    for seed in (1, 2, 3):
        shop = Shop(seed, ANCHOR)
        (fault,) = [fault for fault in shop.faults(DAY) if fault.kind == "bad_release"]
        own = shop.spans(DAY).filter(pl.col("service") == fault.service)
        inside = pl.col("start_time").is_between(fault.start, fault.end)
        rates.append([(own.filter(rows)["status_code"] == "ERROR").mean() for rows in (inside, ~inside)])
    assert sum(bad for bad, _ in rates) > 2.0 * sum(usual for _, usual in rates)
