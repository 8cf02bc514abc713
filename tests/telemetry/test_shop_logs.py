"""The synthetic shop's logs and changes: formats, trace ids, volume, and what faults make them say."""

import json
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from components.core.schema import TABLES
from components.core.times import Window
from components.telemetry.shop import Shop
from components.telemetry.shop.formats import FORMAT_OF
from components.telemetry.shop.lines import COMPLAINTS, FAILED
from components.telemetry.shop.services import NAMES

ANCHOR = datetime(2026, 9, 2, 6, 45, tzinfo=UTC)
DAY = Window(ANCHOR - timedelta(days=1), ANCHOR)
SHOP = Shop(2, ANCHOR)


@pytest.fixture(scope="module")
def logs() -> pl.DataFrame:
    return SHOP.logs(DAY)


@pytest.mark.parametrize("step", [timedelta(hours=1), timedelta(minutes=31, seconds=7, microseconds=3)])
def test_any_split_gives_the_same_rows(logs: pl.DataFrame, step: timedelta) -> None:
    # The last five hours of the day, an odd microsecond late.
    start = DAY.end - timedelta(hours=5, microseconds=-1)
    starts = [start + k * step for k in range(-(-(DAY.end - start) // step))]
    parts = pl.concat([SHOP.logs(Window(at, min(at + step, DAY.end))) for at in starts])
    whole = logs.filter(pl.col("timestamp") >= start)
    assert_frame_equal(parts, whole, check_exact=True)


def test_rows_fit_the_schema_and_there_are_about_25000_a_day(logs: pl.DataFrame) -> None:
    TABLES["logs"].conform(logs, "day")
    assert 20_000 < len(logs) < 32_000
    assert set(logs["severity"].unique()) == {"DEBUG", "INFO", "WARNING", "ERROR"}
    assert set(logs["service"].unique()) == set(NAMES) == set(FORMAT_OF)
    assert not logs["body"].str.contains(r"\{\w+\}").any()
    assert logs["body"].null_count() == 0


def test_an_empty_window_gives_no_lines() -> None:
    assert SHOP.logs(Window(ANCHOR, ANCHOR)).is_empty()
    assert SHOP.logs(Window(ANCHOR, ANCHOR)).columns == SHOP.logs(DAY).columns


def test_trace_ids_are_those_of_spans_of_the_same_service(logs: pl.DataFrame) -> None:
    spans = SHOP.spans(Window(DAY.start - timedelta(minutes=10), DAY.end))
    traced = logs.filter(pl.col("trace_id").is_not_null())
    assert 0.4 < len(traced) / len(logs) < 0.8
    joined = traced.join(spans, on=["trace_id", "span_id", "service"])
    assert len(joined) == len(traced)
    end = pl.col("start_time") + pl.duration(microseconds="duration_us")
    assert joined.filter(pl.col("timestamp") != end).is_empty()


@pytest.mark.parametrize("service", ["frontend", "cart", "checkout", "payment"])
def test_some_formats_carry_the_trace_id_in_the_body(logs: pl.DataFrame, service: str) -> None:
    traced = logs.filter((pl.col("service") == service) & pl.col("trace_id").is_not_null())
    access = traced.filter(~pl.col("body").str.contains("upstream answered"))
    assert len(access) > 100
    assert all(trace in body for trace, body in access.select("trace_id", "body").iter_rows())


def test_json_lines_are_json_and_stack_traces_are_one_row(logs: pl.DataFrame) -> None:
    for body in logs.filter(pl.col("service") == "cart")["body"]:
        assert {"time", "level", "service", "msg"} <= set(json.loads(body))
    stacks = logs.filter(pl.col("body").str.contains("\n\tat "))
    assert set(stacks["service"]) <= {"catalogue", "checkout"}


@pytest.mark.parametrize("kind", sorted(set(COMPLAINTS) - {"disk_fill"}))
def test_a_fault_makes_its_service_complain_and_nobody_else(logs: pl.DataFrame, kind: str) -> None:
    (fault,) = [f for f in SHOP.faults(DAY) if f.kind == kind and f.end < ANCHOR]
    words = {
        "memory_leak": "GC overhead",
        "swap_growth": "memory pressure",
        "slow_queries": "seq scan",
        "pool_exhaustion": "connection is not available",
        "queue_growth": "SMTP relay slow",
        "replication_lag": "standby is behind",
        "bad_release": "unhandled exception",
        "packet_errors": "connection reset by peer",
        "noisy_neighbour": "CPU steal",
    }
    lines = logs.filter(pl.col("body").str.contains(words[kind], literal=True))
    assert len(lines) >= 30
    assert set(lines["service"]) == {fault.service}
    assert lines["timestamp"].is_between(fault.acute_start, fault.end + timedelta(minutes=3)).all()


def test_every_service_has_words_for_its_own_failure() -> None:
    assert set(FAILED) == set(NAMES)


def test_about_one_deployment_per_service_and_week_and_the_harmful_ones_are_among_them() -> None:
    month = Window(ANCHOR - timedelta(days=28), ANCHOR)
    changes = SHOP.changes(month)
    TABLES["changes"].conform(changes, "month")
    assert 40 <= len(changes) <= 62
    assert changes["timestamp"].is_sorted()
    days = pl.concat([SHOP.changes(part) for part in month.split_by_day()])
    assert_frame_equal(days, changes)
    for kind, said in (("bad_release", "deploy"), ("slow_queries", "drop index")):
        (fault,) = [f for f in SHOP.faults(DAY) if f.kind == kind]
        near = changes.filter(pl.col("timestamp").is_between(fault.start - timedelta(minutes=2), fault.start))
        assert near["service"].to_list() == [fault.service]
        assert said in near["what"][0]
