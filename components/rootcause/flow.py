"""How much of what was noticed passes through each service: excess times requests, followed from callers to callees.

A callee that is slower by 10 ms on 1,000 requests costs its callers 10 s in all, whichever share of them each has;
failed requests add up in the same way. What a service's callees lack of its own volume arises in the service itself.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from components.rootcause.deviation import Deviation
from components.rootcause.graph import CallGraph
from components.rootcause.naming import sense

#: Means add up, percentiles do not; the first that a case has is followed.
_ADDITIVE = (re.compile(r"mean|average|avg", re.I), re.compile(r"p?50|median", re.I))
_MIN_SHARE = 0.5


@dataclass(frozen=True)
class Volume:
    """What passes through a service per sample, in the symptom's unit times requests.

    own: what no callee of it accounts for; both relative to what was noticed, or to the largest where nothing was.
    """

    total: float
    own: float
    metric: str


def volumes(moved: Sequence[Deviation], graph: CallGraph, kind: str, noticed: str | None) -> dict[str, Volume]:
    """The volume of a symptom (`kind` latency or error) in every service that has it and a number of requests.

    Empty where less than half of the services with the symptom have one, or nobody calls anybody.
    """
    symptom, requests = _representative(moved, kind, noticed), _representative(moved, "traffic", noticed)
    if symptom is None or requests is None or graph.empty:
        return {}
    load = {item.series.service: item.median for item in moved if item.series.metric == requests}
    excess = {item.series.service: _excess(item) for item in moved if item.series.metric == symptom}
    raw = {service: value * load[service] for service, value in excess.items() if service in load}
    if len(raw) < _MIN_SHARE * len(excess):
        return {}
    reached = set(graph.reached_from(noticed)) or set(raw)
    largest = max((value for service, value in raw.items() if service in reached), default=0.0)
    whole = raw.get(noticed, 0.0) if noticed else 0.0
    whole = whole if whole > 0.1 * largest else largest
    if whole <= 0:
        return {}
    return {
        service: Volume(value / whole, max(0.0, value - _below(service, raw, graph)) / whole, symptom)
        for service, value in raw.items()
    }


def _below(service: str, raw: Mapping[str, float], graph: CallGraph) -> float:
    """What all callees together account for, those that call back left out."""
    return sum(raw.get(callee, 0.0) for callee in graph.callees_of(service) if service not in graph.callees_of(callee))


def _excess(item: Deviation) -> float:
    """How far the peak went in the direction that hurts, 0 where it is within the usual spread."""
    bad = sense(item.series.metric).bad
    change = item.peak - item.median
    hurts = change if bad != "below" else -change
    return hurts if abs(item.z) > 1 and hurts > 0 else 0.0


def _representative(moved: Sequence[Deviation], kind: str, noticed: str | None) -> str | None:
    """The metric of a kind that most services have; of several the one whose values add up best."""
    names = Counter(
        item.series.metric
        for item in moved
        if item.series.source == "metrics" and sense(item.series.metric).kind == kind
    )
    if not names:
        return None
    most = max(names.values())
    common = sorted(name for name, count in names.items() if count >= 0.9 * most)
    return next((name for pattern in _ADDITIVE for name in common if pattern.search(name)), common[0])
