"""Backtests, weights, conformal quantiles and the measures built on them."""

from __future__ import annotations

import numpy as np
import pytest

from components.forecasting import backtest, evaluation, intervals, models
from components.forecasting.forecast import forecast
from components.forecasting.model import normalized
from components.forecasting.seasonality import fit_profile
from tests.forecasting.conftest import history, seasonal


def test_origins_are_a_day_apart_and_leave_three_days() -> None:
    assert backtest.choose_origins(history(seasonal(240)), 168, 4) == (144, 168, 192, 216)
    assert backtest.choose_origins(history(seasonal(120)), 168, 10) == (72, 96)
    assert backtest.choose_origins(history(seasonal(95)), 168, 10) == ()


def test_backtest_is_causal() -> None:
    values = seasonal(400)
    changed = values.copy()
    changed[300:] += 100
    members = [models.candidate(name) for name in ("seasonal_naive", "smoothing", "seasonal_drift", "autoregression")]
    one = backtest.run(history(values), members, 48, 8)
    other = backtest.run(history(changed), members, 48, 8)
    early = [row for row, origin in enumerate(one.origins) if origin <= 300]
    assert early
    for name in one.points:
        assert np.array_equal(one.points[name][early], other.points[name][early], equal_nan=True)


def test_unmeasured_hours_are_not_scored() -> None:
    observed = np.ones(200, dtype=bool)
    observed[150:160] = False
    tested = backtest.run(history(seasonal(200), observed=observed), [models.candidate("seasonal_naive")], 24, 3)
    assert np.isnan(tested.actual).sum() == 10


def test_error_ratio_of_the_baseline_is_one() -> None:
    tested = backtest.run(history(seasonal(300)), [models.candidate("seasonal_naive")], 48, 5)
    assert tested.scores() == {"seasonal_naive": pytest.approx(1.0)}


def test_errors_by_step_are_means_over_the_origins_that_reach() -> None:
    tested = backtest.run(history(np.arange(240.0)), [models.candidate("seasonal_naive")], 48, 3)
    assert tested.origins == (168, 192, 216)
    errors = tested.error_by_step({"seasonal_naive": np.ones(4)})
    assert errors.tolist() == [24.0] * 24 + [48.0] * 24
    far = backtest.run(history(np.arange(240.0)), [models.candidate("seasonal_naive")], 100, 3)
    assert np.isnan(far.error_by_step({"seasonal_naive": np.ones(4)})[72:]).all()


def test_conformal_offsets_cover_normal_residuals() -> None:
    residuals = np.random.default_rng(0).normal(0, 2.0, (60, 48))
    offsets = intervals.offsets_from_residuals(residuals, 24)
    assert offsets.shape == (7, 48)
    assert offsets[3].tolist() == [0.0] * 48
    assert offsets[6].mean() == pytest.approx(1.96 * 2.0, rel=0.12)
    assert offsets[1].mean() == pytest.approx(-1.28 * 2.0, rel=0.12)


def test_offsets_grow_past_the_last_residual() -> None:
    residuals = np.full((6, 48), np.nan)
    residuals[:, :12] = np.random.default_rng(0).normal(0, 1, (6, 12))
    offsets = intervals.offsets_from_residuals(residuals, 24)
    assert offsets[5, 47] == pytest.approx(offsets[5, 11] * 2.0, rel=0.15)


def test_intervals_cover_later_values() -> None:
    inside = []
    for seed in range(12):
        values = seasonal(600, seed)
        found = forecast(history(values[:456]), 72)
        actual = values[456:528]
        inside.append(np.mean((actual >= found.quantiles[1]) & (actual <= found.quantiles[5])))
    assert 0.70 <= float(np.mean(inside)) <= 0.92


def test_constant_history_stays_constant() -> None:
    found = forecast(history(np.full(100, 7.0)), 48)
    assert found.reason == "constant history"
    assert np.array_equal(found.quantiles, np.full((7, 48), 7.0))


def test_profile_finds_the_season_and_ignores_noise() -> None:
    profile = fit_profile(seasonal(), 24)
    truth = 10 * np.sin(np.arange(720, 744) / 24 * 2 * np.pi)
    assert np.abs(profile.future(24) - truth).mean() < 1.0
    noise = np.random.default_rng(1).normal(0, 1, 720)
    assert np.abs(fit_profile(noise, 24).future(24)).max() < 0.5


def test_measures_have_their_known_values() -> None:
    actual = np.array([1.0, 2.0, np.nan])
    assert evaluation.mase(actual, np.array([2.0, 2.0, 9.0]), 0.5) == 1.0
    assert evaluation.naive_scale(np.array([1.0, 3.0, 2.0]), 1) == 1.5
    assert evaluation.naive_scale(np.full(50, 2.0), 24) is None
    assert evaluation.crps(np.array([5.0]), np.full((7, 1), 5.0)) == 0.0
    assert evaluation.crps(np.array([7.0]), np.full((7, 1), 5.0)) == pytest.approx(2.0)
    assert evaluation.geometric_mean(np.array([0.5, 2.0, np.nan])) == pytest.approx(1.0)
    assert normalized({"b": 1.0, "a": 3.0, "c": 0.0}) == {"a": 0.75, "b": 0.25}
