"""Training on Spark or Ray: what travels there and back, and the same figures as in one process."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import numpy as np
import pytest

from components.core.errors import ParamsError, ServiceError
from components.forecasting import cluster, training
from components.forecasting.series import FloatArray
from components.forecasting.training import Plan, Trained
from tests.forecasting.conftest import filling_disk, history, rotated_log, seasonal

CANDIDATES = ("ets", "recent_median", "seasonal_naive", "theta")
WORK = partial(training.train_one, model="auto", horizon=24, origins=3)


def plans() -> list[Plan]:
    gappy = np.arange(240) % 7 != 0
    return [
        Plan("shop/b:latency", history(seasonal(240)), CANDIDATES),
        Plan("shop/a:disk", history(filling_disk(600), lower=0.0, upper=100.0), CANDIDATES),
        Plan("log", history(rotated_log(240), observed=gappy), CANDIDATES),
        Plan("constant", history(np.full(240, 3.0)), CANDIDATES),
        Plan("short", history(seasonal(30)), CANDIDATES),
    ]


def flat(found: Trained) -> list[FloatArray]:
    """Every number that training gave, in one order."""
    fitted = found.fitted
    arrays = [fitted.offsets, *[fitted.weights[name] for name in sorted(fitted.weights)]]
    arrays += [] if fitted.errors is None else [fitted.errors]
    arrays.append(np.array([fitted.ratio if fitted.ratio is not None else np.nan, *fitted.scores.values()]))
    for name in sorted(found.figures):
        own = found.figures[name]
        arrays += [own.mase, own.crps, own.by_step]
    return [np.asarray(array, dtype=float) for array in arrays]


def assert_same(found: Trained, expected: Trained) -> None:
    assert found.name == expected.name
    assert (found.fitted.reason, found.fitted.adapts) == (expected.fitted.reason, expected.fitted.adapts)
    assert list(found.fitted.weights) == list(expected.fitted.weights)
    for ours, theirs in zip(flat(found), flat(expected), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("plan", plans(), ids=lambda plan: plan.name)
def test_a_series_travels_without_losing_a_bit(plan: Plan) -> None:
    there = cluster.read_plan(cluster.write_plan(plan))
    assert (there.name, there.candidates) == (plan.name, plan.candidates)
    for field in ("start", "step", "lower", "upper"):
        assert getattr(there.history, field) == getattr(plan.history, field), field
    np.testing.assert_array_equal(there.history.values, plan.history.values)
    np.testing.assert_array_equal(there.history.observed, plan.history.observed)
    expected = WORK(plan)
    assert_same(cluster.read_trained(cluster.write_trained(expected)), expected)


@pytest.mark.parametrize(("engine", "package"), cluster.ENGINES.items())
def test_a_missing_engine_is_named(engine: str, package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (package, f"{package}.sql"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ParamsError, match=rf"engine '{engine}' needs the package '{package}'.*engine=local"):
        cluster.train(plans(), WORK, engine, 1)


@contextmanager
def in_process(engine: str, workers: int) -> Iterator[None]:
    """Fugue's own engine, which needs no cluster."""
    yield None


def lost(plan: Plan) -> Trained:
    raise ConnectionError("worker 3 is gone\nand a long trace")


def test_series_come_back_in_their_order_through_fugue(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "_session", in_process)
    found = cluster.train(plans(), WORK, "spark", 1)
    assert [one.name for one in found] == [plan.name for plan in plans()]
    for ours, plan in zip(found, plans(), strict=True):
        assert_same(ours, WORK(plan))
    assert cluster.train([], WORK, "spark", 1) == []


def test_a_cluster_that_goes_away_is_told_in_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "_session", in_process)
    with pytest.raises(ServiceError, match=r"^spark lost the training half-way \(.*\); nothing is written") as told:
        cluster.train(plans(), lost, "spark", 1)
    assert "\n" not in str(told.value)


@pytest.mark.server
@pytest.mark.timeout(300)
@pytest.mark.parametrize("engine", cluster.ENGINES)
def test_an_engine_gives_the_figures_of_one_process(engine: str) -> None:
    if importlib.util.find_spec(cluster.ENGINES[engine]) is None:
        pytest.skip(f"{cluster.ENGINES[engine]} is not installed: make test-server installs it")
    if engine == "spark" and shutil.which("java") is None:
        pytest.skip("Spark needs java")
    found = cluster.train(plans(), WORK, engine, 2)
    for ours, plan in zip(found, plans(), strict=True):
        assert_same(ours, WORK(plan))
