"""The gate's table: who met whom, and what follows."""

from __future__ import annotations

import re
from typing import Any

import pytest

from components.core.errors import InputError
from components.lifecycle.comparison import Bar, compare, judge, parse_evaluation

BAR = Bar(resamples=200)


def evaluation(
    challenger: list[float | None],
    baseline: list[float | None],
    champion: list[float | None] | None = None,
    *,
    higher: bool = False,
) -> Any:
    champions = champion or [None] * len(challenger)
    rows = [
        {"unit": f"s{i}", "champion": c, "challenger": a, "baseline": b}
        for i, (a, b, c) in enumerate(zip(challenger, baseline, champions, strict=True))
    ]
    return parse_evaluation({"metric": "mase", "higher_is_better": higher, "rows": rows})


LOW = [0.5, 0.6, 0.7, 0.5, 0.6, 0.4]
MIDDLE = [0.7, 0.7, 0.9, 0.8, 0.9, 0.7]
HIGH = [1.0, 1.1, 1.2, 1.0, 0.95, 1.3]
MIXED = [0.1, 0.9, 0.6, 0.6, 0.5, 0.5]


@pytest.mark.parametrize(
    ("challenger", "baseline", "champion", "higher", "outcome", "reason"),
    [
        (LOW, HIGH, None, False, "PASS", "better than the baseline.*no champion yet"),
        (HIGH, LOW, None, False, "FAIL", "not better than the baseline"),
        (HIGH, LOW, None, True, "PASS", "better than the baseline"),
        (LOW, HIGH, MIDDLE, False, "PASS", "better than the champion.*better than the baseline"),
        (MIDDLE, HIGH, LOW, False, "FAIL", "not better than the champion"),
        (LOW, HIGH, LOW, False, "FAIL", "not better than the champion"),
        (MIXED, HIGH, LOW, False, "MARGINAL", "champion only within chance"),
        (HIGH, MIDDLE, [2.0] * 6, False, "FAIL", "not better than the baseline"),
        # A first model is held to less: it must not be shown to be worse.
        (LOW[:4], HIGH[:4], None, False, "PASS", "4 series.*5 are needed; no champion yet"),
        (MIXED, LOW, None, False, "PASS", "only within chance.*not shown to be worse"),
        (LOW[:4], HIGH[:4], LOW[:4], False, "INCONCLUSIVE", "4 series.*5 are needed"),
        (LOW, HIGH, [0.9, None, None, None, None, None], False, "INCONCLUSIVE", "1 series compare with the champion"),
        (LOW, [None] * 6, None, False, "INCONCLUSIVE", "0 series compare with the baseline"),
        ([], [], None, False, "INCONCLUSIVE", "0 series"),
    ],
)
def test_outcomes(challenger: Any, baseline: Any, champion: Any, higher: bool, outcome: str, reason: str) -> None:
    verdict = judge(evaluation(challenger, baseline, champion, higher=higher), BAR, has_champion=champion is not None)
    assert verdict.outcome == outcome

    assert re.search(reason, verdict.reason), verdict.reason


def test_figures_are_those_of_the_paired_test() -> None:
    # Six improvements, all positive: the exact one-sided signed-rank test gives 1 / 2**6.
    compared = compare(evaluation(LOW, HIGH), "baseline", BAR)
    assert compared.samples == 6
    assert compared.p_value == pytest.approx(1 / 64)
    assert compared.statistic == pytest.approx(21.0)
    assert compared.effect == pytest.approx(sum(HIGH) / 6 - sum(LOW) / 6)
    assert compared.ci_low is not None
    assert compared.ci_high is not None
    assert 0.35 < compared.ci_low < compared.effect < compared.ci_high < 0.9


def test_five_series_are_the_fewest_that_can_pass() -> None:
    assert compare(evaluation(LOW[:5], HIGH[:5]), "baseline", BAR).p_value == pytest.approx(1 / 32)


def test_rows_in_another_order_give_the_same_verdict() -> None:
    one = evaluation(LOW, HIGH, MIDDLE)
    other = one.model_copy(update={"rows": tuple(reversed(one.rows))})
    assert judge(one, BAR, has_champion=True) == judge(other, BAR, has_champion=True)


def test_means_stand_in_the_verdict_beside_the_baseline() -> None:
    metric = judge(evaluation(LOW, HIGH, MIDDLE), BAR, has_champion=True).metrics[0]
    assert (metric.name, metric.higher_is_better) == ("mase", False)
    assert metric.challenger == pytest.approx(0.55)
    assert metric.champion == pytest.approx(0.7833, abs=1e-4)
    assert metric.baseline == pytest.approx(1.0917, abs=1e-4)


def test_a_champion_that_was_not_evaluated_is_no_first_model() -> None:
    with pytest.raises(InputError, match="no value of the champion"):
        judge(evaluation(LOW, HIGH), BAR, has_champion=True)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"metric": "m", "rows": []}, "higher_is_better"),
        ([], "evaluation"),
        ({"metric": "m", "higher_is_better": True, "rows": [{"unit": "a", "challenger": "x"}]}, "rows.0.challenger"),
        (
            {"metric": "m", "higher_is_better": True, "rows": [{"unit": "a", "challenger": 1}] * 2},
            "'a' stands in it twice",
        ),
    ],
)
def test_a_malformed_evaluation_is_named(content: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse_evaluation(content)
