"""Every baseline holds the same promises; so does the rule that gives them their alarms."""

from __future__ import annotations

import numpy as np
import pytest

from tests.benchmarks.anomaly.alarms import over_threshold, refits
from tests.benchmarks.anomaly.baselines import BASELINES
from tests.benchmarks.anomaly.events import WEEK_US

ROWS = 1_500
TIMES = np.arange(ROWS, dtype=np.int64) * 300_000_000
DETECTING = [name for name in BASELINES if name != "random"]


def _values(columns: int) -> np.ndarray:
    random = np.random.default_rng(3)
    daily = np.sin(np.arange(ROWS) / 288 * 2 * np.pi)[:, None]
    return 20 + 5 * daily + random.normal(size=(ROWS, columns))


@pytest.mark.parametrize("columns", [1, 3])
@pytest.mark.parametrize("name", BASELINES)
def test_a_score_depends_on_nothing_later(name: str, columns: int) -> None:
    values = _values(columns)
    whole = BASELINES[name](TIMES, values)
    early = BASELINES[name](TIMES[:900], values[:900])
    assert np.array_equal(whole[:900], early)
    assert np.isfinite(whole).all()
    assert (whole >= 0).all()


@pytest.mark.parametrize("columns", [1, 3])
@pytest.mark.parametrize("name", DETECTING)
def test_a_jump_stands_out(name: str, columns: int) -> None:
    values = _values(columns)
    values[1_200:1_203] += 60
    scores = BASELINES[name](TIMES, values)
    assert scores[1_200:1_203].max() > np.quantile(scores[600:1_200], 0.995)


@pytest.mark.parametrize("rows", [1, 2, 60, 400])
@pytest.mark.parametrize("name", BASELINES)
def test_constant_and_short_series(name: str, rows: int) -> None:
    scores = BASELINES[name](TIMES[:rows], np.full((rows, 2), 5.0))
    assert scores.shape == (rows,)
    assert np.isfinite(scores).all()


def test_the_budget_holds_where_history_is_like_the_present() -> None:
    rows = 40_000
    times = np.arange(rows, dtype=np.int64) * 300_000_000
    ratio = over_threshold(times, np.random.default_rng(0).exponential(size=rows), events_per_week=2.0)
    assert 1.0 < (ratio > 1).sum() / ((times[-1] - times[0]) / WEEK_US) < 3.5


def test_alarms_are_causal_and_wait_for_a_day() -> None:
    scores = np.random.default_rng(1).random(ROWS)
    ratio = over_threshold(TIMES, scores, 0.5)
    assert np.array_equal(ratio[:700], over_threshold(TIMES[:700], scores[:700], 0.5))
    assert not ratio[:288].any()
    assert ratio[288:].all()


@pytest.mark.parametrize("rows", [0, 1, 50, 51, 1_500])
def test_refits_cover_every_row_after_the_first(rows: int) -> None:
    parts = refits(TIMES[:rows])
    assert [end for _, end in parts[:-1]] == [start for start, _ in parts[1:]]
    assert not parts or parts[-1][1] == rows
