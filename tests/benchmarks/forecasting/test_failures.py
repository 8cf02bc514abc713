"""The failure benchmark measures what it says: cuts hide the future, decoys never cross, figures match by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import polars as pl
import pytest

from tests.benchmarks.forecasting import crossings, failure_figures, failure_report, failures, simulator
from tests.benchmarks.forecasting.failure_baselines import BASELINES, never, predict_linear_6h
from tests.benchmarks.forecasting.failure_case import Case, first_crossing
from tests.benchmarks.forecasting.failure_figures import Answers
from tests.benchmarks.forecasting.failure_runs import run_baseline, run_traceo
from tests.benchmarks.forecasting.sets import hourly


@pytest.fixture(scope="module")
def simulated() -> list[Case]:
    return list(simulator.cases(range(1, 2)))


def case(crossing_h: float = np.inf, known_h: float = 168.0, **changes: object) -> Case:
    made = Case("real", "a", "disk", "ramp", np.arange(100.0), timedelta(hours=1), 110.0, crossing_h, known_h)
    return replace(made, **changes)  # type: ignore[arg-type]


def answers(cases: list[Case], probability: list[list[float]], times: list[list[float]] | None = None) -> Answers:
    none = np.zeros(len(cases), dtype=bool)
    hours = np.array(times or [[np.inf] * 3] * len(cases))
    return Answers(cases, np.array(probability), hours, none)


def test_the_simulator_is_fixed_by_its_seed_and_covers_every_kind_and_decoy(simulated: list[Case]) -> None:
    again = list(simulator.cases(range(1, 2)))
    assert all((a.values == b.values).all() and a.limit == b.limit for a, b in zip(simulated, again, strict=True))
    assert {one.kind for one in simulated} == {kind.name for kind in simulator.KINDS}
    assert {one.pattern for one in simulated if one.decoy} == set(simulator.DECOYS)
    assert len({one.name for one in simulated}) == len(simulated)


def test_no_cut_knows_a_crossing_and_harmless_ones_have_none(simulated: list[Case]) -> None:
    for one in simulated:
        hourly_means = one.values[len(one.values) % 12 :].reshape(-1, 12).mean(axis=1)
        past = hourly_means >= one.limit if one.direction == "above" else hourly_means <= one.limit
        assert not past.any(), one.name
        assert one.pattern not in (*simulator.DECOYS, "quiet") or np.isinf(one.crossing_h), one.name
        kind = next(kind for kind in simulator.KINDS if kind.name == one.kind)
        if np.isfinite(one.crossing_h):
            assert kind.cuts_h[0][0] - 0.1 <= one.crossing_h <= kind.cuts_h[-1][1] + 0.1, one.name


def test_first_crossing_wants_samples_in_a_row() -> None:
    values = np.array([0, 2, 0, 2, 2, 0, 2, 2, 2.0])
    assert [first_crossing(values, 1.0, steps) for steps in (1, 2, 3, 4)] == [1, 3, 6, np.inf]


def test_real_cuts_take_their_limits_from_the_first_two_weeks() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(10, 1, 40 * 24)
    values[500] = 30.0
    found = list(crossings.of_series(_series(values)))
    assert {one.kind for one in found} == {"record", "rare"}
    record = [one for one in found if one.kind == "record"]
    assert record[0].limit == pytest.approx(values[:336].max() + 0.05 * np.ptp(values[:336]))
    assert record[0].sought
    assert len(record[0].values) + record[0].crossing_h == 500
    assert all((one.values[-24:] < one.limit).all() for one in found)


def _series(values: np.ndarray) -> crossings.Series:
    start = np.datetime64("2026-01-01T00:00:00", "us")
    times = pl.Series(start + np.arange(len(values)) * np.timedelta64(1, "h")).dt.replace_time_zone("UTC")
    return hourly("made", "up", times, values)


def test_truth_is_unknown_past_what_is_known() -> None:
    assert [case(30.0).crossed(hours) for hours in (24, 30, 31)] == [False, False, True]
    assert [case(known_h=50.0).crossed(hours) for hours in (24, 72)] == [False, None]


def test_figures_by_hand() -> None:
    truth = np.array([[1.0, np.nan], [0.0, 1.0], [0.0, 0.0]])
    said = np.array([[0.8, 0.9], [0.4, 0.6], [0.0, 0.6]])
    assert failure_figures.brier(said, truth) == pytest.approx((0.04 + 0.16 + 0 + 0.16 + 0.36) / 5)
    assert failure_figures.base_rate(truth)[:, 0].tolist() == [0.0, 0.5, 0.5]
    assert failure_figures.auc(np.array([0.1, 0.4, 0.4, 0.8]), np.array([0, 0, 1, 1.0])) == pytest.approx(0.875)
    assert np.isnan(failure_figures.auc(np.ones(2), np.ones(2)))
    assert failure_figures.reliability(said, truth, (0, 0.5, 1)) == [
        (2, pytest.approx(0.2), 0.0),
        (3, pytest.approx(2 / 3), pytest.approx(2 / 3)),
    ]


def test_alarms_pinball_and_coverage_by_hand() -> None:
    cases = [case(30.0), case(100.0), case(), case(known_h=100.0), case(3.0)]
    alarmed, calm = [0, 0, 0, 0, 0.5], [0.0] * 5
    of = answers(cases, [alarmed, calm, alarmed, alarmed, alarmed], [[20, 25, 40], [101, 120, np.inf], [np.inf] * 3,
                                                                      [np.inf] * 3, [1, 2, np.inf]])  # fmt: skip
    found = failure_figures.alarms(of, 24, 168)
    assert (found.failures, found.found, found.false, found.harmless) == (2, 1, 1, 1)
    assert (found.recall, found.precision) == (0.5, 0.5)
    assert failure_figures.coverage(of) == (2, 3)
    one = answers([case(30.0)], [calm], [[20, 40, np.inf]])
    assert failure_figures.pinball_h(one) == pytest.approx((0.1 * 10 + 0.5 * 10 + 0.1 * 138) / 3)


def test_baselines_alarm_on_a_line_or_never() -> None:
    rising = case(values=np.arange(100.0), limit=120.0)
    probability, times = predict_linear_6h(rising)
    assert probability.tolist() == [0, 0, 1, 1, 1]
    assert times[0] == pytest.approx(21.0)
    assert predict_linear_6h(replace(rising, limit=-50.0, direction="below"))[0].sum() == 0
    assert never(rising)[0].sum() == 0


def test_the_page_has_every_table(simulated: list[Case]) -> None:
    cases = simulated[::40]
    found = {"Traceo": run_traceo(cases, 1), **{n: run_baseline(method, cases) for n, method in BASELINES.items()}}
    text = "\n\n".join(failure_report.section(found, {"Traceo": found["Traceo"], "Prophet": found["never alarm"]}))
    for part in ("predict_linear 24 h", "Reliability", "decoys together", "connection_pool", "30–120 min", "base rate"):
        assert part in text


def test_without_data_it_is_skipped(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delenv("TRACEO_BENCH_DATA", raising=False)
    assert failures.main([]) == 0
    assert "skipped" in capsys.readouterr().out
