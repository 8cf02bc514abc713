"""Every model in components/forecasting/models is held to the same checks, found by its file."""

from __future__ import annotations

from contextlib import suppress

import numpy as np
import pytest

from components.core.errors import ParamsError
from components.forecasting import models
from components.forecasting.forecast import forecast
from components.forecasting.model import Candidate, Unfit, guard
from tests.forecasting.conftest import filling_disk, history, seasonal


def _marked(name: str) -> object:
    """Models that learn take seconds."""
    model = models.get(name)
    learns = isinstance(model, Candidate) and model.shares
    return pytest.param(name, marks=pytest.mark.slow) if learns else name


CANDIDATES = [_marked(name) for name in models.names() if isinstance(models.get(name), Candidate)]


def test_the_models_of_the_command_are_there_and_others_are_refused_by_name() -> None:
    assert {"arima", "auto", "automl", "ensemble", "ets", "lstm", "prophet", "seasonal_naive", "tft", "theta"} <= set(
        models.names()
    )
    with pytest.raises(ParamsError, match=r"no model 'nbeats'; available: arima, auto, .*theta"):
        models.get("nbeats")


@pytest.mark.parametrize("name", models.names())
def test_model_carries_its_file_name(name: str) -> None:
    assert models.get(name).name == name


@pytest.mark.parametrize("name", CANDIDATES)
def test_candidate_beats_a_flat_line_on_a_season_and_is_repeatable(name: str) -> None:
    past, future = seasonal(504)[:456], seasonal(504)[456:]
    points = models.candidate(name).points(history(past), 48)
    again = models.candidate(name).points(history(past), 48)
    assert points.shape == (48,)
    assert np.array_equal(points, again)
    # flat_median is a flat line.
    share = 1.1 if name == "flat_median" else 0.5
    assert np.abs(points - future).mean() < share * np.abs(past.mean() - future).mean()


@pytest.mark.parametrize("name", CANDIDATES)
def test_candidate_keeps_to_the_bounds(name: str) -> None:
    low = history(np.maximum(seasonal(240) - 55, 0.0), lower=0.0, upper=6.0)
    points = models.candidate(name).points(low, 168)
    assert points.min() >= 0.0
    assert points.max() <= 6.0


@pytest.mark.parametrize("name", CANDIDATES)
@pytest.mark.parametrize("values", [np.full(240, 3.0), np.r_[np.zeros(239), 1e9], np.arange(240) % 2 * 1.0])
def test_candidate_answers_or_refuses_odd_histories(name: str, values: np.ndarray) -> None:
    points = None
    with suppress(Unfit):
        points = models.candidate(name).points(history(values, lower=0.0), 24)
    assert points is None or np.isfinite(points).all()


@pytest.mark.parametrize("name", models.names())
def test_model_falls_back_with_a_reason_on_a_short_history(name: str) -> None:
    found = forecast(history(seasonal(20)), 24, model=name)
    assert found.model == "seasonal_naive"
    assert "0.8 days of history" in found.reason
    assert (np.diff(found.quantiles, axis=0) >= 0).all()
    assert found.quantiles[0, -1] < found.mean[-1] < found.quantiles[-1, -1]


def test_a_combination_cannot_be_a_candidate() -> None:
    with pytest.raises(ParamsError, match="'auto' combines others"):
        forecast(history(seasonal(240)), 24, candidates=("auto",))


def test_guard_refuses_explosions() -> None:
    flat = history(seasonal(240))
    with pytest.raises(Unfit, match="ran away"):
        guard(flat, np.array([50.0, 5e4]), "some")
    with pytest.raises(Unfit, match="not finite"):
        guard(flat, np.array([50.0, np.nan]), "some")


def test_auto_is_never_worse_than_seasonal_naive_on_its_backtests() -> None:
    rng = np.random.default_rng(3)
    for values in (seasonal(), filling_disk(), np.cumsum(rng.normal(0, 1, 500)), rng.exponential(1, 400)):
        found = forecast(history(values), 72)
        assert found.ratio is not None
        assert found.ratio <= 1.0


def test_auto_grows_a_growing_disk() -> None:
    found = forecast(history(filling_disk()), 72)
    grown = found.mean[48:].mean() - found.mean[:24].mean()
    assert 1.5 < grown < 4.5
    assert found.model == "sustained_growth"


def test_prophet_uses_a_regressor_with_a_known_future() -> None:
    from components.forecasting.series import Regressor

    rng = np.random.default_rng(0)
    load = rng.integers(0, 2, 288).astype(float)
    values = 10 + 5 * load + rng.normal(0, 0.1, 288)
    known = history(values[:240], regressors={"load": Regressor(load[:240], load[240:])})
    points = models.candidate("prophet").points(known, 48)
    assert np.abs(points - values[240:]).mean() < 0.5
