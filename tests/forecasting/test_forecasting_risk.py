"""First passage: who is alarmed, when, and who must not be."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest

from components.forecasting import passage, risk, sawtooth
from components.forecasting.forecast import forecast
from components.forecasting.series import FloatArray
from tests.forecasting.conftest import filling_disk, history, rotated_log, seasonal


def judge(values: FloatArray, limit: float, horizon: int = 168, **options: object) -> risk.Risk:
    past = history(values, lower=0.0)
    fan = forecast(past, horizon).quantiles
    return risk.estimate(past, fan, limit=limit, **options)  # type: ignore[arg-type]


def test_a_filling_disk_is_seen_days_ahead() -> None:
    found = judge(filling_disk(), 95.0)
    assert found.probability[1] < 0.02
    assert found.probability[24] < 0.2
    assert found.probability[72] > 0.6
    assert found.probability[168] > 0.9
    hours = (found.time_to_limit[0.5] - history(filling_disk()).end) / timedelta(hours=1)  # type: ignore[operator]
    assert 36 <= hours <= 84
    assert found.time_to_limit[0.1] <= found.time_to_limit[0.5]  # type: ignore[operator]


@pytest.mark.parametrize("seed", range(4))
def test_a_recurring_sawtooth_that_never_crossed_is_not_alarmed(seed: int) -> None:
    found = judge(rotated_log(seed=seed), 95.0)
    assert found.probability[168] < 0.15
    assert "sawtooth" in found.reason


def test_a_sawtooth_whose_peaks_rise_is_alarmed() -> None:
    found = judge(rotated_log() - 25 + np.arange(720) * 0.045, 95.0)
    assert found.probability[24] < 0.2
    assert found.probability[168] > 0.8


def test_a_rotation_that_stopped_is_alarmed() -> None:
    values = rotated_log()
    values[-60:] = 60 + np.arange(60) * 25 / 30 * 0.5
    found = judge(values, 95.0)
    assert "past its pattern" in found.reason
    assert found.probability[72] > 0.9


def test_a_season_far_below_the_limit_is_calm_and_one_that_crosses_daily_is_not() -> None:
    assert judge(seasonal(), 95.0).probability[168] < 0.1
    # The series ends at its daily mean and passes 58 at every peak.
    assert judge(seasonal(), 58.0).probability[24] > 0.9


def test_below_is_the_mirror_of_above() -> None:
    free = 100 - filling_disk()
    found = judge(free, 5.0, direction="below")
    assert found.probability[72] > 0.6
    assert found.probability[24] < 0.2


def test_already_crossed_says_so() -> None:
    found = judge(seasonal(), 10.0)
    assert found.already_crossed
    assert found.probability == dict.fromkeys(risk.HORIZONS_H, 1.0)


def test_short_history_abstains() -> None:
    for hours in (12, 60):
        found = judge(seasonal(hours), 95.0)
        assert found.abstained
        assert found.probability == dict.fromkeys(risk.HORIZONS_H)
        assert f"{hours / 24:.1f} days of history" in found.reason


def test_steady_growth_is_judged_after_a_day() -> None:
    found = judge(25 + 1.25 * np.arange(36), 90.0)
    assert not found.abstained
    assert found.probability[4] < 0.1
    assert found.probability[24] > 0.8
    assert "grown steadily" in found.reason


def test_keys_past_the_horizon_are_null() -> None:
    found = judge(seasonal(), 95.0, horizon=24).as_json()
    assert found["probability"]["24h"] is not None
    assert found["probability"]["72h"] is None
    assert found["time_to_limit"] == {"q0.1": None, "q0.5": None, "q0.9": None}


def test_the_seed_fixes_the_answer() -> None:
    assert judge(seasonal(), 62.0, seed=4).as_json() == judge(seasonal(), 62.0, seed=4).as_json()
    assert judge(seasonal(), 62.0, seed=4).probability != judge(seasonal(), 62.0, seed=5).probability


def test_sample_paths_have_the_fans_marginals() -> None:
    values = seasonal()
    fan = forecast(history(values), 48).quantiles
    paths = passage.sample_paths(values, fan, history(values).profile, 24, np.random.default_rng(0))
    inside = (paths >= fan[1]) & (paths <= fan[5])
    assert inside.mean() == pytest.approx(0.8, abs=0.03)


def test_sawtooth_is_told_from_season_noise_and_spikes() -> None:
    rng = np.random.default_rng(0)
    spikes = rng.normal(10, 1, 720)
    spikes[::50] += 40
    assert sawtooth.detect(seasonal()) is None
    assert sawtooth.detect(rng.normal(0, 1, 720)) is None
    assert sawtooth.detect(spikes) is None
    found = sawtooth.detect(rotated_log())
    assert found is not None
    assert float(np.median(found.lengths)) == 30.0
    assert not found.broken
