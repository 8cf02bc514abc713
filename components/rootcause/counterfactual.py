"""Level 3: what the noticed metric would have been without a cause, under a causal model fitted to the normal period.

DoWhy's graphical causal models: each of at most ten deviating services on the way from the cause to where the incident
was noticed is a linear function of its callees plus noise. The noise of the incident is kept, the cause is set to its
usual level, and the rest follows. Where the cause is the noticed service itself, its callees stay as they were and its
own part is as usual. What was never negative stays so. The interval comes from models fitted to resampled blocks of the
normal period. The answer assumes that the calls are the only paths, that effects are linear, and that nothing unseen
drives both ends.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import networkx as nx
import numpy as np
import numpy.typing as npt

from components.rootcause.deviation import Deviation
from components.rootcause.graph import CallGraph
from components.rootcause.periods import JITTER, Floats, Periods

Rows = npt.NDArray[np.int64]

ASSUMPTIONS = "assumes linear effects along the calls and no unseen common driver"
MAX_NODES = 10
MIN_SAMPLES = 20
_REFITS, _BLOCKS = 20, 10
#: Callees that deviate by so many spreads must have explained this share of the noticed metric's normal variance.
_DEVIATES, _INFORMATIVE = 5.0, 0.1


@dataclass(frozen=True)
class Counterfactual:
    """The noticed metric's mean in the incident, and its mean without the cause with a 95 % interval."""

    metric: str
    found: float
    without: float
    low: float
    high: float


def counterfactual(
    cause: str, noticed: str, symptom: Mapping[str, Deviation], graph: CallGraph, when: Periods, seed: int
) -> Counterfactual | None:
    """The noticed service's symptom had the cause's stayed usual.

    symptom: per service the deviation of one and the same metric. None where cause and noticed service are not linked
    through services that have it, or the normal period is too short.
    """
    nodes = _itself(cause, symptom, graph) if cause == noticed else _between(cause, noticed, symptom, graph)
    if cause not in nodes or noticed not in nodes:
        return None
    target = symptom[noticed].series
    normal = when.normal(target.times, target.step_s)
    window = when.window(target.times, target.step_s, JITTER[0])
    if int(normal.sum()) < MIN_SAMPLES or not window.any():
        return None
    values = on_one_grid({name: symptom[name] for name in nodes}, target.times)
    draws = resampled(np.flatnonzero(normal), seed, _REFITS)
    if cause == noticed:
        if not _informed(noticed, values, symptom, draws[0]):
            return None
        answers = [_predicted(noticed, values, picked, window) for picked in draws]
    else:
        causal = causal_graph(nodes, graph)
        if not nx.is_directed_acyclic_graph(causal) or not nx.has_path(causal, cause, noticed):
            return None
        usual = symptom[cause].median
        answers = [_answer(causal, values, picked, window, cause, noticed, usual) for picked in draws]
    if target.values.min() >= 0:
        answers = [max(0.0, answer) for answer in answers]
    low, high = np.quantile(answers[1:], (0.025, 0.975))
    found = float(np.mean(target.values[window]))
    return Counterfactual(target.metric, found, answers[0], float(min(low, answers[0])), float(max(high, answers[0])))


def _between(cause: str, noticed: str, symptom: Mapping[str, Deviation], graph: CallGraph) -> list[str]:
    """The services with the symptom on paths from the noticed one to the cause, ten that deviate most."""
    known = graph.networkx()
    if cause not in known or noticed not in known or not nx.has_path(known, noticed, cause):
        return []
    on_path = ({cause} | nx.ancestors(known, cause)) & ({noticed} | nx.descendants(known, noticed))
    inner = sorted((name for name in on_path - {cause, noticed} if name in symptom), key=lambda n: -abs(symptom[n].z))
    ends = [name for name in (cause, noticed) if name in symptom]
    return sorted([*ends, *inner[: MAX_NODES - len(ends)]])


