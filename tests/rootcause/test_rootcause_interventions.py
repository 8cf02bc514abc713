"""Levels two and three: changed mechanisms, what would return, remedies, counterfactuals."""

from __future__ import annotations

import dataclasses
from datetime import timedelta

import numpy as np
import polars as pl
import pytest

from components.rootcause.case import Incident
from components.rootcause.changes import Change, quiet_s
from components.rootcause.deviation import deviations
from components.rootcause.diagnosis import diagnose
from components.rootcause.evidence import amount
from components.rootcause.periods import periods
from components.rootcause.series import series_of
from components.rootcause.specs import ScorerParams
from tests.rootcause.cases import NOTICED, case, frame, metrics, series

PARAMS = ScorerParams()


def _coupled(own_shop: float = 0.0, own_db: float = 0.0) -> pl.DataFrame:
    """web waits for shop, shop for db, each adding noise of its own; what is broken adds `own` from NOTICED on."""
    db = series("db", "latency_ms", 50.0, 5.0, own_db, seed=1)
    noise = {name: series(name, "latency_ms", 0.0, 1.0, seed=2) for name in ("shop", "web")}
    broken = pl.when(pl.col("timestamp") >= NOTICED).then(own_shop).otherwise(0.0)
    shop = noise["shop"].with_columns(value=pl.col("value") + 30.0 + broken + pl.Series(db["value"]))
    web = noise["web"].with_columns(value=pl.col("value") + 20.0 + pl.Series(shop["value"]))
    return pl.concat([db, shop, web])


def _diagnosed(metrics: pl.DataFrame, params: ScorerParams = PARAMS, **tables: pl.DataFrame) -> dict:
    content = dataclasses.replace(case(metrics, **tables), incident=Incident(NOTICED, "web", "latency_ms"))
    return {cause["service"]: cause for cause in diagnose(content, params).causes}


def _of(cause: dict, kind: str) -> list[dict]:
    return [item for item in cause["evidence"] if item["type"] == kind]


def test_a_service_that_its_callee_does_not_explain_changed_its_mechanism():
    found = _diagnosed(_coupled(own_shop=80.0))["shop"]
    assert found["level"] == "intervention"
    (test,) = _of(found, "mechanism")
    assert "its own mechanism changed" in test["text"]
    assert "from db latency_ms it would be" in test["text"]


def test_a_service_that_its_callee_explains_did_not():
    found = _diagnosed(_coupled(own_db=80.0))
    assert "they explain it" in _of(found["shop"], "mechanism")[0]["text"]
    assert found["shop"]["level"] == "association"
    assert next(iter(found)) == "db"


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("measured", [0.0, 3.0])
def test_victims_far_beyond_what_they_have_shown_are_explained(seed, measured):
    """Forty deviations off, where the error of the slope counts; also where db is measured with noise."""
    true = series("db", "latency_ms", 50.0, 3.0, 120.0, seed=seed)
    seen = true.with_columns(value=pl.col("value") + series("db", "x", 0.0, measured or 1e-9, seed=seed)["value"])
    shop, web = (series(name, "latency_ms", 20.0, 3.0, seed=seed) for name in ("shop", "web"))
    shop = shop.with_columns(value=pl.col("value") + true["value"])
    web = web.with_columns(value=pl.col("value") + shop["value"])
    found = _diagnosed(pl.concat([seen, shop, web]))
    tests = [item["text"] for name in ("shop", "web") for item in _of(found[name], "mechanism")]
    assert tests
    assert all("they explain it" in text for text in tests)


def test_the_symptom_returns_with_the_cause():
    (back,) = _of(_diagnosed(_coupled(own_db=80.0))["db"], "return")
    assert back["share"] == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize(("minutes", "told", "level"), [(2, "code", "intervention"), (25, "cpu", "association")])
def test_a_change_that_nothing_followed_for_long_is_no_intervention(minutes, told, level):
    broken = {("db", "cpu_percent"): 40.0, ("shop", "latency_p99"): 20.0, ("web", "latency_p99"): 20.0}
    changes = frame("changes", [(NOTICED - timedelta(minutes=minutes), "db", "deploy v2")])
    best = diagnose(case(metrics(broken), changes=changes), PARAMS).causes[0]
    unchanged = diagnose(case(metrics(broken)), PARAMS).causes[0]
    (change,), (kind,) = _of(best, "change"), _of(best, "kind")
    assert (best["service"], best["kind"], best["level"]) == ("db", told, level)
    assert ("nothing moved for 25 minutes after it" in change["text"]) == (minutes == 25)
    assert ("that of the change, code" in kind["text"]) == (minutes == 2)
    assert (best["score"] > unchanged["score"]) == (minutes == 2)


