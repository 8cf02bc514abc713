"""Windows for models that learn: what they hold, what they hide, and how models are taught once for many series."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Self

import numpy as np
import pytest

from components.forecasting import training, windows
from components.forecasting.forecast import fit, forecast
from components.forecasting.model import Unfit
from components.forecasting.models import automl
from components.forecasting.series import FloatArray, History
from components.forecasting.trained import TrainedModel, load, save
from components.forecasting.training import Plan
from components.forecasting.windowed import State, WindowedCandidate
from components.forecasting.windows import LENGTH_H, PATCH_H, PATCHES, Windows
from tests.forecasting.conftest import history, seasonal


def test_a_window_holds_the_last_week_and_gives_values_back() -> None:
    values = seasonal(400)
    found = windows.newest(history(values))
    assert len(found) == 1
    assert found.past.shape == found.future.shape == (1, PATCHES, 11)
    past = found.past[0, :, :PATCH_H].reshape(-1)
    assert found.centre[0] + found.spread[0] * np.sinh(past) == pytest.approx(values[-LENGTH_H:])
    anchor = found.values(np.zeros((1, PATCHES, PATCH_H)))[0]
    assert anchor[:24] == pytest.approx(np.median(values[-LENGTH_H:].reshape(7, 24), axis=0), abs=1e-6)
    assert np.isnan(found.target).all()


def test_targets_are_what_came_and_unknown_where_nothing_was_measured() -> None:
    observed = np.ones(400, dtype=bool)
    observed[330:340] = False
    found, series = windows.many([history(seasonal(400), observed=observed)], 8)
    assert series.tolist() == [0] * 8
    values = found.values(np.nan_to_num(found.target))
    origins = np.linspace(48, 376, 8).astype(int)
    for row, origin in enumerate(origins):
        hours = np.flatnonzero(np.isfinite(found.target[row].reshape(-1)))
        assert values[row, hours] == pytest.approx(seasonal(400)[origin + hours])
        assert not set(origin + hours) & set(range(330, 340))
        assert (origin + hours).max() < 400


def test_nothing_after_a_window_is_in_its_past() -> None:
    values = seasonal(400)
    changed = values.copy()
    changed[300:] = 999.0
    one, other = (windows.many([history(part)], 8)[0] for part in (values, changed))
    early = np.linspace(48, 376, 8).astype(int) <= 300
    for field in ("past", "future", "anchor", "static"):
        assert np.array_equal(getattr(one, field)[early], getattr(other, field)[early])


@pytest.mark.parametrize(
    ("past", "message"),
    [
        (history(seasonal(400), step=timedelta(minutes=30)), "hourly steps"),
        (history(seasonal(40)), "48 hours"),
    ],
)
def test_what_no_window_can_be_made_of_is_refused(past: History, message: str) -> None:
    with pytest.raises(Unfit, match=message):
        windows.newest(past)
    with pytest.raises(Unfit, match="nothing to learn from"):
        windows.many([past, history(np.full(400, 1.0))], 8)


def test_an_idle_week_stays_finite() -> None:
    values = np.r_[np.full(200, 5.0) + np.arange(200) % 7, np.zeros(200)]
    found = windows.newest(history(values))
    for part in (found.past, found.future, found.static, found.anchor, found.spread):
        assert np.isfinite(part).all()


class Drift(WindowedCandidate):
    """Adds the mean of what was to be added: learns, but in no time."""

    name = "automl"

    def train(self, learnt: Windows, held_out: Windows) -> State:
        return {"mean": np.array([np.nanmean(learnt.target)]), "taught": np.array([len(learnt), len(held_out)])}

    def add(self, state: State, asked: Windows) -> FloatArray:
        return np.full((len(asked), PATCHES, PATCH_H), state["mean"][0])

    def learn(self, histories: Sequence[History]) -> Self:
        TAUGHT.append([len(one) for one in histories])
        return super().learn(histories)


TAUGHT: list[list[int]] = []


@pytest.fixture
def drift(monkeypatch: pytest.MonkeyPatch) -> Drift:
    """Drift in the place of automl."""
    TAUGHT.clear()
    monkeypatch.setattr(automl, "MODEL", Drift())
    return automl.MODEL  # type: ignore[return-value]


def test_series_are_held_out_whole_or_the_newest_where_there_are_few(drift: Drift) -> None:
    many = drift.learn([history(seasonal(300, seed)) for seed in range(10)])
    assert many.state()["taught"].tolist() == [8 * 24, 2 * 24]
    assert drift.learn([history(seasonal(720))]).state()["taught"].tolist() == [128, 32]


def test_alone_it_is_taught_by_the_older_origins_and_again_by_everything(drift: Drift) -> None:
    found = forecast(history(seasonal(480)), 200, model="automl")
    assert TAUGHT == [[480 - 24 * 9], [480]]
    assert found.model == "automl"
    assert found.mean[168:192] == pytest.approx(found.mean[144:168])


def test_a_training_teaches_once_and_serves_what_it_taught(drift: Drift, tmp_path: Path) -> None:
    plans = [Plan(f"s{i}", history(seasonal(300, i)), ("automl", "seasonal_naive")) for i in range(3)]
    plans.append(Plan("plain", history(seasonal(300)), ("seasonal_naive",)))
    early, whole = training.learn(plans, 48, 4)
    assert TAUGHT == [[204] * 3, [300] * 3]
    work = partial(training.train_one, model="automl", horizon=48, origins=4, learned=early)
    results = training.train(plans, work, workers=1)
    assert len(TAUGHT) == 2
    assert "automl" in results[0].figures
    model = TrainedModel("some", 48, {r.name: r.fitted for r in results}, {}, whole)
    save(tmp_path, model)
    again = load(tmp_path)
    ahead = [one.forecast({"s0": plans[0].history}, 48)["s0"] for one in (model, again)]
    assert ahead[0].model == "automl"
    assert ahead[1].mean == pytest.approx(ahead[0].mean)
    assert len(TAUGHT) == 2


def test_a_model_that_learns_may_be_weighed_with_the_others(drift: Drift) -> None:
    fitted = fit(history(seasonal(480)), 72, candidates=("automl", "seasonal_naive"))
    assert "automl" in fitted.scores


@pytest.mark.parametrize("seed", [0, 1])
def test_features_of_the_trees_are_finite_and_know_no_target(seed: int) -> None:
    found, _ = windows.many([history(seasonal(400, seed))], 6)
    features, target = automl._rows(found)
    assert np.isfinite(features).all()
    assert len(features) == len(target) > 40
    leads = np.tile(np.arange(LENGTH_H), (len(found), 1))
    hidden = found.pick(np.arange(len(found)))
    hidden.target[:] = np.nan
    assert np.array_equal(automl._features(hidden, leads), automl._features(found, leads))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["lstm", "tft"])
def test_a_network_begins_as_its_anchor_and_its_weights_travel(name: str) -> None:
    from components.forecasting import models, network

    model = models.candidate(name)
    found, _ = windows.many([history(seasonal(600))], 40)
    fresh = network._Made(model.build)  # type: ignore[attr-defined]
    inputs = network._inputs(found)
    assert np.abs(fresh.ask(fresh._state, inputs)).max() == 0.0
    taught = model.learn([history(seasonal(600, seed)) for seed in range(3)])
    copy = model.restore(dict(taught.state()))
    past = history(seasonal(600, 5))
    assert copy.points(past, 72) == pytest.approx(taught.points(past, 72))


def test_searching_starts_no_spark_where_pyspark_is(tmp_path: Path) -> None:
    (tmp_path / "pyspark").mkdir()
    (tmp_path / "pyspark" / "__init__.py").write_text("raise SystemExit('pyspark was imported')")
    code = (
        "import sys; from components.forecasting.models import automl; automl._flaml(); print('pyspark' in sys.modules)"
    )
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    ended = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout.strip()) == (0, "False"), ended.stderr
