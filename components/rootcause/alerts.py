"""What alerts say: how rare each is, which one of several replicas raises alone, which side of a call is meant."""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import polars as pl

from components.rootcause.graph import CallGraph
from components.rootcause.naming import INTERNAL, sense
from components.rootcause.raised import Raised, is_error, raised_of

_COMMON = 0.25
#: A replica that shows the same speaks for a cause that both share.
_SHARED = 0.1
#: The same kind of metric up and down at once is noise of many cores or disks.
_BOTH_WAYS = 0.2
#: Killed services need less processor and memory as well; an idle disk and quick answers hurt nobody.
_EASED = {"cpu": 0.3, "memory": 0.3, "disk": 0.1, "latency": 0.1}
_MINOR = 0.1
#: Further alerts of one kind and direction repeat what the first says.
_REPEATED = 0.9
_LOGS, _LOGS_REPEATED = 0.4, 0.6
_CALLED, _OWN_SPANS = 0.5, 0.3
#: Calls that fail from one replica alone, where something may lie behind the callee and where nothing does.
_CALLING_ON, _CALLING_LAST = 1.0, 20.0
_FELT_EXPLAINED, _OUTSIDE = 0.8, 0.5
_REPLICA = re.compile(r"[-_.]?\d+$")


@dataclass(frozen=True)
class AlertGroup:
    """All alerts of one kind and direction against a service; `weight` in log2 of how rare they are."""

    service: str
    kind: str
    internal: bool
    rising: bool
    weight: float
    names: tuple[str, ...]
    source: str
    at_s: float = math.nan


def alert_groups(alerts: pl.DataFrame, graph: CallGraph) -> list[AlertGroup]:
    """Alerts by service, kind and direction. Trace alerts tell of a call from `service` to `peer`."""
    if alerts.is_empty():
        return []
    raised = raised_of(alerts, graph)
    involved = {*raised.metrics, *raised.logs, *(callee for callees in raised.calls.values() for callee, _ in callees)}
    replicas = _replicas({*involved, *raised.calls, *graph.calls, *graph.callers})
    at = _first_times(alerts)
    groups = [*_metric_groups(raised, replicas, len(involved)), *_log_groups(raised, replicas, len(involved))]
    groups += _call_groups(raised, replicas, graph)
    return [_timed(group, at) for group in groups if group.weight > 0]


def alert_scores(
    groups: Iterable[AlertGroup], about: Mapping[str, frozenset[str]], graph: CallGraph
) -> dict[str, float]:
    """The weight of all alerts against each service; what it feels counts less the more its callees raise."""
    inside: dict[str, float] = defaultdict(float)
    felt: dict[str, float] = defaultdict(float)
    for group in groups:
        (inside if group.internal else felt)[group.service] += group.weight
    plain = {name: inside.get(name, 0.0) + felt.get(name, 0.0) for name in sorted({*inside, *felt})}
    known = {*graph.calls, *graph.callers}
    scores = {}
    for name, weight in plain.items():
        behind = max((plain.get(callee, 0.0) for callee in about.get(name, ())), default=0.0)
        explained = min(1.0, behind / weight) if weight > 0 else 0.0
        score = inside.get(name, 0.0) + felt.get(name, 0.0) * (1 - _FELT_EXPLAINED * explained)
        # Machines and clients raise alerts too; where calls are known, a cause takes part in them.
        scores[name] = score * (_OUTSIDE if known and name not in known else 1.0)
    return scores


def _replicas(services: Iterable[str]) -> Mapping[str, tuple[str, ...]]:
    """Of each service the others that differ from it by a number at the end."""
    groups: dict[str, list[str]] = defaultdict(list)
    for service in sorted(set(services)):
        groups[_REPLICA.sub("", service)].append(service)
    return {name: tuple(o for o in group if o != name) for group in groups.values() for name in group}


def _rarity(services: int, count: int) -> float:
    return math.log2((services + 1) / count) + _COMMON