def _itself(service: str, symptom: Mapping[str, Deviation], graph: CallGraph) -> list[str]:
    """A service with the symptom and those of its callees that have it, those that deviate most."""
    if service not in symptom:
        return []
    callees = sorted((c for c in graph.callees_of(service) if c in symptom), key=lambda c: (-abs(symptom[c].z), c))
    return [service, *callees[: MAX_NODES - 1]]


def on_one_grid(symptom: Mapping[str, Deviation], times: Floats) -> dict[str, Floats]:
    """Every service's values at the noticed series' own times."""
    return {name: np.interp(times, item.series.times, item.series.values) for name, item in symptom.items()}


def causal_graph(nodes: Sequence[str], graph: CallGraph) -> nx.DiGraph:
    """Callees drive their callers."""
    edges = [(callee, caller) for caller in nodes for callee in sorted(graph.callees_of(caller)) if callee in nodes]
    found = nx.DiGraph()
    found.add_nodes_from(nodes)
    found.add_edges_from(edges)
    return found


def resampled(rows: Rows, seed: int, refits: int) -> list[Rows]:
    """The normal rows themselves, then blocks of them drawn again."""
    random = np.random.default_rng(seed)
    blocks = np.array_split(rows, _BLOCKS)
    drawn = [np.concatenate([blocks[pick] for pick in random.integers(0, _BLOCKS, _BLOCKS)]) for _ in range(refits)]
    return [rows, *drawn]


def _informed(noticed: str, values: Mapping[str, Floats], symptom: Mapping[str, Deviation], normal: Rows) -> bool:
    """Whether callees that deviate have told something of the noticed service before; where none deviates, always."""
    if all(abs(symptom[name].z) < _DEVIATES for name in values if name != noticed):
        return True
    left = values[noticed] - _fitted(noticed, values, normal)
    return bool(np.var(left[normal]) < (1 - _INFORMATIVE) * np.var(values[noticed][normal]))


def _fitted(noticed: str, values: Mapping[str, Floats], normal: Rows) -> Floats:
    callees = [values[name] for name in values if name != noticed]
    design = np.column_stack([np.ones(len(values[noticed])), *callees])
    weights = np.linalg.lstsq(design[normal], values[noticed][normal], rcond=None)[0]
    return np.asarray(design @ weights, dtype=np.float64)


def _predicted(noticed: str, values: Mapping[str, Floats], normal: Rows, window: npt.NDArray[np.bool_]) -> float:
    """The noticed metric's mean in the incident as its callees make it, by a regression on the normal rows."""
    return float(np.mean(_fitted(noticed, values, normal)[window]))


def _answer(
    causal: nx.DiGraph,
    values: Mapping[str, Floats],
    normal: Rows,
    window: npt.NDArray[np.bool_],
    cause: str,
    noticed: str,
    usual: float,
) -> float:
    from dowhy import gcm

    model, frame = fitted(causal, values, normal)
    changed = gcm.counterfactual_samples(model, {cause: lambda _: usual}, observed_data=frame[window])
    return float(np.mean(changed[noticed]))


def fitted(causal: nx.DiGraph, values: Mapping[str, Floats], normal: Rows) -> tuple[Any, Any]:
    """The causal model fitted to the normal rows, and all rows as a frame."""
    # DoWhy takes seconds to import: only who asks for counterfactuals pays for it.
    import pandas as pd
    from dowhy import gcm

    gcm.config.disable_progress_bars()
    model = gcm.InvertibleStructuralCausalModel(causal)
    for node in causal.nodes:
        if causal.in_degree(node):
            model.set_causal_mechanism(node, gcm.AdditiveNoiseModel(gcm.ml.create_linear_regressor()))
        else:
            model.set_causal_mechanism(node, gcm.EmpiricalDistribution())
    frame = pd.DataFrame({name: values[name] for name in causal.nodes})
    gcm.fit(model, frame.iloc[normal])
    return model, frame
