"""Ranked causes of small cases: position, agreement, kinds, changes, logs, alerts, abstention."""

from __future__ import annotations

import dataclasses
import json
from datetime import timedelta

import numpy as np
import polars as pl
import pytest

from components.rootcause.case import Incident
from components.rootcause.clocks import aligned
from components.rootcause.diagnosis import diagnose
from components.rootcause.graph import call_graph
from components.rootcause.naming import sense
from components.rootcause.specs import ScorerParams
from tests.rootcause.cases import DB_FAULT, NOTICED, case, frame, metrics, series

PARAMS = ScorerParams()


def _texts(cause: dict) -> str:
    return "\n".join(item["text"] for item in cause["evidence"])


def test_the_cause_is_the_callee_that_explains_its_callers():
    found = diagnose(case(metrics(DB_FAULT)), PARAMS)
    assert [cause["service"] for cause in found.causes] == ["db", "shop", "web"]
    best = found.causes[0]
    assert (best["metric"], best["kind"], best["level"]) == ("cpu_percent", "cpu", "association")
    assert 0 < found.causes[1]["score"] < best["score"] < 1
    assert "shop deviates too but its callee db explains it" in _texts(best)
    assert "cpu_percent rose from 29.93 to 71.68 from 2026-03-01 12:00:00 UTC: 40.1 robust deviations" in _texts(best)
    assert "web reaches it in 2 calls" in _texts(best)


def test_without_a_graph_internal_and_external_signals_that_agree_win():
    plain = dataclasses.replace(case(metrics(DB_FAULT)), calls=frame("calls", []))
    assert diagnose(plain, PARAMS).causes[0]["service"] == "db"


@pytest.mark.parametrize("shift_s", [-60, 60])
def test_a_minute_of_error_in_the_time_keeps_the_ranking(shift_s):
    moved = case(metrics(DB_FAULT))
    moved = dataclasses.replace(moved, incident=Incident(NOTICED + timedelta(seconds=shift_s), "web"))
    assert [c["service"] for c in diagnose(moved, PARAMS).causes] == ["db", "shop", "web"]


@pytest.mark.parametrize("seed", range(8))
def test_it_abstains_where_nothing_is_abnormal(seed):
    found = diagnose(case(metrics(seed=seed)), PARAMS)
    assert found.abstained
    assert found.causes == []
    assert "nothing is more abnormal than usual" in found.reason


def test_spikes_that_are_usual_are_no_cause():
    spiky = series("db", "latency_p99", 100.0, 1.0)
    value = pl.when(pl.int_range(pl.len()) % 11 == 3).then(160.0).otherwise(pl.col("value"))
    quiet = metrics().filter(~((pl.col("service") == "db") & (pl.col("metric") == "latency_p99")))
    assert diagnose(case(pl.concat([quiet, spiky.with_columns(value.alias("value"))])), PARAMS).abstained


def test_the_harmless_direction_of_a_catalogue_metric_is_no_evidence():
    """Log rotation empties web's disk while a leak slowly fills db's memory."""
    rotated = series("web", "disk_io_utilization", 60.0, 0.5, -40.0)
    leak = series("db", "memory_pressure_gradual", 50.0, 0.5, 15.0)
    found = diagnose(case(pl.concat([metrics(), rotated, leak])), PARAMS)
    assert (found.causes[0]["service"], found.causes[0]["metric"]) == ("db", "memory_pressure_gradual")
    assert next(cause for cause in found.causes if cause["service"] == "web")["score"] == 0.0


def test_a_deployment_shortly_before_is_an_intervention_with_its_effect():
    jumps = {("shop", "error_ratio"): 60.0, ("web", "error_ratio"): 40.0}
    changes = frame("changes", [(NOTICED - timedelta(minutes=2), "shop", "deploy shop 2.3.1")])
    best = diagnose(case(metrics(jumps), changes=changes), PARAMS).causes[0]
    assert (best["service"], best["kind"], best["level"]) == ("shop", "code", "intervention")
    low, high = best["evidence"][0]["effect"]
    assert low < 3.0 < high
    assert "deploy shop 2.3.1" in best["evidence"][0]["text"]


def test_lines_counted_by_five_minutes_do_not_precede_the_deployment_that_wrote_them():
    jumps = {("shop", "error_ratio"): 60.0, ("web", "error_ratio"): 40.0}
    changes = frame("changes", [(NOTICED - timedelta(minutes=2), "shop", "deploy shop 2.3.1")])
    slots = [(NOTICED - timedelta(minutes=4), "shop", "ERROR", "no such coupon <*>", 900)]
    found = diagnose(case(metrics(jumps), changes=changes, log_counts=frame("log_counts", slots)), PARAMS).causes[0]
    assert (found["service"], found["kind"]) == ("shop", "code")


