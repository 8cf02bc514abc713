"""Alerts as they were raised: who raised what about itself, and about whom."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field

import polars as pl

from components.rootcause.graph import CallGraph

_DIGITS = re.compile(r"\d+")
#: The same divided by the number of cores.
_NORMALIZED = re.compile(r"[._]norm(alized)?(?=[._]|$)")


@dataclass
class Raised:
    metrics: dict[str, dict[tuple[str, str], str]] = field(default_factory=lambda: defaultdict(dict))
    logs: dict[str, dict[str, str]] = field(default_factory=lambda: defaultdict(dict))
    calls: dict[str, set[tuple[str, str]]] = field(default_factory=lambda: defaultdict(set))
    names: dict[tuple[str, str], set[str]] = field(default_factory=lambda: defaultdict(set))
    own: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))


def complaints(alerts: pl.DataFrame, graph: CallGraph) -> dict[str, frozenset[str]]:
    """Whom each service raises trace alerts about."""
    return {
        caller: frozenset(callee for callee, _ in calls) for caller, calls in raised_of(alerts, graph).calls.items()
    }


def raised_of(alerts: pl.DataFrame, graph: CallGraph) -> Raised:
    found = Raised()
    filled = alerts.with_columns(pl.col("signal", "direction").fill_null(""), pl.col("name").fill_null("unnamed"))
    for row in filled.unique(maintain_order=True).iter_rows(named=True):
        service, name, direction, peer = row["service"], row["name"], row["direction"], row["peer"]
        if row["signal"] == "trace":
            symptom = "error" if is_error(f"{name} {direction}") else "latency"
            if peer is None or peer == service:
                found.own[service].add(f"{name} {direction}".strip())
            else:
                caller, callee = _sides(service, peer, graph)
                found.calls[caller].add((callee, symptom))
                found.names[callee, symptom].add(f"{name} {direction}".strip() + f" of calls from {caller}")
        elif row["signal"] == "log":
            found.logs[service][name.replace(service, "")] = name
        else:
            found.metrics[service].setdefault((_family(name.replace(service, "")), direction), name)
    return found


def _family(name: str) -> str:
    """Numbered variants of a metric (cores, disks) are one, and so are its variants in other units."""
    return _DIGITS.sub("#", _NORMALIZED.sub("", name))


def is_error(text: str) -> bool:
    """Whether a trace alert tells of failures rather than of slowness."""
    return bool(re.search(r"(?i)err|fail|exception|abort|\b[45]\d\d\b", text))


def _sides(service: str, peer: str, graph: CallGraph) -> tuple[str, str]:
    """(caller, callee): `service` calls `peer`, unless only the other direction is known."""
    if service in graph.callees_of(peer) and peer not in graph.callees_of(service):
        return peer, service
    return service, peer
