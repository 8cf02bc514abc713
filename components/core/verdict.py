"""One verdict object for every comparison of two models: cross-validation, shadow, canary and A/B alike."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Outcome = Literal["PASS", "MARGINAL", "FAIL", "INCONCLUSIVE"]


class MetricRow(BaseModel):
    """One metric of the comparison; `baseline` is the naive method's value beside the two models'."""

    model_config = ConfigDict(frozen=True)

    name: str
    higher_is_better: bool
    champion: float | None
    challenger: float
    baseline: float | None


class Verdict(BaseModel):
    """What was compared, by which test, and what follows."""

    model_config = ConfigDict(frozen=True)

    outcome: Outcome
    reason: str
    metrics: tuple[MetricRow, ...]
    test: str = Field(description="name of the statistical test")
    statistic: float | None = None
    p_value: float | None = None
    effect: float | None = Field(default=None, description="mean paired improvement of the challenger")
    ci_low: float | None = Field(default=None, description="lower bound of the effect's 95 % interval")
    ci_high: float | None = None
    samples: int = 0
