"""Sizes that add up: time budgets of spans, volumes along calls, weights of alerts, surprise of the noticed metric."""

from __future__ import annotations

import dataclasses
import math
from datetime import timedelta

import numpy as np
import polars as pl
import pytest

from components.rootcause.abstention import alarm, surprise
from components.rootcause.alerts import alert_groups, alert_scores
from components.rootcause.budget import Excess, excesses
from components.rootcause.case import Incident
from components.rootcause.deviation import deviations
from components.rootcause.diagnosis import diagnose
from components.rootcause.flow import volumes
from components.rootcause.graph import call_graph
from components.rootcause.periods import periods
from components.rootcause.raised import complaints, is_error
from components.rootcause.series import series_of
from components.rootcause.signals import Signal, excess_signals
from components.rootcause.specs import ScorerParams
from components.rootcause.tracing import enriched
from tests.rootcause.cases import CALLS, NOTICED, case, frame, series

PARAMS = ScorerParams()
WHEN = periods(Incident(NOTICED), PARAMS)


def _spans(
    wait_db_ms: float = 0.0, wait_all_ms: float = 0.0, own_shop_ms: float = 0.0, shift_s: int = 0
) -> pl.DataFrame:
    """web serves by calling shop and mail; shop calls db. Waits are seen by the caller alone, from NOTICED on."""
    rows = []
    for number, offset in enumerate(range(-1200, 300, 5)):
        at, on = NOTICED + timedelta(seconds=offset), offset >= shift_s
        db, own = 5.0, 10.0 + (own_shop_ms if on else 0.0)
        to_db = db + 1 + (wait_db_ms if on else 0.0)
        shop = own + to_db
        to_shop, to_mail = (length + 1 + (wait_all_ms if on else 0.0) for length in (shop, 4.0))
        for span, parent, service, name, length in (
            ("a", None, "web", "serve", to_shop + to_mail + 5),
            ("b", "a", "web", "call shop", to_shop),
            ("c", "b", "shop", "work", shop),
            ("d", "c", "shop", "call db", to_db),
            ("e", "d", "db", "query", db),
            ("f", "a", "web", "call mail", to_mail),
            ("g", "f", "mail", "send", 4.0),
        ):
            start = at + timedelta(milliseconds=200) if span in "fg" else at
            rows.append((str(number), span, parent, service, name, start, 1000 * length, "OK"))
    return frame("spans", rows)


@pytest.mark.parametrize(
    ("slow", "service", "inside"),
    [({"own_shop_ms": 90.0}, "shop", True), ({"wait_db_ms": 90.0}, "db", False), ({"wait_all_ms": 90.0}, "web", False)],
    ids=["own work", "the way to one callee", "the way to all callees"],
)
def test_excess_time_is_blamed_on_where_it_is_spent(slow, service, inside):
    first = excesses(enriched(_spans(**slow)), WHEN)[0]
    assert first.service == service
    assert first.share > 0.9
    assert (first.own_ms > first.wait_ms) == inside


def _calls(waits_ms: dict[str, float]) -> pl.DataFrame:
    """One service after another calls db alone; those named wait for it from NOTICED on, without its seeing it."""
    rows = []
    for number, offset in enumerate(range(-1200, 300, 5)):
        for caller, wait_ms in waits_ms.items():
            at, length = NOTICED + timedelta(seconds=offset), 12.0 + (wait_ms if offset >= 0 else 0.0)
            trace = f"{caller}-{number}"
            rows.append((trace, "a", None, caller, "serve", at, 1000 * length, "OK"))
            rows.append((trace, "b", "a", "db", "query", at, 5000.0, "OK"))
    return frame("spans", rows)


@pytest.mark.parametrize(
    ("waits_ms", "service"),
    [
        ({"shop": 90.0}, "db"),
        ({"shop": 90.0, "cart": 90.0, "mail": 80.0}, "db"),
        ({"shop": 90.0, "cart": 0.0, "mail": 0.0}, "shop"),
    ],
    ids=["nobody else calls it", "everybody waits for it", "the others do not wait"],
)
def test_a_wait_that_other_callers_do_not_have_is_the_callers(waits_ms, service):
    first = excesses(enriched(_calls(waits_ms)), WHEN)[0]
    assert (first.service, first.own_ms) == (service, 0.0)


def _measured(service: str, metric: str, kind: str, strength: float) -> Signal:
    return Signal(service, metric, kind, "metrics", strength, True, True, True, math.nan, metric)


