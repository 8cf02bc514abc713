"""How rankings are judged.

AC@k: the share of cases whose cause is among the first k. Avg@5: the mean of AC@1 to AC@5. Chance: what a random
order of the same candidates reaches on average. An answer that abstains on an incident ranks nobody, a miss.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tests.benchmarks.rootcause.labelled import Labelled

KS = (1, 3, 5)
_DRAWS = 2000


@dataclass(frozen=True)
class Answer:
    """A ranker's answer to one case: (service, metric) best first, the kind of the first, milliseconds."""

    ranking: tuple[tuple[str, str | None], ...]
    kind: str | None = None
    elapsed_ms: float = 0.0
    abstained: bool = False


def service_rank(labelled: Labelled, answer: Answer) -> int | None:
    """The place of the right service from 1 on, None where it is not named."""
    return next((n for n, (service, _) in enumerate(answer.ranking, 1) if service == labelled.service), None)


def metric_rank(labelled: Labelled, answer: Answer) -> int | None:
    """The place of the right service with a right metric."""
    for place, (service, metric) in enumerate(answer.ranking, 1):
        if service == labelled.service:
            right = metric is not None and any(word.lower() in metric.lower() for word in labelled.metrics)
            return place if right else None
    return None


def accuracies(ranks: Sequence[int | None]) -> dict[str, float]:
    """AC@1, AC@3, AC@5 and Avg@5 of places."""
    places = np.array([np.inf if rank is None else rank for rank in ranks])
    at = {k: float(np.mean(places <= k)) if len(places) else float("nan") for k in range(1, 6)}
    return {**{f"AC@{k}": at[k] for k in KS}, "Avg@5": float(np.mean(list(at.values())))}


def chance(cases: Sequence[Labelled]) -> dict[str, float]:
    """The same of a random order of each case's services."""
    counts = np.array([len(labelled.case.services()) for labelled in cases], dtype=float)
    at = {k: float(np.mean(np.minimum(1.0, k / counts))) for k in range(1, 6)}
    return {**{f"AC@{k}": at[k] for k in KS}, "Avg@5": float(np.mean(list(at.values())))}


def intervals(ranks: Sequence[int | None], seed: int = 0) -> dict[str, tuple[float, float]]:
    """95 % bootstrap intervals of the accuracies; cases are drawn."""
    draws = np.random.default_rng(seed).integers(0, len(ranks), size=(_DRAWS, len(ranks)))
    places = np.array([np.inf if rank is None else rank for rank in ranks])[draws]
    at = {k: (places <= k).mean(axis=1) for k in range(1, 6)}
    values: Mapping[str, np.ndarray] = {**{f"AC@{k}": at[k] for k in KS}, "Avg@5": np.mean(list(at.values()), axis=0)}
    return {name: tuple(np.quantile(found, (0.025, 0.975))) for name, found in values.items()}  # type: ignore[misc]