def _metric_groups(raised: Raised, replicas: Mapping[str, tuple[str, ...]], services: int) -> list[AlertGroup]:
    counts = Counter(key for found in raised.metrics.values() for key in found)
    groups = []
    for service, found in sorted(raised.metrics.items()):
        elsewhere = {key for other in replicas.get(service, ()) for key in raised.metrics.get(other, {})}
        weights: dict[tuple[str, str], list[tuple[float, str]]] = defaultdict(list)
        for (family, direction), name in sorted(found.items()):
            meaning = sense(name)
            weight = _rarity(services, counts[family, direction])
            weight *= _SHARED if (family, direction) in elsewhere else 1.0
            weight *= _BOTH_WAYS if (family, _opposite(direction)) in found else 1.0
            weight *= _EASED.get(meaning.kind, 1.0) if direction == "down" else 1.0
            weight *= _MINOR if meaning.minor else 1.0
            weights[meaning.kind, direction].append((weight, name))
        for (kind, direction), values in sorted(weights.items()):
            names = tuple(name for _, name in sorted(values, reverse=True))
            total = _decayed([weight for weight, _ in values], _REPEATED)
            groups.append(AlertGroup(service, kind, kind in INTERNAL, direction != "down", total, names, "metric"))
    return groups


def _opposite(direction: str) -> str:
    return {"up": "down", "down": "up"}.get(direction, "")


def _log_groups(raised: Raised, replicas: Mapping[str, tuple[str, ...]], services: int) -> list[AlertGroup]:
    counts = Counter(key for found in raised.logs.values() for key in found)
    groups = []
    for service, found in sorted(raised.logs.items()):
        elsewhere = {key for other in replicas.get(service, ()) for key in raised.logs.get(other, {})}
        weights = [_rarity(services, counts[key]) * (_SHARED if key in elsewhere else 1.0) for key in sorted(found)]
        total = _LOGS * _decayed(weights, _LOGS_REPEATED)
        groups.append(AlertGroup(service, "error", True, True, total, tuple(sorted(found.values())), "log"))
    return groups


def _call_groups(raised: Raised, replicas: Mapping[str, tuple[str, ...]], graph: CallGraph) -> list[AlertGroup]:
    """Slow calls speak against the callee; failing ones against a caller whose replicas reach the same callee well."""
    complaining: dict[tuple[str, str], set[str]] = defaultdict(set)
    for caller, calls in raised.calls.items():
        for callee, symptom in calls:
            complaining[callee, symptom].add(caller)
    groups = []
    for (callee, symptom), callers in sorted(complaining.items()):
        known = callers | graph.callers_of(callee)
        weight = _CALLED * math.log2(1 + len(callers)) * (len(callers) / len(known) if symptom == "error" else 1.0)
        names = tuple(sorted(raised.names[callee, symptom]))
        groups.append(AlertGroup(callee, symptom, False, True, weight, names, "trace"))
    groups += [_lonely(caller, raised, complaining, replicas.get(caller, ()), graph) for caller in sorted(raised.calls)]
    for service, names_of in sorted(raised.own.items()):
        symptom = "error" if any(is_error(name) for name in names_of) else "latency"
        weight = _OWN_SPANS * math.log2(1 + len(names_of))
        groups.append(AlertGroup(service, symptom, False, True, weight, tuple(sorted(names_of)), "trace"))
    return groups


def _lonely(
    caller: str,
    raised: Raised,
    complaining: Mapping[tuple[str, str], set[str]],
    replicas: tuple[str, ...],
    graph: CallGraph,
) -> AlertGroup:
    """What a caller's failing calls say against itself: the more of its callees it fails to reach, the more."""
    failing = sorted(callee for callee, symptom in raised.calls[caller] if symptom == "error")
    known = graph.called_one_way(caller) | {callee for callee, _ in raised.calls[caller]}
    blame = 0.0
    for callee in failing:
        callers, all_callers = complaining[callee, "error"], graph.callers_of(callee)
        alike = all_callers & set(replicas)
        if alike and not callers & alike:
            last = graph.is_last(callee) and callee not in raised.own and callee not in raised.calls
            weight = _CALLING_LAST if last else _CALLING_ON
            blame = max(blame, weight * (1 - len(callers) / len(callers | all_callers)))
    blame *= len(failing) / len(known)
    return AlertGroup(caller, "error", True, True, blame, tuple(f"failing calls to {c}" for c in failing), "trace")


def _decayed(weights: list[float], factor: float) -> float:
    return sum(weight * factor**place for place, weight in enumerate(sorted(weights, reverse=True)))


def _first_times(alerts: pl.DataFrame) -> dict[str, float]:
    """The first alert's time per service, in seconds."""
    seconds = (pl.col("timestamp").dt.epoch("us") / 1e6).min()
    return dict(alerts.drop_nulls("timestamp").group_by("service").agg(seconds).rows())


def _timed(group: AlertGroup, at: Mapping[str, float]) -> AlertGroup:
    return replace(group, at_s=at.get(group.service, math.nan))
