"""Which service is the likeliest cause: signals, place in the call graph, order of onset and changes in one score.

A service is suspected for what no callee of its explains: its own resources, its own time and errors that start in it
count in full, what its callers feel counts less the more a callee deviates. Internal and external signals that agree
count for more than either alone. Nothing here knows a system or a service by name.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from components.rootcause.changes import Change, change_before, quiet_s
from components.rootcause.deviation import Deviation
from components.rootcause.flow import Volume
from components.rootcause.graph import CallGraph
from components.rootcause.periods import Periods
from components.rootcause.signals import Signal

#: A callee that deviates this share of its caller's strength explains the caller in full.
_EXPLAINS_FROM = 0.6
_EXPLAINED = 0.75
_AGREEMENT = 0.5
#: Each further signal of the same side adds less: the second a tenth of its strength, and so on.
_BREADTH = 0.1
_UNREACHED = 0.5
#: For a service that explains everything else that deviates.
_EXPLAINS = 1.0
#: Two callers that deviate agree on their callee; one may have trouble of its own.
_CORROBORATED = 1.3
_FIRST = 1.15
#: Half of what was noticed is enough for a cause; a service whose volume is not known may be one, less likely.
_ENOUGH, _UNKNOWN_VOLUME, _LEAST = 0.5, 0.3, 0.05
_CHANGED = 1.5


@dataclass(frozen=True)
class Standing:
    """One service's place: `strength` before the graph, `score` after; `explained_by` names the callee behind it."""

    service: str
    score: float
    strength: float
    signals: tuple[Signal, ...] = ()
    explained_by: str | None = None
    explained: float = 0.0
    distance: int | None = None
    first: bool = False
    change: Change | None = None
    reasons: tuple[str, ...] = field(default=())

    @property
    def measured(self) -> Deviation | None:
        """The deviation of the strongest signal that has one: log lines and times of spans have none."""
        return next((signal.deviation for signal in self.signals if signal.deviation), None)


def written_score(standing: Standing) -> float:
    """A standing's score between 0 and 1, as answers have it."""
    return round(1 - math.exp(-standing.score / 3), 6)


def rank(
    services: Iterable[str],
    signals: Sequence[Signal],
    graph: CallGraph,
    noticed: str | None,
    changes: list[Change],
    when: Periods,
    change_before_s: float,
    flow: Mapping[str, Volume] | None = None,
    alerted: Mapping[str, float] | None = None,
) -> list[Standing]:
    """Every service, the likeliest cause first; ties by strength, then by name.

    flow: how much of the noticed symptom passes through each service, where that is known; alerted: weights of alerts.
    """
    by_service: dict[str, list[Signal]] = defaultdict(list)
    for signal in signals:
        if signal.strength > 0:
            by_service[signal.service].append(signal)
    alerted = alerted or {}
    plain = {
        service: _combined(_external(found), _internal(found)) + alerted.get(service, 0.0)
        for service, found in by_service.items()
    }
    reached = graph.reached_from(noticed)
    onsets = {service: onset for service, found in by_service.items() if (onset := _onset(found)) is not None}
    first = min(onsets.values(), default=math.inf)
    standings = []
    for service in sorted({*services, *by_service}):
        found = sorted(by_service[service], key=lambda s: (-s.strength, s.metric))
        onset = onsets.get(service)
        change = change_before(changes, service, onset or when.noticed, change_before_s)
        begins_first = onset is not None and len(onsets) > 1 and onset <= first
        unexplained = _own_part(service, flow) if flow else None
        weight = alerted.get(service, 0.0)
        standings.append(_standing(service, found, plain, graph, reached, begins_first, change, unexplained, weight))
    return sorted(standings, key=lambda s: (-s.score, -s.strength, s.service))


def _standing(
    service: str,
    found: Sequence[Signal],
    plain: Mapping[str, float],
    graph: CallGraph,
    reached: Mapping[str, int],
    first: bool,
    change: Change | None,
    unexplained: float | None,
    alerted: float,
) -> Standing:
    callee, explained = _explanation(service, plain, graph)
    if unexplained is not None:
        explained = 1 - unexplained
    remaining = 1 - _EXPLAINED * explained if unexplained is None else max(_LEAST, unexplained)
    score = _combined(_external(found, remaining), _internal(found))
    score *= 1 + _EXPLAINS * _share_explained(service, plain, graph)
    feeling = [caller for caller in graph.callers_of(service) if plain.get(caller, 0.0) > 0]
    score *= _CORROBORATED if len(feeling) > 1 else 1.0
    # Alerts name both sides of a call themselves: their weights hold what the graph adds already.
    score += alerted
    if reached and service not in reached:
        score *= _UNREACHED
    score *= _FIRST if first else 1.0
    score *= _CHANGED if change and found and not _idle(change, found) else 1.0
    return Standing(
        service,
        score,
        plain.get(service, 0.0),
        tuple(found),
        callee if explained > 0 else None,
        explained,
        reached.get(service),
        first,
        change,
    )


def _idle(change: Change, found: Sequence[Signal]) -> bool:
    """Whether nothing moved for a while after a change: it hardly did what followed."""
    strongest = next((signal.deviation for signal in found if signal.deviation), None)
    return strongest is not None and quiet_s(change, strongest) > 0


def _own_part(service: str, flow: Mapping[str, Volume]) -> float:
    """How much of a cause for the whole symptom a service can be by what arises in it, 0 to 1."""
    volume = flow.get(service)
    return min(1.0, volume.own / _ENOUGH) if volume else _UNKNOWN_VOLUME


def _explanation(service: str, plain: Mapping[str, float], graph: CallGraph) -> tuple[str | None, float]:
    """The callee that deviates most and how much of the service it explains, 0 to 1."""
    own = plain.get(service, 0.0)
    callees = sorted(graph.callees_of(service), key=lambda name: (-plain.get(name, 0.0), name))
    if not callees or own <= 0:
        return None, 0.0
    return callees[0], min(1.0, plain.get(callees[0], 0.0) / (_EXPLAINS_FROM * own))


def _share_explained(service: str, plain: Mapping[str, float], graph: CallGraph) -> float:
    """The share of what deviates elsewhere that lies above a service, along callers that deviate without a gap."""
    above, fringe = {service}, [service]
    while fringe:
        callers = graph.callers_of(fringe.pop())
        new = {caller for caller in callers if plain.get(caller, 0.0) > 0} - above
        above |= new
        fringe += sorted(new)
    elsewhere = sum(value for name, value in sorted(plain.items()) if name != service)
    return sum(plain[name] for name in sorted(above - {service})) / elsewhere if elsewhere > 0 else 0.0


def _external(found: Sequence[Signal], unexplained: float = 1.0) -> float:
    return _stacked(
        s.strength * (1.0 if s.own else unexplained) for s in found if not s.internal and s.source != "alerts"
    )


def _internal(found: Sequence[Signal]) -> float:
    return _stacked(s.strength for s in found if s.internal and s.source != "alerts")


def _stacked(strengths: Iterable[float]) -> float:
    ordered = sorted(strengths, reverse=True)
    return sum(value * (1.0 if place == 0 else _BREADTH / place) for place, value in enumerate(ordered))


def _combined(external: float, internal: float) -> float:
    return max(external, internal) + _AGREEMENT * min(external, internal)


def _onset(found: Sequence[Signal]) -> float | None:
    """The earliest onset among the signals that are at least half as strong as the strongest."""
    bar = 0.5 * max(s.strength for s in found) if found else 0.0
    onsets = [s.onset_s for s in found if s.strength >= bar and not math.isnan(s.onset_s)]
    return min(onsets, default=None)
