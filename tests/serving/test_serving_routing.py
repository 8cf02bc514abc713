"""Which version answers: the challenger's share, the swap, and a version that does not load."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

from components.serving.routing import RETRY_S, Route, share


class Constant:
    def __init__(self, version: str) -> None:
        self.version = version

    def predict(self, model_input: pd.DataFrame) -> pd.DataFrame:
        return model_input.assign(version=self.version)


@pytest.fixture
def loads() -> list[str]:
    return []


@pytest.fixture
def load(loads: list[str]) -> Callable[[str, str], Any]:
    """Loads any version except 13."""

    def load(model: str, version: str) -> Constant:
        loads.append(version)
        if version == "13":
            raise ValueError("weights are damaged")
        return Constant(version)

    return load


def answering(route: Route, request_id: str | None = None) -> str | None:
    chosen = route.choose(request_id)
    return chosen.version if chosen else None


def test_without_a_champion_nobody_answers(load: Any) -> None:
    route = Route("m", 0.5, load)
    route.refresh({"challenger": "1"}, 0.0)
    assert {answering(route, str(i)) for i in range(50)} == {None}
    assert "no version has the alias champion" in route.problem()


@pytest.mark.parametrize("weight", [0.0, 0.1, 0.5, 1.0])
def test_the_challenger_gets_its_share_of_the_ids(load: Any, weight: float) -> None:
    route = Route("m", weight, load)
    route.refresh({"champion": "1", "challenger": "2"}, 0.0)
    answers = [answering(route, f"request-{i}") for i in range(4000)]
    # Four standard deviations of a binomial share at n = 4000.
    assert answers.count("2") / 4000 == pytest.approx(weight, abs=4 * (0.25 / 4000) ** 0.5 if 0 < weight < 1 else 0)
    assert answers == [answering(route, f"request-{i}") for i in range(4000)]
    assert answering(route, None) == answering(route, "") == "1"


def test_the_share_depends_on_the_id_alone() -> None:
    # SHA-256 of "traceo" begins with these eight bytes; another process gives the same share.
    assert share("traceo") == int(hashlib.sha256(b"traceo").hexdigest()[:16], 16) / 2**64
    assert share("traceo") != share("traceo2")


def test_a_promoted_challenger_is_not_loaded_again(load: Any, loads: list[str]) -> None:
    route = Route("m", 0.0, load)
    route.refresh({"champion": "1", "challenger": "2"}, 0.0)
    route.refresh({"champion": "2"}, 1.0)
    route.refresh({"champion": "2"}, 2.0)
    assert answering(route) == "2"
    assert loads == ["1", "2"]


def test_a_version_that_does_not_load_leaves_the_old_one(load: Any, loads: list[str]) -> None:
    route = Route("m", 0.0, load)
    route.refresh({"champion": "1"}, 0.0)
    for now_s in (1.0, 2.0, RETRY_S, RETRY_S + 2):
        route.refresh({"champion": "13"}, now_s)
    assert loads == ["1", "13", "13"]
    assert answering(route) == "1"
    status = route.status()
    assert status["versions"] == {"champion": "1"}
    assert status["errors"] == {"champion": {"version": "13", "reason": "ValueError: weights are damaged"}}
    route.refresh({"champion": "2"}, RETRY_S + 3)
    assert answering(route) == "2"
    assert route.status()["errors"] == {}


def test_a_first_version_that_does_not_load_is_the_problem(load: Any) -> None:
    route = Route("m", 0.0, load)
    route.refresh({"champion": "13"}, 0.0)
    assert answering(route) is None
    assert route.problem() == "version 13 cannot be loaded: ValueError: weights are damaged"


def test_an_alias_that_is_gone_is_served_no_longer(load: Any) -> None:
    route = Route("m", 1.0, load)
    route.refresh({"champion": "1", "challenger": "2"}, 0.0)
    route.refresh({"champion": "1"}, 1.0)
    assert answering(route, "any") == "1"
    route.refresh({}, 2.0)
    assert answering(route, "any") is None