def test_busy_threads_that_wait_for_a_queue_are_not_the_processor():
    moved = [
        series("shop", "request_queue_depth", 20.0, 1.0, 60.0),
        series("shop", "thread_pool_saturation", 30.0, 1.0, 70.0),
    ]
    found = diagnose(case(pl.concat([metrics(), *moved])), PARAMS).causes[0]
    assert (found["service"], found["kind"]) == ("shop", "latency")


@pytest.mark.parametrize(
    ("what", "kind"), [("set pool_size flag to 3", "configuration"), ("migration 12: drop index", "database")]
)
def test_what_was_changed_tells_the_kind(what, kind):
    changes = frame("changes", [(NOTICED - timedelta(minutes=2), "shop", what)])
    assert diagnose(case(metrics({("shop", "error_ratio"): 60.0}), changes=changes), PARAMS).causes[0]["kind"] == kind


def test_changes_long_before_or_elsewhere_change_nothing():
    rows = [(NOTICED - timedelta(hours=1), "db", "deploy"), (NOTICED - timedelta(minutes=1), "mail", "deploy")]
    best = diagnose(case(metrics(DB_FAULT), changes=frame("changes", rows)), PARAMS).causes[0]
    assert (best["service"], best["kind"], best["level"]) == ("db", "cpu", "association")


def test_new_error_templates_point_at_their_service():
    at = [NOTICED + timedelta(seconds=offset) for offset in range(-7000, 500, 50)]
    rows = [(t, "shop", "INFO", f"served request {i}") for i, t in enumerate(at)]
    rows += [
        (NOTICED + timedelta(seconds=s), "shop", "ERROR", f"cannot reserve item {s}: lock lost") for s in range(60)
    ]
    jumps = {("shop", "error_ratio"): 20.0, ("web", "error_ratio"): 20.0}
    best = diagnose(case(metrics(jumps), logs=frame("logs", rows)), PARAMS).causes[0]
    assert best["service"] == "shop"
    assert "60 log lines “cannot reserve item <*>: lock lost” (not usual before)" in _texts(best)


def test_spans_alone_are_enough():
    random, rows = np.random.default_rng(0), []
    for number, offset in enumerate(range(-3600, 600, 5)):
        at, own = NOTICED + timedelta(seconds=offset), 20_000 + 1000 * random.standard_normal()
        db = own + (200_000 if offset >= 0 else 0)
        for span, parent, service, length in (
            ("a", None, "web", db + 9e4),
            ("b", "a", "shop", db + 5e4),
            ("c", "b", "db", db),
        ):
            rows.append((str(number), span, parent, service, "op", at, length, "OK"))
    found = diagnose(
        dataclasses.replace(case(frame("metrics", [])), calls=frame("calls", []), spans=frame("spans", rows)), PARAMS
    )
    assert [cause["service"] for cause in found.causes] == ["db", "shop", "web"]
    assert found.causes[0]["kind"] == "latency"


def test_alerts_alone_are_ranked_by_how_rare_they_are():
    rows = [("web", "metric", "latency_p99", "up", None, None), ("shop", "metric", "latency_p99", "up", None, None)]
    rows += [("db", "metric", "latency_p99", "up", None, None), ("db", "metric", "memory_rss", "up", None, None)]
    rows += [("shop", "trace", "slow call", "up", None, "db")]
    found = diagnose(dataclasses.replace(case(frame("metrics", [])), alerts=frame("alerts", rows)), PARAMS)
    assert not found.abstained
    assert (found.causes[0]["service"], found.causes[0]["kind"]) == ("db", "memory")
    assert "slow call up of calls from shop" in _texts(found.causes[0])


def test_cycles_unknown_names_and_self_calls_are_survived():
    rows = [("web", "shop"), ("shop", "web"), ("shop", "db"), ("db", "db"), ("ghost", "phantom")]
    content = dataclasses.replace(
        case(metrics(DB_FAULT)), calls=frame("calls", rows), incident=Incident(NOTICED, "nobody")
    )
    found = diagnose(content, PARAMS)
    assert found.causes[0]["service"] == "db"
    assert {cause["service"] for cause in found.causes} == {"web", "shop", "db", "ghost", "phantom"}