def test_it_tells_no_kind_either_where_spans_or_logs_say_most():
    """Nothing of memory moved for 25 minutes after the deployment; what log lines say has no before and after."""
    lines = [(NOTICED + timedelta(seconds=s), "db", "INFO", "served") for s in range(-7200, 300, 10)]
    lines += [(NOTICED + timedelta(seconds=s), "db", "ERROR", "query was lost") for s in range(0, 300, 2)]
    leak = metrics({("db", "cpu_percent"): 12.0, ("web", "latency_p99"): 10.0})
    changes = frame("changes", [(NOTICED - timedelta(minutes=25), "db", "deploy v2")])
    best = diagnose(case(leak, changes=changes, logs=frame("logs", lines)), PARAMS).causes[0]
    assert best["service"] == "db"
    assert _of(best, "logs")[0]["strength"] > max(item["strength"] for item in _of(best, "metrics"))
    assert best["kind"] != "code"
    assert "cpu_percent" in _of(best, "change")[0]["text"]


@pytest.mark.parametrize(
    ("before_s", "quiet"),
    [(100, False), (330, True), (900, True)],  # prompt, after more than five minutes, after long
)
def test_how_long_nothing_moved_after_a_change(before_s, quiet):
    (item,) = deviations(series_of(series("db", "cpu", 30.0, 1.0, 40.0)), periods(Incident(NOTICED), PARAMS))
    assert quiet_s(Change("db", "deploy", NOTICED.timestamp() - before_s), item) == (before_s if quiet else 0.0)


def test_a_minute_after_a_change_its_clock_may_be_off():
    """Samples of that minute are not yet those after it: a service that rests for it has not been quiet since."""
    start, end = (NOTICED - timedelta(seconds=s) for s in (330, 270))
    blip = 90.0 * pl.col("timestamp").is_between(start, end)
    moved = series("db", "cpu", 30.0, 1.0, 40.0).with_columns(value=pl.col("value") + blip)
    (item,) = deviations(series_of(moved), periods(Incident(NOTICED), PARAMS))
    assert quiet_s(Change("db", "deploy", NOTICED.timestamp() - 330), item) == 330


def test_what_never_moved_before_is_no_test_of_a_mechanism():
    broken = {("db", "error_total"): 0.5, ("shop", "error_total"): 0.5}
    silent = pl.concat(
        [series(s, "error_total", 0.0, 0.0, broken.get((s, "error_total"), 0.0)) for s in ("db", "shop")]
    )
    content = case(pl.concat([metrics({("web", "latency_p99"): 20.0}), silent]))
    found = {cause["service"]: cause for cause in diagnose(content, PARAMS).causes}
    assert not [item for item in _of(found["shop"], "mechanism") if "error_total" in item["text"]]


def test_what_grows_from_a_change_on_is_an_intervention_however_late_it_is_noticed():
    leak = series("db", "memory_percent", 40.0, 0.5).with_columns(
        value=pl.col("value") + ((pl.col("timestamp") - NOTICED).dt.total_seconds() + 1500).clip(lower_bound=0) / 60
    )
    changes = frame("changes", [(NOTICED - timedelta(seconds=1500), "db", "deploy v2")])
    best = diagnose(case(pl.concat([metrics(), leak]), changes=changes), ScorerParams(abstain=False)).causes[0]
    assert (best["service"], best["level"]) == ("db", "intervention")


def test_a_roll_back_is_an_intervention_with_its_effect():
    metrics = _coupled(own_shop=80.0)
    healed = (pl.col("timestamp") >= NOTICED + timedelta(minutes=4)) & (pl.col("service") != "db")
    metrics = metrics.with_columns(value=pl.when(healed).then(pl.col("value") - 80.0).otherwise(pl.col("value")))
    changes = frame("changes", [(NOTICED + timedelta(minutes=4), "shop", "roll back shop 2.3.1")])
    (remedy,) = _of(_diagnosed(metrics, changes=changes)["shop"], "remediation")
    low, high = remedy["effect"]
    assert low < -60 < high < 0


def test_without_normal_coupling_there_is_no_test():
    alone = pl.concat([series("db", "latency_ms", 50.0, 5.0), series("shop", "latency_ms", 80.0, 5.0, 90.0)])
    assert not _of(_diagnosed(alone)["shop"], "mechanism")


