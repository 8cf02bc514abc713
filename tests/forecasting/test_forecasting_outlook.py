"""What a series is doing: each pattern by its name, its views between 0 and 1 and never falling."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import polars as pl
import pytest

from components.forecasting import outlook, passage, series
from components.forecasting.forecast import forecast
from components.forecasting.outlook import Outlook
from components.forecasting.seasonality import Profile
from components.forecasting.series import FloatArray, History
from tests.forecasting.conftest import START, filling_disk, frame, history, rotated_log, seasonal

HOURS = np.arange(720)
NOISE = np.random.default_rng(0).normal(0, 0.5, 720)
FIVE = timedelta(minutes=5)


def seen(values: FloatArray, bound: float = 95.0, recent: History | None = None) -> Outlook | None:
    past = history(values, lower=0.0)
    return outlook.look(past, forecast(past, 72).quantiles, bound, recent, seed=0)


def stopped_log() -> FloatArray:
    values = rotated_log()
    values[-60:] = 60 + np.arange(60) * 25 / 30 * 0.5
    return values


PATTERNS = {
    outlook.SAWTOOTH: rotated_log(),
    outlook.RECURRING: rotated_log() + 20,
    outlook.STOPPED: stopped_log(),
    outlook.GROWTH: filling_disk(),
    outlook.SETTLED: 40 + 45.0 * (HOURS >= 700) + NOISE,
    outlook.OTHER: seasonal(),
}


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_pattern_is_named_and_its_views_are_probabilities(pattern: str) -> None:
    found = seen(PATTERNS[pattern])
    assert found is not None
    assert found.pattern == pattern
    assert found.views.shape[1] == 72
    assert ((found.views >= 0) & (found.views <= 1)).all()
    assert (np.diff(found.views, axis=1) >= -1e-12).all()
    assert (np.diff(found.probability()) >= 0).all()
    assert len(outlook.MAPS[pattern]) == 2 + len(found.views)


def test_growth_that_stopped_today_has_settled() -> None:
    values = 40 + np.minimum(np.maximum(HOURS - 480, 0), 210) * 0.2 + NOISE
    found = seen(values)
    assert found is not None
    assert found.pattern == outlook.SETTLED
    assert "has stayed" in found.reason


def test_a_short_history_is_seen_only_in_growth() -> None:
    assert seen(seasonal(60)) is None
    found = seen(30 + np.arange(60) * 0.8 + NOISE[:60] * 0.1)
    assert found is not None
    assert found.pattern == outlook.GROWTH


def five_minutes(tail: FloatArray) -> tuple[FloatArray, History]:
    """A calm month whose last samples are `tail`: its hours, and its last three days by five minutes."""
    fine = 40 + np.random.default_rng(1).normal(0, 0.5, 720 * 12)
    fine[-len(tail) :] += tail
    recent = History(fine[-3 * 288 :], START + timedelta(days=27), FIVE)
    return fine.reshape(-1, 12).mean(axis=1), recent


def test_growth_of_two_hours_is_seen_in_five_minute_samples_and_its_end_too() -> None:
    hours, recent = five_minutes(np.arange(24) * 1.0)
    found = seen(hours, recent=recent)
    assert found is not None
    assert found.fine
    assert found.probability()[3] > 0.6
    hours, recent = five_minutes(np.minimum(np.arange(48), 24) * 1.0)
    settled = seen(hours, recent=recent)
    assert settled is not None
    assert settled.pattern == outlook.SETTLED
    assert settled.probability()[3] < 0.2


def collected(seed: int = 0) -> FloatArray:
    """Five-minute samples of 30 days: grows from 40 to about 88 within five hours and is reset."""
    rng = np.random.default_rng(seed)
    return 40 + (np.arange(8640) % 60) * 0.8 + rng.normal(0, 0.4, 8640)


@pytest.mark.parametrize(
    ("bound", "earlier", "pattern", "likely"),
    [
        (95.0, 0.0, outlook.SAWTOOTH, False),
        (87.0, 0.0, outlook.RECURRING, True),
        (200.0, 60.0, outlook.OTHER, False),
    ],
    ids=["peaks below", "peaks reach it", "stood higher before"],
)
def test_a_sawtooth_too_short_for_hours_is_seen_in_five_minute_samples(
    bound: float, earlier: float, pattern: str, likely: bool
) -> None:
    values = collected() + earlier * (np.arange(8640) < 1440)
    samples = frame(values, step=FIVE)
    past = series.build(samples)
    found = outlook.look(past, forecast(past, 168).quantiles, bound, series.recent(samples, past), seed=0)
    assert found is not None
    assert found.pattern == pattern
    assert (found.probability()[-1] > 0.5) == likely


def test_recent_is_as_fine_as_the_samples_and_none_where_they_are_not() -> None:
    fine = frame(seasonal(2004), FIVE)
    past = series.build(fine)
    recent = series.recent(fine, past)
    assert recent is not None
    assert recent.step == FIVE
    assert len(recent) == series.FINE_DAYS * 288
    assert recent.end <= past.end
    minutes = frame(seasonal(6000), timedelta(minutes=1))
    assert series.recent(minutes, series.build(minutes)).step == FIVE  # type: ignore[union-attr]
    hourly = frame(seasonal())
    assert series.recent(hourly, series.build(hourly)) is None
    one = pl.concat([fine[:1]])
    assert series.recent(one, series.build(one)) is None


def test_replayed_windows_agree_with_counting() -> None:
    level = np.random.default_rng(2).normal(0, 1, 2400)
    moved, alike = passage.replayed(level, Profile(np.zeros(1), 2400), 3.0, 48, 24)
    counted = 1 - (1 - np.mean(level >= 3.0)) ** 48
    assert alike[-1] == pytest.approx(counted, abs=0.1)
    assert (np.diff(moved) >= 0).all()
    assert passage.replayed(level, Profile(np.zeros(1), 2400), 9.0, 48, 24)[1][-1] < 0.01


def test_the_normal_table_is_exact_to_six_digits() -> None:
    assert passage.normal(np.array([-9.0, 0.0, 1.2815516, 9.0])) == pytest.approx([0.0, 0.5, 0.9, 1.0], abs=1e-6)
