"""Average precision and VUS-PR: by hand, against scikit-learn, against the published packages."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from tests.benchmarks.anomaly.curves import auc_pr, spans, vus_pr

REFERENCE = json.loads(Path(__file__).with_name("reference.json").read_text())


@pytest.mark.parametrize("case", REFERENCE, ids=[case["name"] for case in REFERENCE])
def test_vus_pr_is_that_of_the_published_packages(case: dict) -> None:
    scores = np.array(case["scores"])
    labels = np.zeros(len(scores), dtype=bool)
    for first, length in case["stretches"]:
        labels[first : first + length] = True
    found = vus_pr(labels, scores, buffer=case["buffer"])
    assert found == pytest.approx(case["tsb_ad"], abs=1e-12)
    assert found == pytest.approx(case["vus"], abs=1e-12)


@pytest.mark.parametrize(
    ("labels", "scores", "area"),
    [
        ([0, 0, 1, 1, 0, 0], [1, 0, 9, 8, 3, 2], 1.0),
        # Recall times the share of stretches touched: 1/2 x 1/2 at precision 1, then 1 at precision 2/6.
        ([0, 0, 1, 0, 0, 1], [5, 4, 9, 3, 2, 1], 0.25 * 1 + 0.75 * 2 / 6),
    ],
)
def test_vus_pr_without_tolerance_by_hand(labels: list[int], scores: list[float], area: float) -> None:
    found = vus_pr(np.array(labels, dtype=bool), np.array(scores, dtype=float), buffer=0, thresholds=6)
    assert found == pytest.approx(area)


def test_vus_pr_with_one_row_of_tolerance_by_hand() -> None:
    # Width 2 reaches one row to either side with weight sqrt(1/2). Three cuts: rows 1, 1-2 and all four are flagged.
    labels, scores, near = np.array([False, False, True, False]), np.array([1.0, 4.0, 3.0, 2.0]), 0.5**0.5
    cuts = [(near, 1), (1 + near, 2), (1 + 2 * near, 4)]
    recalls = [
        min(found / (1 + weight / 2), 1.0) for (found, _), weight in zip(cuts, (near, near, 2 * near), strict=True)
    ]
    width_2 = sum(
        (recall - before) * found / flagged
        for recall, before, (found, flagged) in zip(recalls, [0, *recalls], cuts, strict=False)
    )
    narrow = (1 - 0) * 1 / 2  # widths 0 and 1 reach no other row: found with the second cut
    assert vus_pr(labels, scores, buffer=2, thresholds=3) == pytest.approx((2 * narrow + width_2) / 3)


def test_a_near_miss_counts_with_tolerance_only() -> None:
    labels = np.zeros(400, dtype=bool)
    labels[200:210] = True
    late = np.zeros(400)
    late[212:215] = 1
    assert vus_pr(labels, late, buffer=100) > 3 * vus_pr(labels, late, buffer=0)


@pytest.mark.parametrize(
    ("labels", "scores", "area"),
    [
        ([0, 1, 1, 0], [0, 3, 2, 1], 1.0),
        ([1, 0, 0, 1], [4, 3, 2, 1], 0.5 * 1 + 0.5 * 2 / 4),
        ([0, 1, 0, 0], [1, 1, 1, 1], 0.25),
    ],
)
def test_average_precision_by_hand(labels: list[int], scores: list[float], area: float) -> None:
    assert auc_pr(np.array(labels, dtype=bool), np.array(scores, dtype=float)) == pytest.approx(area)


@pytest.mark.parametrize("digits", [0, 1, 4])
def test_average_precision_is_scikit_learns(digits: int) -> None:
    random = np.random.default_rng(digits)
    labels, scores = random.random(500) < 0.1, np.round(random.random(500), digits)
    assert auc_pr(labels, scores) == pytest.approx(average_precision_score(labels, scores))


def test_random_scores_get_the_share_of_labels() -> None:
    random = np.random.default_rng(1)
    labels = random.random(20_000) < 0.03
    assert auc_pr(labels, random.random(20_000)) == pytest.approx(0.03, abs=0.01)


@pytest.mark.parametrize("measure", [auc_pr, vus_pr])
def test_without_labels_there_is_nothing_to_measure(measure: object) -> None:
    assert math.isnan(measure(np.zeros(50, dtype=bool), np.zeros(50)))  # type: ignore[operator]


@pytest.mark.parametrize(
    ("labels", "runs"), [("", []), ("000", []), ("111", [(0, 2)]), ("01101", [(1, 2), (4, 4)])]
)  # fmt: skip
def test_spans(labels: str, runs: list[tuple[int, int]]) -> None:
    starts, ends = spans(np.array([sign == "1" for sign in labels], dtype=bool))
    assert list(zip(starts, ends, strict=True)) == runs
