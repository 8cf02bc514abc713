"""The synthetic shop's faults, all kinds, and its decoys: a regression suite over two seeds."""

from __future__ import annotations

from functools import cache

import pytest

from components.rootcause.diagnosis import Diagnosis, diagnose
from components.rootcause.specs import ScorerParams
from tests.benchmarks.rootcause import shop
from tests.benchmarks.rootcause.labelled import Labelled

pytestmark = pytest.mark.slow
SEEDS = (1, 3)
#: Every kind of fault that the shop knows and that is felt within a day.
KINDS = {"bad_release", "memory_leak", "noisy_neighbour", "packet_errors", "pool_exhaustion", "queue_growth"}
KINDS |= {"replication_lag", "slow_queries", "swap_growth"}


@cache
def _faults() -> list[tuple[Labelled, Diagnosis]]:
    cases = [case for seed in SEEDS for case in shop.incidents(seed)]
    return [(case, diagnose(case.case, ScorerParams())) for case in cases]


def test_all_kinds_are_there():
    assert {case.name.split("-")[0] for case, _ in _faults()} >= KINDS


def test_the_first_cause_is_right():
    hits = [bool(found.causes) and found.causes[0]["service"] == case.service for case, found in _faults()]
    assert sum(hits) / len(hits) >= 0.85


def test_the_kind_is_right_where_the_cause_is():
    right = [(c, f) for c, f in _faults() if f.causes and f.causes[0]["service"] == c.service]
    assert sum(found.causes[0]["kind"] in case.kinds for case, found in right) / len(right) >= 0.9


def test_decoys_are_abstained_on():
    cases = [case for seed in SEEDS for case in shop.decoys(seed)]
    assert sum(diagnose(case.case, ScorerParams()).abstained for case in cases) / len(cases) >= 0.95
