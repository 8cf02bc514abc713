"""How far series left their normal period: scales, counters, gaps, granularities, onsets."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import polars as pl
import pytest

from components.rootcause.case import Incident
from components.rootcause.deviation import deviations
from components.rootcause.periods import periods
from components.rootcause.series import series_of
from components.rootcause.specs import ScorerParams
from tests.rootcause.cases import NOTICED, series

WHEN = periods(Incident(NOTICED), ScorerParams())


def _only(frame: pl.DataFrame, shift_s: float = 0.0):
    when = periods(Incident(NOTICED + timedelta(seconds=shift_s)), ScorerParams())
    (found,) = deviations(series_of(frame), when)
    return found


def test_a_jump_is_measured_in_units_of_the_normal_spread():
    found = _only(series("a", "latency", 100.0, 2.0, jump=40.0))
    assert found.z == pytest.approx(21.4, rel=0.15)  # the largest fifth of 20 plus noise
    assert found.median == pytest.approx(100.0, abs=0.5)
    assert found.noise < 3.5
    assert found.onset_s == NOTICED.timestamp()


def test_a_drop_is_negative():
    assert _only(series("a", "latency", 100.0, 2.0, jump=-40.0)).z == pytest.approx(-21.4, rel=0.15)


@pytest.mark.parametrize("shift_s", [-60, 60])
def test_a_minute_of_error_in_the_noticed_time_changes_little(shift_s):
    frame = series("a", "latency", 100.0, 2.0, jump=40.0)
    assert _only(frame, shift_s).z == pytest.approx(_only(frame).z, rel=0.1)


def test_a_constant_series_has_a_floor_instead_of_an_infinite_score():
    assert _only(series("a", "errors", 0.0, 0.0, jump=0.001)).z == pytest.approx(20.0, rel=0.01)


def test_a_constant_series_that_stays_constant_is_no_deviation():
    assert deviations(series_of(series("a", "errors", 0.0, 0.0)), WHEN) == []
    assert deviations(series_of(series("a", "errors", 7.0, 0.0)), WHEN)[0].z == 0.0


def test_a_series_constant_in_few_samples_borrows_the_spread_of_the_same_metric_elsewhere():
    recent = pl.col("timestamp") >= NOTICED - timedelta(minutes=12)
    both = pl.concat([series("a", "errors", 1.0, 0.2), series("b", "errors", 1.0, 0.0, jump=0.3).filter(recent)])
    found = {item.series.service: item for item in deviations(series_of(both), WHEN)}
    assert found["b"].samples <= 20
    assert found["b"].z == pytest.approx(0.3 / 0.1, rel=0.2)


def test_a_counter_is_scored_by_its_increase_and_survives_a_restart():
    gauge = series("a", "requests_total", 50.0, 5.0, jump=100.0).sort("timestamp")
    counted = gauge.with_columns(pl.col("value").clip(0.0).cum_sum())
    restarted = counted.with_columns(
        pl.when(pl.int_range(pl.len()) >= 100).then(pl.col("value") - counted["value"][99]).otherwise(pl.col("value"))
    )
    for frame in (counted, restarted):
        found = _only(frame)
        assert found.rate
        assert found.median == pytest.approx(50.0 / 30, rel=0.05)
        assert found.z == pytest.approx(20.0, rel=0.25)


def test_missing_infinite_and_duplicate_values_are_left_out():
    frame = series("a", "latency", 100.0, 2.0, jump=40.0)
    value = pl.when(pl.int_range(pl.len()) % 3 == 0).then(float("nan")).otherwise(pl.col("value"))
    broken = pl.concat(
        [
            frame.with_columns(value.alias("value")),
            frame.head(5).with_columns(pl.lit(float("inf")).alias("value")),
            frame,
        ]
    )
    assert _only(broken).z == pytest.approx(_only(frame).z, rel=1e-9)


def test_granularities_mix():
    fine, coarse = series("a", "latency", 100.0, 2.0, jump=40.0), series("b", "latency", 100.0, 2.0, jump=40.0)
    coarse = coarse.filter(pl.col("timestamp").dt.minute() % 5 == 0, pl.col("timestamp").dt.second() == 0)
    a, b = deviations(series_of(pl.concat([fine, coarse])), WHEN)
    assert b.z == pytest.approx(a.z, rel=0.4)
    assert len(b.series.times) < len(a.series.times) / 9


def test_without_a_normal_period_or_without_an_incident_there_is_no_deviation():
    frame = series("a", "latency", 100.0, 2.0, jump=40.0)
    assert deviations(series_of(frame.filter(pl.col("timestamp") >= NOTICED)), WHEN) == []
    assert deviations(series_of(frame.filter(pl.col("timestamp") < NOTICED - timedelta(hours=1))), WHEN) == []
    assert deviations(series_of(frame.head(0)), WHEN) == []


def test_the_normal_windows_show_how_noisy_a_series_is():
    frame = series("a", "latency", 100.0, 1.0)
    spikes = frame.with_columns(
        pl.when(pl.int_range(pl.len()) % 20 == 7).then(150.0).otherwise(pl.col("value")).alias("value")
    )
    found = _only(spikes)
    assert found.noise > 10
    assert np.all(found.normal_at < NOTICED.timestamp() - 240)