def test_spans_whose_parents_are_all_missing_still_tell_of_their_services():
    rows = []
    for number, offset in enumerate(range(-3600, 600, 5)):
        slow = 200_000.0 if offset >= 0 else 20_000.0
        for span, service, length in (("b", "shop", 9000.0), ("c", "db", slow)):
            at = NOTICED + timedelta(seconds=offset)
            rows.append((str(number), span, "gone", service, "op", at, length + number % 7, "OK"))
    content = dataclasses.replace(case(frame("metrics", [])), calls=frame("calls", []), spans=frame("spans", rows))
    assert diagnose(content, PARAMS).causes[0]["service"] == "db"


def test_one_service_is_ranked_first_of_one():
    only = metrics(DB_FAULT).filter(pl.col("service") == "db")
    assert [
        c["service"] for c in diagnose(dataclasses.replace(case(only), calls=frame("calls", [])), PARAMS).causes
    ] == ["db"]


@pytest.mark.parametrize(
    "broken",
    [
        metrics(DB_FAULT).filter(pl.col("timestamp") >= NOTICED),
        metrics().with_columns(pl.lit(4.0).alias("value")),
        metrics().with_columns(pl.lit(None, pl.Float64).alias("value")),
        metrics().head(0),
    ],
    ids=["no normal period", "constant", "all missing", "empty"],
)
def test_nothing_to_compare_is_abstained_on(broken):
    found = diagnose(case(broken), PARAMS)
    assert found.abstained
    assert found.reason


def test_a_clock_that_is_an_hour_off_is_mended_and_told():
    late = metrics(DB_FAULT).with_columns(pl.col("timestamp") - timedelta(hours=1))
    found = diagnose(aligned(case(late)), PARAMS)
    assert found.causes[0]["service"] == "db"
    assert "metrics were moved by +1 h" in found.reason


@pytest.mark.parametrize(("hours", "told"), [(0, False), (1, True)])
def test_samples_long_after_an_incident_that_nothing_shows_are_told(hours, told):
    found = diagnose(case(metrics().with_columns(pl.col("timestamp") + timedelta(hours=hours))), PARAMS)
    assert found.abstained
    assert ("samples go on for 1.2 h after the incident's time: check it" in found.reason) == told


def test_same_input_same_answer_whatever_the_order_of_rows():
    first = diagnose(case(metrics(DB_FAULT)), PARAMS)
    again = diagnose(case(metrics(DB_FAULT).sample(fraction=1.0, shuffle=True, seed=5)), PARAMS)
    assert json.dumps(first.causes) == json.dumps(again.causes)
    assert first.reason == again.reason


@pytest.mark.parametrize(
    ("metric", "kind", "internal", "bad"),
    [
        ("cpu_utilization", "cpu", True, "above"),  # from the catalogue
        ("PodClientLatencyP90(s)", "latency", False, "above"),
        ("PodSuccessRate(%)", "error", False, "below"),
        ("availability_Average", "error", False, "below"),
        ("MemoryUsageRate(%)", "memory", True, "above"),
        ("docker_diskio_read_rate", "disk", True, "above"),
        ("docker_memory_stats_total_pgmajfault", "memory", True, "above"),
        ("NetworkReceiveBytes", "network", True, "above"),
        ("requests_Sum", "traffic", False, "both"),
        ("metric_7", "unknown", False, "both"),
    ],
)
def test_names_tell_what_a_metric_measures(metric, kind, internal, bad):
    found = sense(metric)
    assert (found.kind, found.internal, found.bad) == (kind, internal, bad)


def test_the_graph_knows_distances_and_survives_cycles():
    graph = call_graph([("a", "b"), ("b", "a"), ("b", "c"), ("c", "c")])
    assert graph.reached_from("a") == {"a": 0, "b": 1, "c": 2}
    assert graph.reached_from("nobody") == {}
    assert graph.callees_of("c") == frozenset()


def test_an_incident_before_all_samples_is_told():
    found = diagnose(case(metrics().with_columns(pl.col("timestamp") + timedelta(hours=3))), PARAMS)
    assert found.abstained
    assert "all samples lie after the incident's time" in found.reason


def test_alerts_without_a_name_are_called_unnamed():
    alerts = frame("alerts", [("db", "metric", None, "up", None, None), ("web", "trace", None, "PD", None, "db")])
    found = diagnose(dataclasses.replace(case(frame("metrics", [])), alerts=alerts), PARAMS)
    (told,) = (item for item in found.causes[0]["evidence"] if item["text"].startswith("metric alerts"))
    assert (found.causes[0]["service"], told["text"]) == ("db", "metric alerts up: unnamed")
