"""The one scale of all detectors: what evidence means, how it is confirmed, fades, and becomes a score."""

from __future__ import annotations

import numpy as np
import pytest

from components.anomaly import evidence
from components.anomaly.detector import Tuning
from components.anomaly.detectors import auto
from components.anomaly.panel import DAY_US
from tests.anomaly.series import STEP_US, seasonal_panel


def column(values: list[float]) -> np.ndarray:
    return np.array(values, dtype=float)[:, None]


@pytest.mark.parametrize(("share", "expected"), [(0.9, 1.0), (0.99, 2.0)])
def test_evidence_is_how_rare_history_was_as_strange(share: float, expected: float) -> None:
    history = np.random.default_rng(0).exponential(size=(20_000, 2)) * [1, 1000]
    tail = evidence.fit_tail(history)
    np.testing.assert_allclose(tail.evidence(np.quantile(history, share, axis=0)[None, :]), expected, atol=0.02)
    np.testing.assert_allclose(tail.surprise(expected), np.quantile(history, share, axis=0), rtol=0.02)


def test_no_surprise_is_no_evidence_and_none_is_boundless() -> None:
    tail = evidence.fit_tail(column([0.0] * 100))
    assert tail.evidence(column([0.0, 1e9, np.nan]))[:, 0].tolist() == pytest.approx([0, 12, np.nan], nan_ok=True)


def test_without_history_there_is_no_evidence() -> None:
    tail = evidence.fit_tail(column([np.nan] * 100 + [1.0] * 19))
    assert np.isnan(tail.evidence(column([1.0, 50.0]))).all()


def test_members_have_one_vote_each_and_those_that_abstain_none() -> None:
    votes = np.array([[1.0, 4.0], [3.0, np.nan], [np.nan, np.nan]])
    assert evidence.mean_known(votes).tolist() == [2.0, 4.0]
    assert np.isnan(evidence.mean_known(np.full((3, 1), np.nan))).all()


def test_columns_are_pooled_by_their_root_mean_square_of_what_is_known() -> None:
    assert evidence.pooled(np.array([[3.0, 4.0, np.nan]])).tolist() == [pytest.approx(np.sqrt(12.5))]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [([0, 6, 0], [0, 4, 0]), ([6, 6, 0], [4, 6, 0]), ([6, 0, 6], [4, 0, 6]), ([6, 0, 0, 6], [4, 0, 0, 4])],
    ids=str,
)
def test_a_lone_row_counts_for_less_than_one_that_a_second_bears_out(rows: list[float], expected: list[float]) -> None:
    assert evidence.confirmed(column(rows), 2, 3)[:, 0].tolist() == expected


def test_what_was_evident_fades_and_is_forgotten() -> None:
    lasting = evidence.lasting(column([6.0] + [0.0] * 200))[:, 0]
    assert lasting[0] == pytest.approx(6)
    assert lasting[1] == pytest.approx(6 * (0.9 + 0.98) / 3)
    assert (np.diff(lasting) <= 0).all()
    assert lasting[evidence.FADED_ROWS + 1] == 0


def test_a_row_that_is_nothing_special_never_exceeds_one() -> None:
    assert evidence.scores(column([0.9, 1.1]), column([8.0, 8.0]), 2.0)[:, 0].tolist() == [1.0, 4.0]
    assert evidence.scores(column([0.4, 0.6]), column([1.0, 1.0]), 0.5)[:, 0].tolist() == [1.0, 2.0], "a loose knob"


@pytest.mark.parametrize(
    ("score", "own", "lasting", "expected"),
    [
        (1.2, [0.0, 0.0], [0.0, 0.0], 1.2),
        (0.0, [0.0, 0.0], [0.0, 0.0], 0.0),
        (0.5, [1.0, 1.0], [1.0, 1.0], 0.5),
        (0.0, [2.0, 2.0], [0.0, 0.0], 0.3),
        (0.4, [0.0, 0.0], [9.0, 9.0], 0.7),
        (0.0, [np.nan, np.nan], [0.0, 0.0], 0.0),
    ],
    ids=["an alarm stays", "nothing", "half the limit", "not confirmed", "a habit", "not known"],
)
def test_what_is_no_alarm_is_ranked(score: float, own: list[float], lasting: list[float], expected: float) -> None:
    ranked = evidence.ranked(np.array([score]), np.array([own]), np.array([lasting]), 2.0)
    assert ranked.tolist() == [pytest.approx(expected)]


def test_what_few_of_many_columns_show_ranks_before_what_none_shows() -> None:
    columns = np.zeros((2, 9))
    columns[0, 3:6] = 2.0
    ranked = evidence.ranked(np.zeros(2), np.zeros((2, 9)), columns, 2.0)
    assert ranked.tolist() == [pytest.approx(0.3), 0.0]


@pytest.mark.parametrize(
    ("knob", "step_us", "columns", "expected"),
    [
        (1.0, STEP_US, 1, 1.35),
        (0.1, STEP_US, 1, 2.0),
        (1.0, 10 * STEP_US, 1, 1.1),
        (1.0, STEP_US, 4, 1.2),
        (1000.0, STEP_US, 38, 0.3),
    ],
)
def test_the_limit(knob: float, step_us: int, columns: int, expected: float) -> None:
    assert evidence.limit(knob, step_us, columns) == pytest.approx(expected, abs=1e-6)


def days(peaks: list[float]) -> tuple[np.ndarray, np.ndarray]:
    """Rows of an hour with one peak a day."""
    rows = np.zeros((24 * len(peaks), 1))
    rows[12::24, 0] = peaks
    return rows, np.arange(len(rows), dtype=np.int64) * (DAY_US // 24)


@pytest.mark.parametrize(
    ("peaks", "expected"),
    [
        ([3.0] * 10, 3.45),
        ([3.0] * 4, 0.0),
        ([3.0, 3.0, 3.0, 0.0] * 3, 0.0),
        ([1.0] * 10, 0.0),
        ([3.0] * 9 + [9.0], 3.45),
    ],
    ids=["all days", "too few days", "three days of four", "below the limit", "one far above"],
)
def test_a_peak_on_nearly_all_days_is_a_habit(peaks: list[float], expected: float) -> None:
    assert evidence.habit(*days(peaks), np.array([2.0])).tolist() == [pytest.approx(expected)]


def test_every_member_of_auto_has_its_say() -> None:
    panel = seasonal_panel(4)
    panel.values[900:903] *= 3
    scores = auto.Detector(Tuning()).score_causally(panel)
    said = np.stack(list(scores.members.values()))
    assert len(said) == len(auto.MEMBERS)
    assert (said[:, 900:903].max(axis=1) > said[:, 400:800].mean(axis=1)).all()
    assert len(np.unique(said[:, 300:], axis=0)) == len(said)
