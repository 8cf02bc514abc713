"""The call graph of a case: who calls whom, whom a service reaches, where alarms agree."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import networkx as nx


@dataclass(frozen=True)
class CallGraph:
    """Calls between services; cycles are allowed, calls of a service to itself are left out."""

    calls: Mapping[str, frozenset[str]]
    callers: Mapping[str, frozenset[str]]

    @property
    def empty(self) -> bool:
        return not any(self.calls.values())

    def callees_of(self, service: str) -> frozenset[str]:
        return self.calls.get(service, frozenset())

    def callers_of(self, service: str) -> frozenset[str]:
        return self.callers.get(service, frozenset())

    def called_one_way(self, service: str) -> frozenset[str]:
        """The callees that do not call back: pairs in both directions may be neighbours on a machine, not calls."""
        return frozenset(c for c in self.callees_of(service) if service not in self.callees_of(c))

    def is_last(self, service: str) -> bool:
        """Whether somebody calls it one way and it calls nobody: what fails there has nothing behind it."""
        called = bool(self.callers_of(service) - self.callees_of(service))
        return called and not self.called_one_way(service)

    def reached_from(self, service: str | None) -> dict[str, int]:
        """Calls between `service` and everything it reaches, itself 0; empty where it is not in the graph."""
        if service is None or not (service in self.calls or service in self.callers):
            return {}
        found, fringe = {service: 0}, [service]
        while fringe:
            beyond = {callee for name in fringe for callee in self.callees_of(name)} - found.keys()
            found |= dict.fromkeys(sorted(beyond), found[fringe[0]] + 1)
            fringe = sorted(beyond)
        return found

    def networkx(self) -> nx.DiGraph:
        graph = nx.DiGraph()
        graph.add_edges_from((caller, callee) for caller in sorted(self.calls) for callee in sorted(self.calls[caller]))
        return graph


def call_graph(edges: Iterable[tuple[str, str]]) -> CallGraph:
    """The graph of these (caller, callee) pairs."""
    calls: dict[str, set[str]] = {}
    callers: dict[str, set[str]] = {}
    for caller, callee in edges:
        if caller != callee:
            calls.setdefault(caller, set()).add(callee)
            callers.setdefault(callee, set()).add(caller)
    return CallGraph(
        {name: frozenset(found) for name, found in calls.items()},
        {name: frozenset(found) for name, found in callers.items()},
    )
