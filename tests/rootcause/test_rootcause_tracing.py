"""Spans: who calls whom, own time, where errors start."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from components.rootcause.tracing import call_statistics, enriched, linked, merged_calls, span_metrics
from tests.rootcause.cases import NOTICED, frame


def _spans(*rows: tuple[str, str | None, str, int, int, str]) -> pl.DataFrame:
    """Rows of (id, parent, service, start in ms, duration in ms, status) in one trace."""
    return frame(
        "spans",
        [
            ("t", span, parent, service, "op", NOTICED + timedelta(milliseconds=start), 1000.0 * length, status)
            for span, parent, service, start, length, status in rows
        ],
    )


def _own(spans: pl.DataFrame) -> dict[str, float]:
    return dict(enriched(spans).select("span_id", "own_us").rows())


def test_own_time_leaves_out_the_union_of_overlapping_children_inside_the_parent():
    spans = _spans(
        ("a", None, "web", 0, 100, "OK"),
        ("b", "a", "shop", 10, 30, "OK"),
        ("c", "a", "shop", 20, 30, "OK"),
        ("d", "a", "mail", 90, 50, "OK"),  # outlives its parent
    )
    assert _own(spans) == {"a": 50_000.0, "b": 30_000.0, "c": 30_000.0, "d": 50_000.0}


def test_errors_start_where_no_child_failed():
    spans = _spans(("a", None, "web", 0, 9, "ERROR"), ("b", "a", "shop", 1, 7, "500"), ("c", "b", "db", 2, 3, "OK"))
    assert dict(enriched(spans).select("service", "origin").rows()) == {"web": False, "shop": True, "db": False}


def test_calls_come_from_parent_links_with_rates_and_errors():
    spans = _spans(
        ("a", None, "web", 0, 9, "OK"),
        ("b", "a", "shop", 1, 4, "OK"),
        ("c", "a", "shop", 2, 6, "ERROR"),
        ("d", "c", "shop", 3, 1, "OK"),  # within one service: no call
        ("e", "gone", "db", 3, 1, "OK"),  # parent missing
        ("f", "f", "db", 3, 1, "OK"),  # its own parent
    )
    (row,) = call_statistics(linked(spans)).to_dicts()
    first = NOTICED + timedelta(milliseconds=1)
    last = NOTICED + timedelta(milliseconds=2)
    assert row == {
        "caller": "web",
        "callee": "shop",
        "calls": 2,
        "calls_per_s": 2.0,
        "error_ratio": 0.5,
        "passed_on_ratio": 0.0,
        "p95_us": 6000.0,
        "first_seen": first,
        "last_seen": last,
    }


def test_failures_are_followed_from_callee_to_caller():
    spans = _spans(
        ("a", None, "web", 0, 9, "ERROR"),
        ("b", "a", "shop", 1, 4, "ERROR"),
        ("c", None, "web", 4000, 9, "OK"),  # served without shop
        ("d", "c", "shop", 4001, 4, "ERROR"),
        ("e", "d", "db", 4002, 1, "OK"),
    )
    found = {row["callee"]: row for row in call_statistics(linked(spans)).to_dicts()}
    assert (found["shop"]["error_ratio"], found["shop"]["passed_on_ratio"]) == (1.0, 0.5)
    assert found["db"]["passed_on_ratio"] is None
    assert found["shop"]["calls_per_s"] == pytest.approx(2 / 4.002)


def test_duplicate_spans_count_once():
    spans = _spans(("a", None, "web", 0, 9, "OK"), ("b", "a", "shop", 1, 4, "OK"))
    assert call_statistics(linked(pl.concat([spans, spans])))["calls"].to_list() == [1]


def test_another_mix_of_operations_moves_no_own_time():
    rows = []
    for second in range(0, 240, 5):
        name, length = ("slow", 500.0) if second >= 120 and second % 10 else ("quick", 10.0)
        rows.append(("t", str(second), None, "web", name, NOTICED + timedelta(seconds=second), length, "OK"))
    times = span_metrics(enriched(frame("spans", rows))).filter(pl.col("metric") == "span_own_time_us")
    assert times["value"].n_unique() == 1


def test_wild_times_and_durations_change_nothing_for_other_spans():
    rows = []
    for trace in range(30_000):
        at = NOTICED + timedelta(seconds=trace)
        rows += [(f"t{trace}", "a", None, "web", "x", at, 9e3, "OK"), (f"t{trace}", "b", "a", "db", "x", at, 4e3, "OK")]
    wild = [
        ("1970", "a", None, "web", "x", datetime(1970, 1, 1, tzinfo=UTC), 9e3, "OK"),
        ("1970", "b", "a", "db", "x", datetime(9999, 1, 1, tzinfo=UTC), 4e3, "OK"),
        ("huge", "a", None, "web", "x", NOTICED, 1e300, "OK"),
        ("huge", "b", "a", "db", "x", NOTICED, float("inf"), "OK"),
    ]
    alone, beside = enriched(frame("spans", rows)), enriched(frame("spans", rows + wild))
    assert alone["rest_us"].unique().sort().to_list() == [4e3, 5e3]
    assert beside.head(len(rows))["rest_us"].to_list() == alone["rest_us"].to_list()
    assert beside.tail(len(wild))["rest_us"].to_list() == [9e3, 4e3, 0.0, 0.0]


def test_spans_without_parents_tell_durations_and_errors_but_nothing_of_a_service_s_own():
    pairs = [(service, NOTICED + timedelta(seconds=i)) for i in range(60) for service in ("web", "db")]
    rows = [(f"t{at}", service, None, service, "x", at, 9e3, "ERROR") for service, at in pairs]
    found = span_metrics(enriched(frame("spans", rows)))
    assert sorted(found["metric"].unique()) == ["span_duration_us", "span_error_ratio"]


def test_empty_spans_give_empty_tables():
    empty = frame("spans", [])
    assert span_metrics(enriched(empty)).is_empty()
    assert call_statistics(linked(empty)).is_empty()


def test_merged_calls_keep_the_first_time_ever_and_calls_no_longer_seen():
    def calls(callee: str, count: int, first: datetime) -> pl.DataFrame:
        row = {"caller": "a", "callee": callee, "calls": count, "error_ratio": 0.0, "p95_us": 1.0}
        row |= {"calls_per_s": 1.0, "passed_on_ratio": None}
        return pl.DataFrame([{**row, "first_seen": first, "last_seen": first + timedelta(hours=1)}])

    old = pl.concat([calls("b", 5, NOTICED), calls("c", 7, NOTICED)])
    merged = merged_calls(calls("b", 9, NOTICED + timedelta(hours=3)), old).to_dicts()
    assert [(row["callee"], row["calls"], row["first_seen"]) for row in merged] == [
        ("b", 9, NOTICED),
        ("c", 7, NOTICED),
    ]
    assert merged[0]["last_seen"] == NOTICED + timedelta(hours=4)
