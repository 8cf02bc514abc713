"""Events, groups and when a group is enough to be an incident."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from components.actions.events import find_events
from components.actions.grouping import detected_at, group_events, neighbourhood
from components.actions.incidents import explained_by_load
from components.core.catalog import load_catalog

T0 = datetime(2026, 3, 1, tzinfo=UTC)
GAP = timedelta(minutes=15)


def anomalies(*runs: tuple[str, str, int, int]) -> pl.DataFrame:
    """Anomalous rows per (service, metric, first row, number of rows), five minutes apart."""
    rows = [
        {"timestamp": T0 + timedelta(minutes=5 * (first + i)), "service": service, "metric": metric, "score": 2.0 + i}
        for service, metric, first, count in runs
        for i in range(count)
    ]
    return pl.DataFrame(rows).with_columns(
        pl.lit(True).alias("is_anomaly"),
        pl.lit("why").alias("reason"),
        pl.lit(9.0).alias("value"),
        pl.lit(1.0).alias("expected"),
    )


def test_rows_close_in_time_are_one_event_and_distant_ones_two() -> None:
    events = find_events(anomalies(("a", "m", 0, 3), ("a", "m", 5, 1), ("a", "m", 20, 2)), GAP)
    assert [(len(e.rows), e.start) for e in events] == [(4, T0), (2, T0 + timedelta(minutes=100))]
    assert events[0].end == T0 + timedelta(minutes=30)
    assert events[0].score == 4.0


def test_rows_that_are_not_anomalous_make_no_event() -> None:
    assert find_events(anomalies(("a", "m", 0, 3)).with_columns(pl.lit(False).alias("is_anomaly")), GAP) == []


@pytest.mark.parametrize(
    ("runs", "groups"),
    [
        ([("a", "m", 0, 3), ("b", "m", 1, 3)], [["a", "b"]]),  # neighbours at the same time
        ([("a", "m", 0, 3), ("z", "m", 1, 3)], [["a"], ["z"]]),  # strangers at the same time
        ([("a", "m", 0, 3), ("c", "m", 1, 3)], [["a", "c"]]),  # two calls away
        ([("a", "m", 0, 3), ("d", "m", 1, 3)], [["a"], ["d"]]),  # three calls away
        ([("a", "m", 0, 3), ("b", "m", 50, 3)], [["a"], ["b"]]),  # neighbours hours apart
        ([("a", "m", 0, 2), ("b", "m", 4, 2)], [["a", "b"]]),  # within the gap
    ],
)
def test_events_group_by_time_and_graph(runs: list[tuple[str, str, int, int]], groups: list[list[str]]) -> None:
    neighbours = neighbourhood([("a", "b"), ("b", "c"), ("c", "d"), ("z", "y")])
    found = group_events(find_events(anomalies(*runs), GAP), neighbours, GAP)
    assert [group.services for group in found] == groups


def test_without_a_call_graph_time_alone_groups() -> None:
    found = group_events(find_events(anomalies(("a", "m", 0, 3), ("z", "m", 1, 3)), GAP), {}, GAP)
    assert [group.services for group in found] == [["a", "z"]]


def test_grouping_does_not_depend_on_what_comes_later() -> None:
    rows = anomalies(("a", "m", 0, 3), ("b", "m", 2, 6), ("a", "n", 9, 3))
    neighbours = neighbourhood([("a", "b")])
    early = group_events(
        find_events(rows.filter(pl.col("timestamp") < T0 + timedelta(minutes=20)), GAP), neighbours, GAP
    )
    late = group_events(find_events(rows, GAP), neighbours, GAP)
    assert late[0].events[0].start == early[0].events[0].start
    assert late[0].services == early[0].services


@pytest.mark.parametrize(
    ("runs", "minutes"),
    [
        ([("a", "m", 0, 1)], None),  # one row of one series is no incident
        ([("a", "m", 0, 1), ("a", "n", 0, 1)], 5),  # two series at once are
        ([("a", "m", 0, 1), ("a", "n", 2, 1)], None),  # not when apart
        ([("a", "m", 0, 4)], 20),  # nor a lone series before its fourth row
    ],
)
def test_what_is_enough_to_be_an_incident(runs: list[tuple[str, str, int, int]], minutes: int | None) -> None:
    group = group_events(find_events(anomalies(*runs), GAP), {}, GAP)[0]
    expected = None if minutes is None else T0 + timedelta(minutes=minutes)
    assert detected_at(group, min_series=2, lone_rows=4, lone_score=2.0) == expected


@pytest.mark.parametrize(
    ("runs", "explained"),
    [
        ([("a", "request_rate", 0, 5), ("a", "cpu_utilization", 0, 2)], True),  # a flash sale
        ([("a", "request_rate", 0, 5), ("a", "error_rate_trend", 0, 2)], False),  # … that does harm
        ([("a", "request_rate", 0, 5), ("a", "latency_p99_trend", 0, 2)], True),  # a little slower under load
        ([("a", "request_rate", 0, 2), ("a", "cpu_utilization", 0, 5)], False),  # the load rose more than the traffic
        ([("a", "cpu_utilization", 0, 5), ("b", "cpu_utilization", 0, 5)], False),
    ],
)
def test_more_requests_alone_are_no_incident(runs: list[tuple[str, str, int, int]], explained: bool) -> None:
    assert explained_by_load(find_events(anomalies(*runs), GAP), load_catalog()) is explained


def test_fewer_requests_are_never_explained_by_load() -> None:
    fell = anomalies(("a", "request_rate", 0, 5)).with_columns(pl.lit(99.0).alias("expected"))
    assert not explained_by_load(find_events(fell, GAP), load_catalog())