POOL, CPU = _measured("shop", "hikaricp_connections_pending", "database", 2.0), _measured("shop", "cpu", "cpu", 2.0)


@pytest.mark.parametrize(
    ("measured", "service"),
    [
        ([], "db"),
        ([POOL], "shop"),
        ([CPU], "db"),
        ([POOL, _measured("db", "network_packet_errors", "network", 0.5)], "db"),
        ([_measured("shop", "hikaricp_connections_active", "database", 0.5)], "db"),
    ],
    ids=["nothing measured", "short of connections", "another resource", "the callee has trouble", "a little fuller"],
)
def test_a_wait_for_a_connection_is_the_callers(measured, service):
    (wait,) = (signal for signal in excess_signals(excesses(enriched(_calls({"shop": 90.0})), WHEN), measured))
    assert (wait.service, wait.metric) == (service, "span_wait")


@pytest.mark.parametrize("shift_s", [-60, 0, 60])
def test_a_minute_of_error_blames_the_same(shift_s):
    first = excesses(enriched(_spans(wait_db_ms=90.0, shift_s=shift_s)), WHEN)[0]
    assert (first.service, first.peer) == ("db", "shop")


@pytest.mark.parametrize(("calls", "part"), [(2, 0.5), (4, 0.67), (200, 0.99)])
def test_time_that_a_handful_of_calls_lost_counts_less(calls, part):
    found = Excess("shop", own_ms=900.0, wait_ms=0.0, share=0.8, doublings=5.0, calls=calls, usual_ms=3.0)
    assert excess_signals([found])[0].strength == pytest.approx(0.8 * 5.0 * part, rel=0.01)


def test_calm_spans_have_no_excess():
    assert [item for item in excesses(enriched(_spans()), WHEN) if item.total_ms > 1] == []
    assert excesses(enriched(frame("spans", [])), WHEN) == []


def _requests(latency: dict[str, tuple[float, float]], load: dict[str, float]) -> pl.DataFrame:
    frames = [series(name, "latency_Average", level, 0.01 * level, jump) for name, (level, jump) in latency.items()]
    frames += [series(name, "requests_Sum", number, 0.01 * number) for name, number in load.items()]
    return pl.concat(frames)


def test_what_callees_do_not_account_for_arises_in_the_service():
    moved = deviations(
        series_of(
            _requests({"web": (100, 40), "shop": (20, 16), "mail": (5, 3)}, {"web": 500, "shop": 1250, "mail": 10})
        ),
        WHEN,
    )
    found = volumes(moved, call_graph([("web", "shop"), ("web", "mail")]), "latency", "web")
    assert found["shop"].total == pytest.approx(1.0, rel=0.1)
    assert found["shop"].own == found["shop"].total
    assert found["web"].own == pytest.approx(0.0, abs=0.1)
    assert found["mail"].total < 0.01


def test_the_small_but_much_used_callee_is_the_cause():
    metrics = _requests({"web": (100, 40), "shop": (20, 16), "mail": (5, 50)}, {"web": 500, "shop": 1250, "mail": 10})
    content = dataclasses.replace(
        case(metrics), calls=frame("calls", [("web", "shop"), ("web", "mail")]), incident=Incident(NOTICED, "web")
    )
    assert diagnose(content, PARAMS).causes[0]["service"] == "shop"


def test_no_volumes_without_requests_or_calls():
    moved = deviations(series_of(_requests({"web": (100, 40), "shop": (20, 16)}, {})), WHEN)
    assert volumes(moved, call_graph(CALLS), "latency", "web") == {}
    both = deviations(series_of(_requests({"web": (100, 40)}, {"web": 500})), WHEN)
    assert volumes(both, call_graph([]), "latency", "web") == {}


def _scores(rows: list[tuple], edges: list[tuple[str, str]] | None = None) -> dict[str, float]:
    alerts = frame("alerts", [(*row, None, None) if len(row) == 4 else (*row[:4], None, row[4]) for row in rows])
    graph = call_graph(edges or [])
    return alert_scores(alert_groups(alerts, graph), complaints(alerts, graph), graph)


def test_what_one_replica_raises_alone_weighs_more():
    alone = _scores([("a-0", "metric", "cpu_usage", "up"), ("b-0", "log", "x", ""), ("c-0", "log", "y", "")])
    shared = _scores(
        [("a-0", "metric", "cpu_usage", "up"), ("a-1", "metric", "cpu_usage", "up"), ("c-0", "log", "y", "")]
    )
    assert alone["a-0"] > 2 * shared["a-0"]


