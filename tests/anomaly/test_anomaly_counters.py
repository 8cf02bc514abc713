"""Counters: what passes for one, and what is judged of them."""

from __future__ import annotations

import numpy as np
import pytest

from components.anomaly.counters import as_increases, is_counter
from tests.anomaly.series import seasonal_panel, with_values

ROWS = np.arange(300.0)
RANDOM = np.random.default_rng(0)
ASKED = RANDOM.poisson(20, 300).astype(float)
CASES = {
    "requests": (np.cumsum(ASKED), True),
    "requests, restarted twice": (
        np.concatenate([np.cumsum(ASKED[:90]), np.cumsum(ASKED[90:200]), np.cumsum(ASKED[200:])]),
        True,
    ),
    "requests with a gap": (np.where((ROWS > 50) & (ROWS < 60), np.nan, np.cumsum(ASKED)), True),
    "a gauge": (ASKED, False),
    "a constant": (np.full(300, 7.0), False),
    "a flag that is set now and then": ((ROWS % 30 > 25).astype(float), False),
    "a heap that is collected": (40 + ROWS % 50, False),
    "a heap that is collected every few rows": (ROWS % 8, False),
    "below zero": (np.cumsum(ASKED) - 900, False),
    "nothing known": (np.full(300, np.nan), False),
    "too little known": (np.where(ROWS < 20, np.cumsum(ASKED), np.nan), False),
}


@pytest.mark.parametrize("case", CASES)
def test_what_passes_for_a_counter(case: str) -> None:
    values, expected = CASES[case]
    assert is_counter(values[:, None]).tolist() == [expected]


def test_the_increase_spreads_over_gaps_and_survives_restarts() -> None:
    panel = seasonal_panel(1)
    counted = np.cumsum(np.full(288, 5.0))
    counted[100:] -= counted[100] - 3
    counted[50:52] = np.nan
    found, names = as_increases(with_values(panel, counted[:, None]), 90)
    assert names == panel.columns
    increase = found.values[:, 0]
    assert np.isnan(increase[[0, 50, 51]]).all()
    known = np.delete(increase, [0, 50, 51, 100])
    assert known == pytest.approx(np.full(len(known), 5.0))
    assert increase[100] == pytest.approx(3)


def test_what_comes_later_does_not_make_a_counter_of_earlier_rows() -> None:
    panel = seasonal_panel(2)
    values = np.cumsum(np.full(576, 5.0))[:, None]
    values[400:] = 1.0
    whole, _ = as_increases(with_values(panel, values), 288)
    part, _ = as_increases(with_values(panel, values).rows(0, 350), 288)
    assert np.array_equal(whole.values[:350], part.values, equal_nan=True)
