"""What counts as new: what began before the incident, lines that came in bursts, metrics that never moved."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

import numpy as np
import polars as pl
import pytest

from components.core.times import iso
from components.rootcause.abstention import lasting
from components.rootcause.case import Case, Incident
from components.rootcause.deviation import _noise, deviations
from components.rootcause.diagnosis import diagnose
from components.rootcause.logsignals import counted, log_changes
from components.rootcause.metricsignals import metric_signal
from components.rootcause.periods import periods
from components.rootcause.series import series_of
from components.rootcause.signals import log_signals
from components.rootcause.specs import ScorerParams
from tests.rootcause.cases import NOTICED, case, frame, metrics, series

WHEN = periods(Incident(NOTICED), ScorerParams())
_MINUTES = range(-300, 10)


def _minutes(service: str, metric: str, off: range, level: float = 30.0, jump: float = 50.0, noise: float = 1.0):
    """Minute by minute around NOTICED; `jump` is added in the minutes of `off`."""
    random = np.random.default_rng(0)
    values = [level + noise * float(random.standard_normal()) + jump * (minute in off) for minute in _MINUTES]
    rows = [(NOTICED + timedelta(minutes=m), service, metric, v) for m, v in zip(_MINUTES, values, strict=True)]
    return frame("metrics", rows)


def _weight(off: range) -> float:
    (item,) = deviations(series_of(_minutes("a", "latency", off)), WHEN)
    return metric_signal(item, 5.0, None).weight


@pytest.mark.parametrize(
    ("off", "low", "high"),
    [
        (range(0, 10), 1.0, 1.0),  # began with the incident
        (range(-8, 10), 0.85, 0.99),  # noticed eight minutes late
        (range(-25, 10), 0.15, 0.2),  # there for long
        (range(-8, -1), 0.15, 0.15),  # began before and was over before it was noticed
        (range(-1, 2), 1.0, 1.0),  # short, but new
    ],
)
def test_what_lasted_before_counts_less_the_longer_it_did_and_a_tail_hardly_at_all(off, low, high):
    assert low - 1e-9 <= _weight(off) <= high + 1e-9


def test_the_tail_of_an_earlier_incident_is_abstained_on():
    """Its last sample, two minutes before, lies where a new incident might have begun."""
    quiet = metrics()
    assert diagnose(case(pl.concat([quiet, _minutes("db", "heap_used", range(-7, -1))])), ScorerParams()).abstained
    found = diagnose(case(pl.concat([quiet, _minutes("db", "heap_used", range(-1, 4))])), ScorerParams())
    assert found.causes[0]["service"] == "db"


_BROKEN = {("db", "cpu_percent"): 40.0, ("db", "latency_p99"): 30.0, ("web", "latency_p99"): 20.0}


@pytest.mark.parametrize("late_s", [0, 300, 600, 800, 1000])
def test_an_incident_that_was_noticed_minutes_late_is_found_and_dated(late_s):
    found = diagnose(case(metrics(_BROKEN, start_s=-late_s)), ScorerParams())
    moved = found.causes[0]["evidence"][0]
    assert found.causes[0]["service"] == "db"
    assert moved["start"] == iso(NOTICED - timedelta(seconds=late_s // 30 * 30))


def test_what_was_off_for_long_is_abstained_on_with_a_hint():
    found = diagnose(case(metrics(_BROKEN, start_s=-1500)), ScorerParams())
    assert found.abstained
    assert "db cpu_percent has been off since 2026-03-01 11:35:00 UTC: if that is the incident" in found.reason


@pytest.mark.parametrize(
    ("begins", "jump", "hinted"),
    [(-1500, 40.0, True), (-200, 40.0, False), (-1500, 8.0, False)],  # long and far, just now, long but not far
)
def test_only_what_was_far_off_for_long_is_hinted_at(begins, jump, hinted):
    when = periods(Incident(NOTICED), ScorerParams())
    moved = deviations(series_of(series("db", "cpu", 30.0, 1.0, jump, start_s=begins)), when)
    assert ("has been off since" in lasting(moved, when, 5.0)) == hinted


def test_an_excursion_to_the_other_side_is_no_part_of_what_followed():
    up = series("db", "cpu", 30.0, 1.0, 80.0, start_s=-60)
    dip = (pl.col("timestamp") >= NOTICED - timedelta(seconds=240)) & (
        pl.col("timestamp") < NOTICED - timedelta(seconds=60)
    )
    (item,) = deviations(series_of(up.with_columns(value=pl.col("value") - 40.0 * dip)), WHEN)
    assert item.began_s == NOTICED.timestamp() - 60


@pytest.mark.parametrize(("began_s", "noise"), [(5000.0, 1.0), (4200.0, 50.0), (float("nan"), 50.0)])
def test_what_lasts_for_more_than_twenty_minutes_is_the_noise_of_a_series(began_s, noise):
    at = np.arange(0.0, 6000.0, 60.0)
    normal_z = np.where(at >= (5000 if np.isnan(began_s) else began_s), 50.0, 1.0)[None, :]
    assert _noise(at, normal_z, 60.0, [began_s], 6000.0) == pytest.approx([noise])


@pytest.mark.parametrize("seed", range(6))
def test_a_cause_sampled_less_often_than_its_victims_goes_first(seed):
    quiet = metrics({("web", "latency_p99"): 20.0}, seed=seed).filter(pl.col("service") != "db")
    broken = metrics(_BROKEN, seed=seed).filter(pl.col("service") == "db")
    sparse = broken.filter(pl.col("timestamp").dt.epoch("s") % 300 == 0)
    assert diagnose(case(pl.concat([quiet, sparse])), ScorerParams()).causes[0]["service"] == "db"


def _lines(minutes: list[int]) -> pl.DataFrame:
    """Other lines all the time, and four errors in each of these minutes."""
    rows = [(NOTICED + timedelta(seconds=s), "shop", "INFO", "served") for s in range(-3600, 300, 10)]
    rows += [
        (NOTICED + timedelta(minutes=minute, seconds=10 * k), "shop", "ERROR", "code is wrong")
        for minute in minutes
        for k in range(4)
    ]
    return frame("logs", rows)


@pytest.mark.parametrize(
    ("minutes", "seen"),
    [
        ([], 0.0),
        ([-30, -29, -28], 1 / 12),  # an earlier incident of three minutes: one of twelve stretches of five
        (list(range(-58, 0, 10)), 0.5),  # now and then, in every other stretch
    ],
)
def test_a_burst_makes_no_template_a_familiar_one(minutes, seen):
    changes = log_changes(counted(_lines([*minutes, 0, 1, 2])), WHEN, 0.0)
    (change,) = [change for change in changes if change.template == "code is wrong"]
    assert (change.count, change.seen) == (12, pytest.approx(seen, abs=0.01))
    new = log_signals(log_changes(counted(_lines([0, 1, 2])), WHEN, 0.0), 5.0)[0].strength
    assert log_signals([change], 5.0)[0].strength == pytest.approx(new * (1 - seen / 2), abs=0.02)


def _constants(off: Mapping[tuple[str, str], range], before: int) -> Case:
    """Three services with metrics that never move but where `off` says so; noticed in no particular metric."""
    rows = []
    for service in ("web", "shop", "db"):
        for metric, level, jump in (
            ("latency_p99", 100.0, 300.0),
            ("error_ratio", 0.0, 0.4),
            ("cpu_percent", 30.0, 60.0),
        ):
            moved = off.get((service, metric), range(0))
            for minute in range(-before, 11):
                at = NOTICED + timedelta(minutes=minute)
                rows.append((at, service, metric, level + jump * (minute in moved)))
    return Case(
        Incident(NOTICED), metrics=frame("metrics", rows), calls=frame("calls", [("web", "shop"), ("shop", "db")])
    )


@pytest.mark.parametrize(
    ("off", "speaks"),
    [
        ({("db", "error_ratio"): range(0, 11), ("db", "cpu_percent"): range(0, 11)}, True),
        ({("db", "error_ratio"): range(0, 11), ("db", "latency_p99"): range(0, 11)}, True),
        ({("db", "error_ratio"): range(0, 11)}, False),  # one may change for any reason
        ({("db", "error_ratio"): range(0, 11), ("web", "cpu_percent"): range(0, 11)}, False),  # two services
        ({("db", "error_ratio"): range(0, 1), ("db", "cpu_percent"): range(0, 1)}, False),  # a blink
    ],
)
@pytest.mark.parametrize("before", [30, 60])
def test_two_metrics_of_a_service_that_never_moved_and_change_together_are_an_incident(off, speaks, before):
    found = diagnose(_constants(off, before), ScorerParams())
    assert found.abstained is not speaks
    if speaks:
        assert found.causes[0]["service"] == "db"
        assert "never moved before and changed together" in found.reason


def test_among_thousands_of_series_two_may_change_by_chance():
    off = {("db", "error_ratio"): range(0, 11), ("db", "cpu_percent"): range(0, 11)}
    few = _constants(off, 20)
    rows = [(at, f"s{n}", "restarts", 0.0) for n in range(3000) for at in (NOTICED, NOTICED - timedelta(minutes=9))]
    many = pl.concat([few.metrics, frame("metrics", rows)])
    assert not diagnose(few, ScorerParams()).abstained
    assert diagnose(Case(few.incident, metrics=many, calls=few.calls), ScorerParams()).abstained