@pytest.mark.slow
def test_the_counterfactual_keeps_the_noise_and_says_what_it_assumes():
    found = _diagnosed(_coupled(own_db=80.0), ScorerParams(counterfactual=True))["db"]
    assert found["level"] == "counterfactual"
    (told,) = _of(found, "counterfactual")
    low, high = told["interval"]
    assert low < 100.0 < high + 1
    assert high - low < 10
    assert "assumes linear effects" in told["text"]
    again = _diagnosed(_coupled(own_db=80.0), ScorerParams(counterfactual=True))["db"]
    assert again == found


@pytest.mark.slow
@pytest.mark.parametrize(
    ("broken", "parts"),
    [({"own_db": 80.0}, {"db": 61, "shop": 0}), ({"own_shop": 40.0, "own_db": 80.0}, {"db": 61, "shop": 29})],
)
def test_what_was_noticed_is_shared_out_among_what_arises_in_each(broken, parts):
    asked = ScorerParams(counterfactual=True)
    first = diagnose(case(_coupled(**broken)), asked).causes[0]
    (told,) = _of(first, "attribution")
    for service, part in parts.items():
        found, low, high = told["amounts"][service]
        assert low <= found <= high
        assert found == pytest.approx(part, abs=4)
    assert "assumes linear effects" in told["text"]
    assert _of(diagnose(case(_coupled(**broken)), asked).causes[0], "attribution") == [told]


def test_a_deployment_of_the_noticed_service_has_a_counterfactual_too():
    """Its callee goes up by 80, the service itself by 300: without the deployment it would follow the callee."""
    metrics = _coupled(own_db=80.0).with_columns(
        value=pl.col("value")
        + pl.when((pl.col("service") == "web") & (pl.col("timestamp") >= NOTICED)).then(300.0).otherwise(0.0)
    )
    changes = frame("changes", [(NOTICED - timedelta(seconds=60), "web", "deploy web 2.3.1")])
    found = _diagnosed(metrics, ScorerParams(counterfactual=True), changes=changes)["web"]
    (told,) = _of(found, "counterfactual")
    low, high = told["interval"]
    assert 155 < low < high < 185
    assert (
        "without “deploy web 2.3.1” at 2026-03-01 11:59:00 UTC, web latency_ms would have stayed at 1" in told["text"]
    )
    assert " ms (1" in told["text"]


def test_without_coupling_there_is_no_counterfactual_and_what_was_never_negative_stays_so():
    asked = ScorerParams(counterfactual=True)
    alone = pl.concat(
        [series("web", "latency_ms", 12.0, 1.0, 60.0), series("shop", "latency_ms", 50.0, 3.0, 400.0, seed=3)]
    )
    changes = frame("changes", [(NOTICED - timedelta(seconds=60), "web", "deploy web 2.3.1")])
    assert not _of(_diagnosed(alone, asked, changes=changes)["web"], "counterfactual")
    # Web falls as shop rises: extrapolated it would be far below zero.
    shop = series("shop", "latency_ms", 50.0, 3.0, 200.0, seed=3)
    web = shop.with_columns(
        service=pl.lit("web"), value=(70.0 - pl.col("value")).clip(0.0) + 40.0 * (pl.col("timestamp") >= NOTICED)
    )
    (told,) = _of(_diagnosed(pl.concat([shop, web]), asked, changes=changes)["web"], "counterfactual")
    assert min(told["interval"]) == 0.0


@pytest.mark.parametrize(
    ("metric", "value", "told"),
    [
        ("error_ratio", 0.004, "0.4 %"),
        ("cpu_percent", 41.234, "41.23 %"),
        ("latency_ms", 1.5, "1.5 ms"),
        ("request_duration_seconds", 0.25, "0.25 s"),
        ("errors", 3.0, "3"),
    ],
)
def test_amounts_have_the_unit_that_the_name_tells(metric, value, told):
    assert amount(metric, value) == told


def test_counterfactuals_need_a_path_and_time():
    from components.rootcause.attribution import attributions
    from components.rootcause.counterfactual import counterfactual
    from components.rootcause.deviation import deviations
    from components.rootcause.graph import call_graph
    from components.rootcause.periods import periods
    from components.rootcause.series import series_of

    when = periods(Incident(NOTICED, "web"), PARAMS)
    symptom = {item.series.service: item for item in deviations(series_of(_coupled(own_db=80.0)), when)}
    graph = call_graph([("web", "shop"), ("mail", "db")])
    assert counterfactual("db", "web", symptom, graph, when, 0) is None
    assert counterfactual("nobody", "nobody", symptom, graph, when, 0) is None
    assert attributions("db", symptom, graph, when, 0) == []
    assert attributions("nobody", symptom, graph, when, 0) == []
    assert np.isfinite(symptom["db"].z)
