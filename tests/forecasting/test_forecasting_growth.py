"""Growth that began lately: seen where it goes on, and not where it stopped, stepped or comes back every time."""

from __future__ import annotations

import numpy as np
import pytest

from components.forecasting import growth, risk
from components.forecasting.forecast import apply, fit
from components.forecasting.series import FloatArray
from tests.forecasting.conftest import filling_disk, history, rotated_log, seasonal

HOURS = np.arange(720)


def noisy(level: FloatArray, seed: int = 0, spread: float = 0.4) -> FloatArray:
    rng = np.random.default_rng(seed)
    wander = np.interp(HOURS, HOURS[::24], rng.normal(0, spread, 30))
    season: FloatArray = np.sin(HOURS / 24 * 2 * np.pi)
    return level + season + wander + rng.normal(0, 0.3, len(level))


def ramp(begin: int, per_day: float, end: int = 720) -> FloatArray:
    return np.clip(HOURS - begin, 0, end - begin) * per_day / 24


def week_ahead(values: FloatArray, limit: float = 95.0) -> float:
    """The probability within a week, from weights learnt two days before, as in production."""
    past = history(values, lower=0.0, upper=100.0)
    fan = apply(past, fit(past.until(672), 168), 168).quantiles
    probability = risk.estimate(past, fan, limit=limit).probability[168]
    assert probability is not None
    return probability


@pytest.mark.parametrize("seed", range(5))
def test_a_ramp_of_ten_days_after_twenty_flat_ones_is_alarmed(seed: int) -> None:
    values = noisy(40 + ramp(480, 4.4), seed)
    assert week_ahead(values) >= 0.7
    found = growth.detect(history(values))
    assert found is not None
    assert found.slope * 24 == pytest.approx(4.4, abs=0.2)
    assert 9 <= found.age / 24 <= 11


def test_a_ramp_of_three_days_is_alarmed_and_a_shrinking_one_is_its_mirror() -> None:
    values = noisy(55 + ramp(648, 10.0))
    assert week_ahead(values) >= 0.7
    up, down = growth.detect(history(values)), growth.detect(history(100 - values))
    assert up is not None
    assert down is not None
    assert down.slope == pytest.approx(-up.slope)


def test_growth_that_speeds_up_is_followed_at_its_newest_pace_at_most() -> None:
    grown = np.maximum(HOURS - 552, 0) / 168.0
    found = growth.detect(history(noisy(30 + 30 * grown**1.8, spread=0.1)))
    straight = growth.detect(history(noisy(30 + 30 * grown, spread=0.1)))
    assert found is not None
    assert straight is not None
    average, newest = 30 / 7, 30 / 7 * 1.8
    assert average * 1.1 < found.slope * 24 < newest
    assert straight.slope * 24 == pytest.approx(average, rel=0.07)


@pytest.mark.parametrize(
    "values",
    [
        noisy(40 + ramp(432, 4.4, end=672)),
        noisy(40 + 45.0 * (HOURS >= 600)),
        noisy(40 + 45.0 * (HOURS >= 708)),
        np.where(HOURS >= 719, 45.0, noisy(40 + ramp(600, 10.0))),
        rotated_log(),
        60 + (HOURS % 120) * 25 / 120 + np.random.default_rng(0).normal(0, 0.4, 720),
        noisy(np.full(720, 85.0), 3),
    ],
    ids=["stopped two days ago", "one step up", "a step up today", "just reset", "sawtooth", "slow sawtooth", "flat"],
)
def test_what_does_not_go_on_is_not_alarmed(values: FloatArray) -> None:
    found = growth.detect(history(values))
    assert found is None or found.slope == 0.0
    assert week_ahead(values) <= 0.3


def test_walks_and_seasons_are_no_growth() -> None:
    walks = [np.cumsum(np.random.default_rng(seed).normal(0, 1, 720)) for seed in range(100)]
    assert sum(growth.detect(history(walk)) is not None for walk in walks) <= 2
    assert growth.detect(history(seasonal())) is None
    assert growth.detect(history(10 * np.sin(HOURS / 168 * 2 * np.pi) + seasonal(seed=1))) is None


@pytest.mark.parametrize("values", [np.zeros(0), np.ones(1), np.ones(720), np.arange(95.0)])
def test_too_little_or_constant_is_no_growth(values: FloatArray) -> None:
    assert growth.detect(history(values)) is None


def test_the_fan_is_ordered_bounded_and_allows_for_an_end() -> None:
    past = history(noisy(40 + ramp(480, 4.4)), lower=0.0, upper=100.0)
    found = growth.detect(past)
    assert found is not None
    fan = growth.fan(past, found, 168)
    assert fan.shape == (7, 168)
    assert (np.diff(fan, axis=0) >= 0).all()
    assert fan.max() <= 100.0
    assert fan[3, 71] == pytest.approx(found.level + 72 * found.slope, abs=2.5)
    assert fan[0, -1] < 90.0


def test_growth_reads_nothing_later_and_a_named_model_is_left_alone() -> None:
    values = noisy(40 + ramp(480, 4.4))
    spoiled = np.concatenate([values, np.full(48, 0.0)])
    known, later = growth.detect(history(values)), growth.detect(history(spoiled).until(720))
    assert known is not None
    assert later is not None
    assert (known.slope, known.age, known.level) == (later.slope, later.age, later.level)
    assert apply(history(filling_disk()), fit(history(filling_disk()), 24), 24).model == growth.NAME
    named = fit(history(filling_disk()), 24, model="smoothing")
    assert apply(history(filling_disk()), named, 24).model == "smoothing"
