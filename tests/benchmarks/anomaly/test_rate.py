"""The rate of scoring row by row: its arithmetic, and that it is measured at all."""

from __future__ import annotations

import pytest

from components.anomaly.stream import PORTION
from tests.benchmarks.anomaly import rate
from tests.benchmarks.anomaly.rate import Rate


def test_a_day_of_fits_is_counted_into_every_row() -> None:
    # Two portions of columns: 2 x 14.4 s of fits a day are 10 ms a row.
    measured = Rate(columns=2 * PORTION, days=7, row_s=0.02, fit_s=14.4, values_mb=1.0)
    assert measured.row_with_fits_s == pytest.approx(0.03)
    assert measured.series_per_core == pytest.approx(2 * PORTION * 1000, abs=1)
    assert measured.wait_s == pytest.approx(0.02 * 10_000 / (2 * PORTION) + 14.4)


def test_the_page_states_the_least_rate() -> None:
    slow = Rate(1000, 7, 0.5, 15.0, 160.0)
    page = rate.section([Rate(200, 1, 0.05, 2.0, 5.0), slow])
    assert f"**{slow.series_per_core:,} series per core in real time at 30 s** at least" in page
    assert f"| 1,000 | 7 | 500 ms | 2.0 | 15.0 s | {slow.series_per_core:,} | 20 s | 160 MB |" in page


@pytest.mark.slow
def test_rows_are_scored_after_a_day() -> None:
    found = rate.measure(columns=40, days=1, rows=2)
    assert found.row_s > 0
    assert found.fit_s > 0
