"""Weighted medians, stretch by stretch, and the weights that backtests give."""

from __future__ import annotations

import numpy as np
import pytest

from components.core.errors import ParamsError
from components.forecasting import models, stretches
from components.forecasting.backtest import Backtest
from components.forecasting.forecast import fit, forecast
from components.forecasting.model import Weights, describe_weights, normalized
from components.forecasting.models.ensemble import inverse_weights
from tests.forecasting.conftest import history, seasonal


@pytest.mark.parametrize(
    ("horizon", "day", "lengths"),
    [(168, 24, [6, 18, 48, 96]), (72, 24, [6, 18, 48, 0]), (3, 24, [3, 0, 0, 0]), (7, 1, [1, 0, 2, 4])],
)
def test_stretches_of_a_horizon(horizon: int, day: int, lengths: list[int]) -> None:
    assert [part.stop - part.start for part in stretches.of(horizon, day)] == lengths


@pytest.mark.parametrize(
    ("weights", "expected"),
    [([1, 1, 1], 2.0), ([0.6, 0.2, 0.2], 1.0), ([0.2, 0.2, 0.6], 9.0), ([0.5, 0.25, 0.25], 1.0)],
)
def test_weighted_median(weights: list[float], expected: float) -> None:
    points = np.array([[1.0], [2.0], [9.0]])
    assert stretches.weighted_median(points, np.array(weights)).tolist() == [expected]


def test_what_was_not_run_counts_nothing() -> None:
    points = np.array([[np.nan, np.nan], [2.0, np.nan], [3.0, np.nan]])
    found = stretches.weighted_median(points, np.array([0.9, 0.04, 0.06]))
    assert found[0] == 3.0
    assert np.isnan(found[1])


def test_each_stretch_has_its_own_weights() -> None:
    points = {"a": np.full(30, 1.0), "b": np.full(30, 2.0)}
    weights = {"a": np.array([1.0, 0, 0, 0]), "b": np.array([0.0, 1, 1, 1])}
    assert stretches.combine(points, weights, 24).tolist() == [1.0] * 6 + [2.0] * 24


def test_the_forecast_of_a_day_is_nearly_the_beginning_of_that_of_a_week() -> None:
    past = history(seasonal())
    assert np.abs(forecast(past, 24).mean - forecast(past, 168).mean[:24]).max() < 0.1


def test_weights_fall_with_the_error_and_small_ones_vanish() -> None:
    errors = {"a": np.full(4, 0.5), "b": np.full(4, 1.0), "c": np.full(4, 50.0)}
    weights = inverse_weights(errors, 2.0)
    assert sorted(weights) == ["a", "b"]
    assert weights["a"] == pytest.approx(np.full(4, 0.8), rel=1e-3)
    assert np.sum(list(normalized(weights).values()), axis=0) == pytest.approx(np.ones(4))


def test_perfect_candidates_share_alike() -> None:
    weights = inverse_weights({"a": np.zeros(4), "b": np.zeros(4), "c": np.ones(4)}, 6.0)
    assert {name: share.tolist() for name, share in weights.items()} == {"a": [0.5] * 4, "b": [0.5] * 4}


@pytest.mark.parametrize(("origins", "expected"), [(7, ["seasonal_naive"]), (6, ["other", "seasonal_naive"])])
def test_auto_falls_back_to_the_baseline_where_a_week_of_backtests_prefers_it(
    origins: int, expected: list[str]
) -> None:
    errors = {"seasonal_naive": np.ones(4), "other": np.full(4, 0.9)}
    assert sorted(models.get("auto").weigh(errors, lambda weights: 1.01, origins)) == expected  # type: ignore[union-attr]


def test_auto_chooses_more_sharply_before_it_falls_back() -> None:
    errors = {"seasonal_naive": np.ones(4), "other": np.full(4, 0.8)}
    asked: list[float] = []

    def combined(weights: Weights) -> float:
        asked.append(float(weights["other"][0]))
        return 1.01 if len(asked) < 3 else 0.99

    weights = models.get("auto").weigh(errors, combined, 7)  # type: ignore[union-attr]
    assert asked == sorted(asked)
    assert len(asked) == 3
    assert weights["other"][0] > 0.99


def test_origins_too_old_for_a_candidate_count_as_the_baselines() -> None:
    actual = np.zeros((4, 24))
    naive = np.ones((4, 24))
    late = np.where(np.arange(4)[:, None] < 2, np.nan, np.zeros((4, 24)))
    sparse = np.where(np.arange(4)[:, None] % 2 == 1, np.nan, np.zeros((4, 24)))
    tested = Backtest((1, 2, 3, 4), actual, {"seasonal_naive": naive, "late": late, "sparse": sparse})
    assert tested.stretch_errors("late").tolist() == [0.5] * 4
    assert tested.stretch_errors("sparse").tolist() == [0.0] * 4


def test_variants_have_names_and_unknown_ones_are_refused() -> None:
    assert models.get("recent_median.24h").name == "recent_median.24h"
    with pytest.raises(ParamsError, match=r"no variant 'recent_median\.1y'; recent_median has recent_median\.168h"):
        models.get("recent_median.1y")
    with pytest.raises(ParamsError, match=r"no variant 'theta\.x'; theta has theta"):
        models.get("theta.x")
    names = [one.name for one in models.pool(("theta", "flat_median"))]
    assert names == sorted(names)
    assert {"theta", "seasonal_naive", "flat_median.24h"} <= set(names)


def test_weights_are_described_by_file() -> None:
    weights = {
        name: np.full(4, share) for name, share in (("a.1", 0.3), ("a.2", 0.2), ("b", 0.3), ("c", 0.1), ("d", 0.1))
    }
    assert describe_weights(weights) == "median of 0.50 a + 0.30 b + 0.10 c + 1 more"
    assert describe_weights({"a": np.ones(4)}) == "a"


def test_an_idle_series_is_forecast_idle() -> None:
    rng = np.random.default_rng(0)
    values = np.where(rng.random(720) < 0.08, rng.exponential(50, 720), 0.0)
    found = forecast(history(values, lower=0.0), 168)
    assert np.abs(found.mean).max() < 1.0
    assert found.quantiles[-1].max() > 10.0


def test_weights_survive_the_horizon_and_name_real_candidates() -> None:
    fitted = fit(history(seasonal()), 72)
    assert np.sum(list(fitted.weights.values()), axis=0) == pytest.approx(np.ones(4))
    assert all(models.candidate(name).name == name for name in fitted.weights)
