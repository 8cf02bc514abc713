"""Models of the kind of a cause: features, members, held-out systems."""

from __future__ import annotations

import numpy as np
import pytest

from components.rootcause.diagnosis import diagnose
from components.rootcause.kinds import MODELS, feature_names, features, fit, held_out
from components.rootcause.specs import ScorerParams
from tests.rootcause.cases import DB_FAULT, case, metrics

RANDOM = np.random.default_rng(0)
ROWS = np.zeros((120, 8))
LABELS = ["cpu", "memory", "network"] * 40
GROUPS = ["one", "two"] * 60
for place, label in enumerate(LABELS):
    ROWS[place, {"cpu": 2, "memory": 3, "network": 5}[label]] = 2 + RANDOM.random()


@pytest.mark.parametrize("name", MODELS)
def test_every_model_tells_plain_kinds_of_a_system_it_never_saw(name):
    answers = held_out(ROWS, LABELS, GROUPS, name)
    assert np.mean([answer == label for answer, label in zip(answers, LABELS, strict=True)]) > 0.95


@pytest.mark.parametrize("name", MODELS)
def test_importance_names_the_features_that_decide(name):
    importance = fit(ROWS, LABELS, name).importance()
    assert importance.sum() == pytest.approx(1.0, abs=1e-6)
    assert importance[[2, 3, 5]].sum() == pytest.approx(1.0, abs=1e-6)


def test_features_are_doublings_per_kind():
    standing = diagnose(case(metrics(DB_FAULT)), ScorerParams()).standings[0]
    plain = dict(zip(feature_names(), features(standing), strict=True))
    assert plain["cpu_utilization"] == pytest.approx(np.log2(40 / 5) * 71.7 / 80, abs=0.1)  # it came near its limit
    assert plain["latency_change"] > 3
    assert plain["memory_pressure"] == 0.0
    assert len(features(standing, rich=True)) == len(feature_names(rich=True))


def test_a_system_whose_others_have_one_kind_is_left_open():
    assert held_out(ROWS[:4], ["cpu", "cpu", "cpu", "memory"], ["a", "a", "a", "b"], "decision_tree")[3] is None


@pytest.mark.parametrize(("name", "labels"), [("svm", LABELS), ("ensemble", ["cpu"] * 120)])
def test_unknown_models_and_single_kinds_are_refused(name, labels):
    with pytest.raises(ValueError, match=r"no model|same kind"):
        fit(ROWS, labels, name)
