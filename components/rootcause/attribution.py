"""Level 3: how much of what was noticed arises in each service, with an interval, under a fitted causal model.

Each of at most ten services that the noticed one reaches and that show the same symptom is a linear function of its
callees plus noise of its own. The noticed metric's deviation from its mean is shared out among the noises by Shapley
values (DoWhy's `attribute_anomalies`; Budhathoki et al., ICML 2022), so that a service gets what arises in itself and
nothing of what its callees do to it. The interval comes from models fitted to resampled blocks of the normal period. It
assumes what the counterfactual assumes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import networkx as nx
import numpy as np

from components.rootcause.counterfactual import (
    MAX_NODES,
    MIN_SAMPLES,
    Rows,
    causal_graph,
    fitted,
    on_one_grid,
    resampled,
)
from components.rootcause.deviation import Deviation
from components.rootcause.graph import CallGraph
from components.rootcause.periods import JITTER, Floats, Periods

#: Shapley values of ten services take a while: a few samples of the incident and refits are enough for an interval.
_SAMPLES, _REFITS, _DRAWS = 8, 10, 500


@dataclass(frozen=True)
class Attribution:
    """What arises in a service of the noticed metric's deviation, in its unit, with a 95 % interval."""

    service: str
    amount: float
    low: float
    high: float


def attributions(
    noticed: str, symptom: Mapping[str, Deviation], graph: CallGraph, when: Periods, seed: int
) -> list[Attribution]:
    """Every service's part, the largest first; empty where nobody below shows the symptom or too little is known.

    symptom: per service the deviation of one and the same metric.
    """
    nodes = _below(noticed, symptom, graph)
    if noticed not in nodes or len(nodes) < 2:
        return []
    target = symptom[noticed].series
    normal = np.flatnonzero(when.normal(target.times, target.step_s))
    window = np.flatnonzero(when.window(target.times, target.step_s, JITTER[0]))
    causal = causal_graph(nodes, graph)
    if len(normal) < MIN_SAMPLES or not len(window) or not nx.is_directed_acyclic_graph(causal):
        return []
    # Nothing but what leads to the noticed service has a part in it.
    causal = causal.subgraph({noticed} | nx.ancestors(causal, noticed))
    if len(causal) < 2:
        return []
    values = on_one_grid({name: symptom[name] for name in causal.nodes}, target.times)
    rows = window[np.linspace(0, len(window) - 1, min(_SAMPLES, len(window))).astype(int)]
    parts = [_parts(causal, values, picked, rows, noticed, seed) for picked in resampled(normal, seed, _REFITS)]
    found = [_attribution(name, [part[name] for part in parts]) for name in sorted(causal.nodes)]
    return sorted(found, key=lambda part: (-abs(part.amount), part.service))


def _below(noticed: str, symptom: Mapping[str, Deviation], graph: CallGraph) -> list[str]:
    """The noticed service and those it reaches that have the symptom, the most deviating ones where they are many."""
    reached = [name for name in graph.reached_from(noticed) if name in symptom and name != noticed]
    strongest = sorted(reached, key=lambda name: (-abs(symptom[name].z), name))[: MAX_NODES - 1]
    return sorted([*strongest, *([noticed] if noticed in symptom else [])])


def _parts(
    causal: nx.DiGraph, values: Mapping[str, Floats], normal: Rows, rows: Rows, noticed: str, seed: int
) -> dict[str, float]:
    from dowhy import gcm
    from dowhy.gcm.anomaly_scorer import AnomalyScorer

    class Level(AnomalyScorer):
        """The value itself, so that what is shared out is in the metric's unit."""

        def fit(self, X: Floats) -> None:
            """Nothing to learn."""

        def score(self, X: Floats) -> Floats:
            return np.asarray(X, dtype=np.float64).reshape(-1)

    gcm.util.general.set_random_seed(seed)
    model, frame = fitted(causal, values, normal)
    shares = gcm.attribute_anomalies(
        model,
        noticed,
        frame.iloc[rows],
        anomaly_scorer=Level(),
        attribute_mean_deviation=True,
        num_distribution_samples=_DRAWS,
    )
    return {name: float(np.mean(share)) for name, share in shares.items()}


def _attribution(name: str, amounts: Sequence[float]) -> Attribution:
    low, high = (float(x) for x in np.quantile(amounts[1:], (0.025, 0.975)))
    return Attribution(name, amounts[0], min(low, amounts[0]), max(high, amounts[0]))
