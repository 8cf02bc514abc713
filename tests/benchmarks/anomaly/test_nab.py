"""NAB's score against values computed by hand from the paper's formulas."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tests.benchmarks.anomaly import nab

# Twenty rows, the first three of them probation, a window over rows 10 to 14.
LABELS = np.isin(np.arange(20), range(10, 15))


def _sigmoid(x: float) -> float:
    return 2 / (1 + math.exp(5 * x)) - 1


def _flagged(*rows: int) -> np.ndarray:
    return np.isin(np.arange(20), rows)


@pytest.mark.parametrize(
    ("rows", "raw"),
    [
        ((), -1),
        ((10,), 1),
        ((10, 11, 12), 1),
        ((14,), _sigmoid(-1 / 5) / _sigmoid(-1)),
        ((12, 14), _sigmoid(-3 / 5) / _sigmoid(-1)),
        ((5,), -1 - 0.11),
        ((1, 2), -1),
        ((16,), -1 + 0.11 * _sigmoid(2 / 4)),
        ((10, 19), 1 + 0.11 * _sigmoid(5 / 4)),
        ((10, 4, 5), 1 - 0.22),
    ],
)
def test_a_file_with_one_window(rows: tuple[int, ...], raw: float) -> None:
    assert nab.score([LABELS], [_flagged(*rows)]) == pytest.approx(100 * (raw + 1) / 2)


def test_far_behind_a_window_a_false_positive_costs_all_of_its_weight() -> None:
    labels = np.isin(np.arange(200), range(40, 45))
    assert nab.worth(labels).weights[[44 + 12, 44 + 13, 199]] == pytest.approx([0.11 * _sigmoid(3), -0.11, -0.11])


def test_probation_is_at_most_750_rows_and_takes_a_window_inside_it_along() -> None:
    labels = np.isin(np.arange(20_000), [*range(100, 110), *range(5_000, 5_010)])
    worth = nab.worth(labels)
    assert np.flatnonzero(worth.counts)[0] == 750
    assert worth.windows == 1
    assert nab.score([labels], [np.arange(20_000) == 5_000]) == pytest.approx(100)


def test_files_are_pooled_and_those_without_windows_can_only_cost() -> None:
    quiet = np.zeros(20, dtype=bool)
    assert nab.score([LABELS, quiet], [_flagged(10), _flagged(8)]) == pytest.approx(100 * (1 - 0.11 + 1) / 2)
    assert math.isnan(nab.score([quiet], [_flagged()]))


def _file(scores: np.ndarray) -> nab.File:
    return nab.File(np.arange(20) * 60_000_000, LABELS, scores, pause_us=0)


def test_the_best_threshold_is_found() -> None:
    scores = np.zeros(20)
    scores[[5, 10, 16]] = 0.4, 0.9, 0.5
    assert nab.best([_file(scores)], starts_only=False) == pytest.approx(100)
    scores[5] = 0.95
    assert nab.best([_file(scores)], starts_only=False) == pytest.approx(100 * (1 - 0.11 + 1) / 2)


def test_silence_is_always_among_the_thresholds() -> None:
    scores = np.linspace(1, 0, 20) * ~LABELS
    assert nab.best([_file(scores)], starts_only=False) >= 0


def test_only_the_start_of_an_event_counts() -> None:
    before = nab.File(np.arange(20) * 60_000_000, LABELS, _flagged(8, 9, 10).astype(float), pause_us=60_000_000)
    assert nab.best([before], starts_only=True) == 0
    assert nab.best([before], starts_only=False) == pytest.approx(100 * (1 - 0.22 + 1) / 2)


def test_first_rows() -> None:
    assert np.flatnonzero(nab.first_rows(np.array([0, 1, 1, 0, 1, 2, 0, 3]))).tolist() == [1, 5, 7]