def test_the_harmless_direction_and_both_at_once_weigh_little():
    up, down = (_scores([("a", "metric", "cpu_usage", way), ("b", "log", "x", "")])["a"] for way in ("up", "down"))
    both = _scores([("a", "metric", "cpu_1m", "up"), ("a", "metric", "cpu_5m", "down"), ("b", "log", "x", "")])["a"]
    assert down < 0.5 * up
    assert both < 0.5 * up


def test_failing_calls_of_one_replica_speak_against_it_and_slow_ones_against_the_callee():
    edges = [("a-0", "db"), ("a-1", "db"), ("b", "db")]
    failing = _scores([("a-0", "trace", "get", "ERROR", "db")], edges)
    assert failing["a-0"] > failing["db"]
    slow = _scores([("a-0", "trace", "get", "PD", "db"), ("b", "trace", "get", "PD", "db")], edges)
    assert slow["db"] > slow.get("a-0", 0.0)


def test_an_idle_disk_says_less_than_an_idle_processor():
    disk, cpu = (
        _scores([("a", "metric", name, "down"), ("b", "log", "x", "")])["a"] for name in ("disk_writes", "cpu_usage")
    )
    assert disk < cpu


@pytest.mark.parametrize(
    "name",
    ["docker_cpu_core_11_pct", "node.cpu3.busy", "docker_memory_stats_total_dirty", "memory_stat_inactive_file_bytes"],
)
def test_what_moves_by_itself_weighs_little(name):
    minor, whole = (_scores([("a", "metric", text, "up"), ("b", "log", "x", "")])["a"] for text in (name, "cpu_usage"))
    assert minor < 0.3 * whole


def test_the_same_metric_divided_by_the_number_of_cores_is_no_second_one():
    once = [("a", "metric", "docker.cpu.total.pct", "up"), ("b", "log", "x", "")]
    twice = [*once, ("a", "metric", "docker.cpu.total.norm.pct", "up")]
    assert _scores(twice) == _scores(once)
    assert _scores([*once, ("a", "metric", "docker.cpu.user.pct", "up")])["a"] > _scores(once)["a"]


def test_failing_calls_speak_less_against_the_caller_where_something_may_lie_behind_the_callee():
    edges, failing = [("a-0", "db"), ("a-1", "db")], ("a-0", "trace", "get", "ERROR", "db")
    last = _scores([failing], edges)["a-0"]
    assert _scores([failing], [*edges, ("db", "disk")])["a-0"] < 0.2 * last
    assert _scores([failing, ("db", "trace", "read", "ERROR", "db")], edges)["a-0"] < 0.2 * last
    assert _scores([failing, ("db", "trace", "write", "ERROR", "disk")], edges)["a-0"] < 0.2 * last
    # Pairs in both directions may be neighbours on one machine: nothing says that db calls anybody, or is called.
    assert _scores([failing], [*edges, ("db", "a-0"), ("db", "a-1")])["a-0"] < 0.2 * last
    assert _scores([failing], [*edges, ("db", "c"), ("c", "db")])["a-0"] >= last


def test_a_caller_that_fails_to_reach_all_its_callees_is_likelier_than_one_that_fails_one_of_many():
    edges = [("a-0", "db"), ("a-1", "db"), ("b-0", "db"), ("b-1", "db"), ("b-0", "queue"), ("b-0", "cache")]
    scores = _scores([("a-0", "trace", "get", "ERROR", "db"), ("b-0", "trace", "get", "ERROR", "db")], edges)
    assert scores["a-0"] > scores["b-0"]


def test_a_trace_alert_written_from_the_callee_is_turned_round():
    assert _scores([("db", "trace", "get", "PD", "a")], [("a", "db")]).keys() == {"db"}


@pytest.mark.parametrize(
    ("text", "error"), [("get ERROR", True), ("POST 500", True), ("PD", False), ("GET /500px", False)]
)
def test_which_trace_alerts_tell_of_failures(text, error):
    assert is_error(text) == error


def test_the_surprise_of_the_noticed_metric_is_a_share_of_normal_windows():
    (calm,) = deviations(series_of(series("web", "latency", 100.0, 3.0)), WHEN)
    (jump,) = deviations(series_of(series("web", "latency", 100.0, 3.0, 60.0)), WHEN)
    assert surprise(calm, WHEN) < 4
    assert surprise(jump, WHEN) == pytest.approx(np.log2(226 - 12 + 1), abs=0.6)
    assert alarm([], 5.0, 0.0, jump, WHEN).abnormal is False
