"""Rankers that the product is compared with, on the same series, periods and graphs.

normal: before two minutes (or one and a half samples) ahead of the noticed time; incident: from there on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import networkx as nx
import numpy as np
import polars as pl

from components.rootcause.case import Case
from components.rootcause.naming import sense
from components.rootcause.series import series_of
from components.rootcause.tracing import call_statistics, enriched, span_metrics
from tests.benchmarks.rootcause.scoring import Answer

_ABNORMAL = 5.0
_LEAD_S = 120.0
_HORIZON_S = 600.0


@dataclass(frozen=True)
class Found:
    """Per (service, metric): largest classical and robust deviation, share of samples beyond three sigma."""

    z: Mapping[tuple[str, str], float]
    robust: Mapping[tuple[str, str], float]
    beyond: Mapping[tuple[str, str], float]
    alerts: Counter[str]
    services: tuple[str, ...]
    edges: frozenset[tuple[str, str]]
    noticed: str | None


def measured(case: Case) -> Found:
    """What all baselines read from a case."""
    spans = enriched(case.spans)
    z, robust, beyond = {}, {}, {}
    at = case.incident.time.timestamp()
    for series in [*series_of(case.metrics), *series_of(span_metrics(spans), "spans")]:
        lead = max(_LEAD_S, 1.5 * series.step_s)
        normal = series.values[series.times < at - lead]
        last = at + max(_HORIZON_S, 4 * series.step_s)
        during = series.values[(series.times >= at - lead) & (series.times <= last)]
        if len(normal) < 2 or not len(during):
            continue
        key = (series.service, series.metric)
        low, median, high = np.quantile(normal, (0.25, 0.5, 0.75))
        deviation = np.abs(during - normal.mean()) / (normal.std() or 1.0)
        z[key], beyond[key] = float(deviation.max()), float(np.mean(deviation > 3))
        robust[key] = float(np.max(np.abs(during - median)) / ((high - low) or 1.0))
    edges = {*case.calls.rows(), *call_statistics(spans).select("caller", "callee").rows()}
    return Found(
        z, robust, beyond, _alert_counts(case), tuple(case.services()), frozenset(edges), case.incident.service
    )


def _alert_counts(case: Case) -> Counter[str]:
    rows = case.alerts.with_columns(pl.coalesce("peer", "service").alias("blamed"))
    return Counter(rows["blamed"].to_list())


def _ranked(services: Sequence[str], score: Mapping[str, float], metric: Mapping[str, str]) -> Answer:
    ordered = sorted(services, key=lambda name: (-score.get(name, 0.0), name))
    return Answer(tuple((name, metric.get(name)) for name in ordered))


def _by_service(found: Found, values: Mapping[tuple[str, str], float]) -> Answer:
    best: dict[str, tuple[float, str]] = {}
    for (service, metric), value in values.items():
        best[service] = max(best.get(service, (0.0, "")), (value, metric))
    if not values:
        return _ranked(found.services, {name: float(count) for name, count in found.alerts.items()}, {})
    return _ranked(found.services, {s: v for s, (v, _) in best.items()}, {s: m for s, (_, m) in best.items()})


def random_order(found: Found) -> Answer:
    order = np.random.default_rng(0).permutation(len(found.services))
    return Answer(tuple((found.services[place], None) for place in order))


def max_z(found: Found) -> Answer:
    """The largest |x - mean| / standard deviation."""
    return _by_service(found, found.z)


def baro(found: Found) -> Answer:
    """BARO's scorer: the largest |x - median| / interquartile range."""
    return _by_service(found, found.robust)


def n_sigma(found: Found) -> Answer:
    """The largest share of samples beyond three standard deviations."""
    return _by_service(found, found.beyond)


def alert_count(found: Found) -> Answer:
    """How many series are beyond five robust deviations, or how many alerts there are."""
    counts = Counter(service for (service, _), value in found.robust.items() if value > _ABNORMAL)
    return _ranked(found.services, {name: float(n) for name, n in (counts + found.alerts).items()}, {})


def traversal(found: Found) -> Answer:
    """From the noticed service along abnormal callees; those without abnormal callees first, by deviation."""
    plain = _by_service(found, found.robust)
    worst: dict[str, float] = {name: float(n) for name, n in found.alerts.items()}
    bar = _ABNORMAL if found.robust else 0.0
    for (service, _), value in found.robust.items():
        worst[service] = max(worst.get(service, 0.0), value)
    abnormal = {name for name, value in worst.items() if value > bar}
    graph = nx.DiGraph([edge for edge in found.edges if set(edge) <= abnormal])
    graph.add_nodes_from(abnormal)
    starts = {found.noticed} & abnormal or abnormal
    reached = set().union(*({start, *nx.descendants(graph, start)} for start in starts)) if abnormal else set()
    leaves = {name for name in reached if not any(callee in reached for callee in graph.successors(name))}
    tier = {name: (name in leaves) + (name in reached) for name in found.services}
    metrics = dict(plain.ranking)
    ordered = sorted(found.services, key=lambda name: (-tier[name], -worst.get(name, 0.0), name))
    return Answer(tuple((name, metrics.get(name)) for name in ordered))


def prism_like(found: Found) -> Answer:
    """Internal and external metrics must agree: the lesser of both largest deviations counts most."""
    sides: dict[str, list[float]] = {}
    for (service, metric), value in found.robust.items():
        side = sides.setdefault(service, [0.0, 0.0])
        side[sense(metric).internal] = max(side[sense(metric).internal], value)
    if not sides:
        return alert_count(found)
    score = {name: np.log1p(min(side)) + 0.1 * np.log1p(max(side)) for name, side in sides.items()}
    return _ranked(found.services, score, dict(baro(found).ranking))  # type: ignore[arg-type]


BASELINES: Mapping[str, Callable[[Found], Answer]] = {
    "random": random_order,
    "max-z": max_z,
    "BARO's scorer": baro,
    "N-sigma": n_sigma,
    "alert count": alert_count,
    "traversal": traversal,
    "PRISM-like": prism_like,
}
