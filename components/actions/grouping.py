"""Which events belong to one incident: those that overlap in time and touch in the call graph."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from components.actions.events import ROW, Event


@dataclass
class Group:
    """Events of one incident, in the order in which they began."""

    events: list[Event] = field(default_factory=list)

    @property
    def start(self) -> datetime:
        return self.events[0].start

    @property
    def end(self) -> datetime:
        return max(event.end for event in self.events)

    @property
    def services(self) -> list[str]:
        return list(dict.fromkeys(event.service for event in self.events))

    @property
    def series(self) -> list[tuple[str, str]]:
        return list(dict.fromkeys(event.series for event in self.events))

    def known_end(self, at: datetime) -> datetime:
        """Until when the group was known to last at an instant; what came later does not count."""
        return max(min(event.end, at) for event in self.events if event.start <= at)


def group_events(events: Sequence[Event], neighbours: dict[str, set[str]], gap: timedelta) -> list[Group]:
    """Assign each event, in order of start, to the first group it touches in time and in the graph.

    Each decision uses only what was known when the event began, so a later look groups alike. Without any
    call graph, time alone decides.
    """
    groups: list[Group] = []
    for event in events:
        home = next((g for g in reversed(groups) if _touches(g, event, neighbours, gap)), None)
        if home is None:
            home = Group()
            groups.append(home)
        home.events.append(event)
    return groups


def neighbourhood(calls: Iterable[tuple[str, str]]) -> dict[str, set[str]]:
    """Each service with those at most two calls away, in either direction, and itself."""
    direct: dict[str, set[str]] = {}
    for caller, callee in calls:
        direct.setdefault(caller, {caller}).add(callee)
        direct.setdefault(callee, {callee}).add(caller)
    return {service: set().union(*(direct[other] for other in near)) for service, near in direct.items()}


def detected_at(group: Group, min_series: int, lone_rows: int, lone_score: float) -> datetime | None:
    """When the group was enough to be an incident; None while it is not.

    Enough is: `min_series` series abnormal in the same or adjacent rows, or one series abnormal for
    `lone_rows` rows with a score of `lone_score`.
    """
    together = _together(group, min_series)
    alone = [e.rows[lone_rows - 1] + ROW for e in group.events if len(e.rows) >= lone_rows and e.score >= lone_score]
    instants = [*([together] if together else []), *alone]
    return min(instants, default=None)


def _together(group: Group, min_series: int) -> datetime | None:
    marks = sorted((row, event.series) for event in group.events for row in event.rows)
    for index, (row, _) in enumerate(marks):
        active = {series for other, series in marks[: index + 1] if row - other <= ROW}
        if len(active) >= min_series:
            return row + ROW
    return None


def _touches(group: Group, event: Event, neighbours: dict[str, set[str]], gap: timedelta) -> bool:
    if event.start > group.known_end(event.start) + gap:
        return False
    if not neighbours:
        return True
    near = neighbours.get(event.service, {event.service})
    return any(service in near for service in group.services)
