"""Errors, coverage, explosions and their means have their known values."""

from __future__ import annotations

import numpy as np
import pytest

from tests.benchmarks.forecasting import figures
from tests.benchmarks.forecasting.cases import Case
from tests.benchmarks.forecasting.runs import BASELINE, run
from tests.benchmarks.forecasting.scoring import Score, score, textbook_seasonal_naive
from tests.forecasting.conftest import history


def _case(truth: np.ndarray) -> Case:
    # Every day two higher than the one before: the seasonal change is two throughout.
    days = np.repeat(2.0 * np.arange(15), 24)
    return Case("some", "one", 360, history(days, lower=0.0), truth)


def test_a_forecast_is_scored_at_each_horizon_on_measured_hours() -> None:
    truth = np.full(72, 30.0)
    truth[:12], truth[12:24] = np.nan, 34.0
    fan = np.repeat(np.array([26.0, 28, 29, 30, 31, 32, 33])[:, None], 72, axis=1)
    day, three = score(_case(truth), "some", np.full(72, 30.0), fan, 1.5)
    assert (day.horizon, three.horizon) == (24, 72)
    assert day.mase == pytest.approx(4.0 / 2.0)
    assert three.mase == pytest.approx(4.0 * 12 / 60 / 2.0)
    assert (day.covered_80, day.covered_95) == (0.0, 0.0)
    assert (three.covered_80, three.covered_95) == (pytest.approx(0.8), pytest.approx(0.8))
    assert not day.exploded
    assert day.seconds == 1.5


@pytest.mark.parametrize(("value", "expected"), [(28.0 * 4, False), (28.0 * 4 + 1, True), (np.inf, True)])
def test_what_leaves_the_range_threefold_has_exploded(value: float, expected: bool) -> None:
    fan = np.full((7, 24), 20.0)
    fan[-1, 3] = value
    assert score(_case(np.full(24, 30.0)), "some", np.full(24, 20.0), fan, 0.0)[0].exploded is expected


def test_the_textbook_baseline_repeats_the_day_and_widens_by_days() -> None:
    mean, fan = textbook_seasonal_naive(_case(np.full(72, 30.0)))
    assert mean.tolist() == [28.0] * 72
    widths = (fan[-1] - mean)[[0, 23, 24, 48]] / (1.959964 * 2.0)
    assert widths == pytest.approx([1.0, 1.0, np.sqrt(2), np.sqrt(3)])


def test_every_model_of_a_run_is_scored_beside_the_baseline() -> None:
    scores = run(_case(np.full(72, 30.0)), ["seasonal_naive", "auto"])
    assert {one.model for one in scores} == {BASELINE, "seasonal_naive", "auto"}
    naive = figures.ratios(scores, "seasonal_naive", "mase", 24)
    assert naive == {("some", "one"): pytest.approx(1.0)}


def _score(model: str, name: str, mase: float, **changes: object) -> Score:
    known = {"set": "some", "cutoff": 1, "horizon": 24, "crps": mase, "covered_80": 0.8, "covered_95": 1.0}
    return Score(**{**known, "model": model, "name": name, "mase": mase, "exploded": False, "seconds": 2.0, **changes})  # type: ignore[arg-type]


def test_figures_are_geometric_means_over_series_of_ratios_over_cutoffs() -> None:
    scores = [
        _score("m", "a", 1.0), _score("m", "a", 3.0, cutoff=2, exploded=True), _score("m", "b", 1.0),
        _score(BASELINE, "a", 4.0), _score(BASELINE, "a", 4.0, cutoff=2), _score(BASELINE, "b", 0.5),
    ]  # fmt: skip
    found = figures.ratios(scores, "m", "mase", 24)
    assert found == {("some", "a"): 0.5, ("some", "b"): 2.0}
    figure = figures.figure(list(found.values()))
    assert (figure.value, figure.low, figure.high) == (pytest.approx(1.0), pytest.approx(0.5), pytest.approx(2.0))
    assert figures.coverage(scores, "m", 80, 24) == pytest.approx(0.8)
    assert figures.exploded(scores, "m") == 1
    assert figures.seconds(scores, "m") == 2.0


def test_where_both_are_perfect_the_ratio_is_one() -> None:
    perfect = [_score("m", "a", 0.0), _score(BASELINE, "a", 0.0)]
    assert figures.ratios(perfect, "m", "mase", 24) == {("some", "a"): 1.0}
