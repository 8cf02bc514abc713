"""The paired comparison behind a verdict: challenger against baseline and champion, series by series."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from components.core.errors import InputError
from components.core.verdict import MetricRow, Outcome, Verdict

Opponent = Literal["baseline", "champion"]


class EvaluationRow(BaseModel):
    """One unit of evaluation, as a rule one series; a value is null where a model gave none."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    unit: str
    champion: float | None = None
    challenger: float | None
    baseline: float | None = None


class Evaluation(BaseModel):
    """The metric of every unit for both models and the naive baseline."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    metric: str
    higher_is_better: bool
    rows: tuple[EvaluationRow, ...]


@dataclass(frozen=True)
class Bar:
    """How sure an improvement must be: compared units at least, p value, resamples of the interval, their seed."""

    min_samples: int = 5
    alpha: float = 0.05
    resamples: int = 2000
    seed: int = 0


@dataclass(frozen=True)
class Comparison:
    """The challenger against one opponent; `effect` > 0 means the challenger is better."""

    opponent: Opponent
    samples: int
    effect: float | None = None
    ci_low: float | None = None
    ci_high: float | None = None
    statistic: float | None = None
    p_value: float | None = None

    @property
    def shown_worse(self) -> bool:
        """Whether the whole interval of the effect lies below zero."""
        return self.ci_high is not None and self.ci_high < 0

    def outcome(self, bar: Bar) -> tuple[Outcome, str]:
        """What this comparison alone says, with its reason."""
        if self.samples < bar.min_samples or self.effect is None or self.p_value is None:
            return (
                "INCONCLUSIVE",
                f"{self.samples} series compare with the {self.opponent}; {bar.min_samples} are needed",
            )
        figures = (
            f"mean improvement {self.effect:+.4g} [{self.ci_low:+.4g}, {self.ci_high:+.4g}], p = {self.p_value:.3g}"
        )
        if self.effect <= 0:
            return "FAIL", f"not better than the {self.opponent}: {figures}"
        if self.p_value >= bar.alpha:
            return "MARGINAL", f"better than the {self.opponent} only within chance: {figures}"
        return "PASS", f"better than the {self.opponent}: {figures}"


def parse_evaluation(content: Any) -> Evaluation:
    """Check an evaluation read from JSON; InputError names the field that is wrong."""
    try:
        evaluation = Evaluation.model_validate(content)
    except ValidationError as error:
        problem = error.errors()[0]
        field = ".".join(str(part) for part in problem["loc"]) or "evaluation"
        raise InputError(f"evaluation: {field}: {problem['msg']}; run the evaluate step again") from None
    units = [row.unit for row in evaluation.rows]
    doubled = sorted({unit for unit in units if units.count(unit) > 1}) if len(set(units)) < len(units) else []
    if doubled:
        raise InputError(f"evaluation: unit {doubled[0]!r} stands in it twice; one row per series")
    return evaluation


def judge(evaluation: Evaluation, bar: Bar, *, has_champion: bool) -> Verdict:
    """The verdict on a challenger: it must beat the baseline and, where there is one, the champion.

    A first model passes unless it is shown to be worse than the baseline: without it nothing would be scored at all.
    Raises InputError where there is a champion that the evaluation holds no value of: it was not evaluated.
    """
    if has_champion and evaluation.rows and all(row.champion is None for row in evaluation.rows):
        raise InputError("evaluation: no value of the champion though there is one; evaluate it on the same holdout")
    comparison = compare(evaluation, "baseline", bar)
    outcome, reason = comparison.outcome(bar)
    if outcome == "PASS" and has_champion:
        against_baseline = reason
        comparison = compare(evaluation, "champion", bar)
        outcome, reason = comparison.outcome(bar)
        reason = f"{reason}; {against_baseline}"
    elif not has_champion and comparison.samples and not comparison.shown_worse:
        outcome, reason = "PASS", f"{reason}; no champion yet, and not shown to be worse than the baseline"
    return Verdict(
        outcome=outcome,
        reason=reason,
        metrics=_metrics(evaluation),
        test=f"Wilcoxon signed-rank, one-sided, challenger against {comparison.opponent}",
        statistic=comparison.statistic,
        p_value=comparison.p_value,
        effect=comparison.effect,
        ci_low=comparison.ci_low,
        ci_high=comparison.ci_high,
        samples=comparison.samples,
    )


def compare(evaluation: Evaluation, opponent: Opponent, bar: Bar) -> Comparison:
    """The challenger's improvement over one opponent on the units that both have a finite value for."""
    pairs = [(row.challenger, getattr(row, opponent)) for row in sorted(evaluation.rows, key=lambda row: row.unit)]
    finite = [(a, b) for a, b in pairs if a is not None and b is not None and np.isfinite([a, b]).all()]
    if not finite:
        return Comparison(opponent, 0)
    sign = 1.0 if evaluation.higher_is_better else -1.0
    improvement = sign * (np.array(finite)[:, 0] - np.array(finite)[:, 1])
    statistic, p_value = _signed_rank(improvement)
    low, high = _interval(improvement, bar)
    return Comparison(opponent, len(improvement), float(improvement.mean()), low, high, statistic, p_value)


def _signed_rank(improvement: np.ndarray) -> tuple[float, float]:
    from scipy.stats import wilcoxon

    if not improvement.any():
        return 0.0, 1.0
    # pratt: units on which both are equal count against a difference instead of being left out.
    result = wilcoxon(improvement, alternative="greater", zero_method="pratt")
    return float(result.statistic), float(result.pvalue)


def _interval(improvement: np.ndarray, bar: Bar) -> tuple[float, float]:
    draws = np.random.default_rng(bar.seed).integers(0, len(improvement), (bar.resamples, len(improvement)))
    low, high = np.quantile(improvement[draws].mean(axis=1), [0.025, 0.975])
    return float(low), float(high)


def _metrics(evaluation: Evaluation) -> tuple[MetricRow, ...]:
    challenger = _mean([row.challenger for row in evaluation.rows])
    if challenger is None:
        return ()
    row = MetricRow(
        name=evaluation.metric,
        higher_is_better=evaluation.higher_is_better,
        champion=_mean([row.champion for row in evaluation.rows]),
        challenger=challenger,
        baseline=_mean([row.baseline for row in evaluation.rows]),
    )
    return (row,)


def _mean(values: Sequence[float | None]) -> float | None:
    finite = [value for value in values if value is not None and np.isfinite(value)]
    return math.fsum(finite) / len(finite) if finite else None
