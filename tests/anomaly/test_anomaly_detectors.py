"""Every detector, discovered, keeps the same promises."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from components.anomaly import detectors, model
from components.anomaly.calibration import number_events
from components.anomaly.detector import Tuning
from components.anomaly.panel import DAY_US, HOUR_US
from components.core.errors import ParamsError
from tests.anomaly.series import seasonal_panel, with_values

EVERY = detectors.names()


#: Rows that a detector goes on finding strange: those whose window still holds what happened.
AFTER = {
    "auto": 32,
    "autoregressive": 12,
    "nearest_neighbours": 16,
    "polynomial": 24,
    "subsequence_pca": 32,
    "variance": 12,
}


#: Detectors that this outage, far above the level for an hour, is not made for.
OTHERS = {"lstm_autoencoder", "pca", "spectral_residual", "voting"}


def test_the_detectors_are_found():
    assert {"auto", "isolation_forest", "seasonal", "zscore", *AFTER} <= set(EVERY)


def test_an_unknown_detector_is_refused_with_the_names_there_are():
    with pytest.raises(
        ParamsError, match="no detector 'prophet'; choose one of auto, autoregressive, half_space_trees"
    ):
        detectors.create("prophet", Tuning())


@pytest.mark.parametrize("name", EVERY)
class TestEveryDetector:
    def test_scores_do_not_depend_on_later_rows(self, name: str):
        panel = seasonal_panel(5, columns=2)
        panel.values[1200:1210] *= 3
        whole = detectors.create(name, Tuning()).score_causally(panel)
        for rows in (1205,):
            part = detectors.create(name, Tuning()).score_causally(panel.rows(0, rows))
            np.testing.assert_array_equal(part.columns, whole.columns[:rows])
            np.testing.assert_array_equal(part.total, whole.total[:rows])
            np.testing.assert_array_equal(part.lower, whole.lower[:rows])

    def test_finds_an_obvious_outage_and_nothing_else(self, name: str):
        if name in OTHERS:
            pytest.skip("what it finds stands in the table of test_detector_family.py")
        panel = seasonal_panel(6)
        panel.values[1500:1512] *= 4
        total = detectors.create(name, Tuning()).score_causally(panel).total
        assert total[1501:1512].max() > 1
        assert (total > 1).sum() <= 18 + AFTER.get(name, 0)
        assert (total[:1500] > 1).sum() == 0

    def test_abstains_before_the_minimum_history(self, name: str):
        panel = seasonal_panel(3)
        panel.values[100] = 1e6
        scores = detectors.create(name, Tuning(minimum_history_h=24)).score_causally(panel)
        assert scores.abstained[:288].all()
        assert not scores.abstained[288:].any()
        assert (scores.total[:288] == 0).all()

    @pytest.mark.parametrize("level", [0.0, 7.5, -1e9, 1e-9])
    def test_a_constant_series_is_never_anomalous(self, name: str, level: float):
        panel = seasonal_panel(3)
        scores = detectors.create(name, Tuning()).score_causally(with_values(panel, np.full_like(panel.values, level)))
        assert scores.total.max() < 1e-6

    def test_a_column_without_values_harms_nobody(self, name: str):
        if name in OTHERS:
            pytest.skip("what it finds stands in the table of test_detector_family.py")
        panel = seasonal_panel(4, columns=2)
        panel.values[:, 1] = np.nan
        panel.values[900:912, 0] *= 4
        scores = detectors.create(name, Tuning()).score_causally(panel)
        assert scores.total[901:912].max() > 1
        assert (scores.columns[:, 1] == 0).all()

    def test_same_seed_same_scores(self, name: str):
        panel = seasonal_panel(3)
        first, second = (detectors.create(name, Tuning(seed=3)).score_causally(panel).columns for _ in range(2))
        np.testing.assert_array_equal(first, second)

    @pytest.mark.parametrize("rows", [0, 1, 2, 59])
    def test_too_few_rows_score_zero(self, name: str, rows: int):
        scores = detectors.create(name, Tuning()).score_causally(seasonal_panel(1).rows(0, rows))
        assert scores.total.tolist() == [0.0] * rows
        assert scores.abstained.all()

    def test_missing_values_score_zero(self, name: str):
        panel = seasonal_panel(3)
        panel.values[600:620] = np.nan
        scores = detectors.create(name, Tuning()).score_causally(panel)
        assert (scores.total[603:620] == 0).all()
        assert np.isfinite(scores.total).all()

    def test_what_was_learned_can_be_put_away_and_taken_up(self, name: str):
        panel = seasonal_panel(5)
        fitted = detectors.create(name, Tuning())
        fitted.fit(panel.rows(0, 1152))
        restored = detectors.create(name, Tuning())
        restored.restore(fitted.arrays())
        # The forest travels beside the arrays, as a skops file.
        if name == "isolation_forest":
            restored.forest = fitted.forest
        expected, found = fitted.score(panel.rows(800, 1440)), restored.score(panel.rows(800, 1440))
        np.testing.assert_array_equal(found.columns, expected.columns)


def seasonal_scores(panel, **tuning):
    return detectors.create("seasonal", Tuning(**tuning)).score_causally(panel)


def test_a_level_shift_stops_firing_once_confirmed_and_going_back_is_no_anomaly():
    panel = seasonal_panel(8)
    panel.values[1440:1740] *= 2
    total = seasonal_scores(panel).total
    assert (total[1441:1460] > 1).all()
    assert (total[1540:] <= 1).all()


def test_a_nightly_batch_does_not_alarm_after_a_week():
    panel = seasonal_panel(14, seed=4)
    minute = (panel.times - panel.times[0]) // 60_000_000 % 1440
    panel.values[(minute >= 120) & (minute < 150)] += 200
    total = seasonal_scores(panel).total
    assert (total[7 * 288 :] <= 1).all()


def test_a_batch_at_another_hour_does_alarm():
    panel = seasonal_panel(14, seed=4)
    minute = (panel.times - panel.times[0]) // 60_000_000 % 1440
    panel.values[(minute >= 120) & (minute < 150)] += 200
    panel.values[13 * 288 + 150 : 13 * 288 + 156] += 200
    assert (seasonal_scores(panel).total[13 * 288 + 150 : 13 * 288 + 156] > 1).sum() >= 5


def test_the_weekend_is_expected_after_three_weeks():
    panel = seasonal_panel(28, noise=0.02)
    weekend = (panel.times // DAY_US + 3) % 7 >= 5
    panel.values[weekend] *= 0.5
    total = seasonal_scores(panel).total
    assert (total[21 * 288 :] <= 1).all()


def test_a_sawtooth_may_reset():
    rows = 20 * 288
    random = np.random.default_rng(1)
    panel = seasonal_panel(20)
    # Fills for 17 hours, then is emptied: never at the same time of day.
    saw = np.arange(rows) % 204 / 204 * 60 + 20 + random.normal(0, 0.3, rows)
    total = seasonal_scores(with_values(panel, saw[:, None])).total
    assert (total[7 * 288 :] > 1).sum() == 0


def test_only_the_direction_that_hurts_counts():
    panel = seasonal_panel(6, columns=2)
    panel.falls[0] = panel.rises[1] = False
    panel.values[1500:1512] *= 0.2
    scores = seasonal_scores(panel)
    assert scores.columns[:, 0].max() < 1
    assert (scores.columns[1501:1512, 1] > 1).all()


def test_a_change_below_the_minimum_effect_is_no_anomaly():
    panel = seasonal_panel(4, noise=0.0)
    values = np.full_like(panel.values, 100.0)
    values[1000:1020] = 104.0
    assert seasonal_scores(with_values(panel, values)).total.max() <= 1
    assert seasonal_scores(with_values(panel, values), minimum_effect=0.01).total.max() > 1


def test_the_knob_bounds_false_events():
    panel = seasonal_panel(21, columns=30, seed=7)
    for name in ("seasonal", "auto"):
        detector = detectors.create(name, Tuning())
        detector.fit(panel.rows(0, 14 * 288))
        columns = detector.score(panel.rows(13 * 288, 21 * 288)).columns[288:]
        events = sum(int(number_events(panel.times[:2016], c > 1, HOUR_US).max()) for c in columns.T)
        # 30 series for a week at half an event each.
        assert events <= 15


def test_a_looser_knob_flags_what_a_stricter_one_does_and_more():
    panel = seasonal_panel(14, seed=5)
    panel.values[36::288] += 60
    for step in range(8):
        panel.values[2600 + 150 * step : 2604 + 150 * step] *= 1.1 + 0.07 * step
    found = [
        detectors.create("auto", Tuning(expected_false_events_per_week=knob)).score_causally(panel).total > 1
        for knob in (0.1, 0.5, 5, 50)
    ]
    assert all((looser | ~stricter).all() for stricter, looser in pairwise(found))
    assert all(stricter.sum() < looser.sum() for stricter, looser in pairwise(found))


def test_a_past_fault_does_not_blind():
    clean, faulty = seasonal_panel(15, seed=2), seasonal_panel(15, seed=2)
    faulty.values[5 * 288 : 6 * 288] *= 5
    for panel in (clean, faulty):
        panel.values[14 * 288 + 50 : 14 * 288 + 62] *= 2
    assert (seasonal_scores(faulty).total[14 * 288 + 51 : 14 * 288 + 62] > 1).all()


def test_a_job_at_about_the_same_time_of_night_becomes_a_habit_and_more_than_it_is_news():
    panel = seasonal_panel(14, seed=4)
    random = np.random.default_rng(0)
    nights = [day * 288 + 36 + int(random.integers(-6, 7)) for day in range(14)]
    for night in nights:
        panel.values[night : night + 2] += 200
    panel.values[13 * 288 + 200 : 13 * 288 + 206] += 800
    total = detectors.create("auto", Tuning()).score_causally(panel).total
    assert total[nights[2]] > 1
    assert (total[8 * 288 : 13 * 288] <= 1).all()
    assert (total[13 * 288 + 200 : 13 * 288 + 206] > 1).any()


@pytest.mark.parametrize("rows", [20, 61, 200])
def test_a_history_shorter_than_the_minimum_can_be_fitted(rows: int):
    detector = detectors.create("auto", Tuning())
    panel = seasonal_panel(2)
    detector.fit(panel.rows(0, rows))
    assert np.isfinite(detector.score(panel).total).all()


@pytest.mark.slow
def test_services_with_long_histories_are_learned_beside_each_other():
    panel = seasonal_panel(60, columns=18)
    assert panel.values[:, :9].nbytes > 1_000_000, "arrays from a megabyte on take another way between processes"
    names = tuple(f"service-{place // 9}/metric_{place}" for place in range(18))
    fitted = model.train(replace(panel, columns=names), Tuning())
    assert sorted(fitted.groups) == ["service-0", "service-1"]


def test_tails_of_a_fit_are_those_of_rows_that_were_not_learned_from_whatever_their_number():
    panel = seasonal_panel(8)
    usual = []
    for rows in (2000, 2001):
        detector = detectors.create("auto", Tuning())
        detector.fit(panel.rows(0, rows))
        usual.append([float(tail.usual[0]) for tail in detector.tails])
    np.testing.assert_allclose(usual[0], usual[1], rtol=0.02)
