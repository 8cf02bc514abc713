"""The table of `make bench-shop`: one row per fault, shares with intervals, what no fault explains."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from components.telemetry.shop import Fault
from tests.benchmarks.results import table, wilson


@dataclass(frozen=True)
class Incident:
    """One incident as found, with its first cause."""

    title: str
    started_at: datetime
    detected_at: datetime
    ended_at: datetime
    services: tuple[str, ...]
    worst: str
    cause: str
    kind: str


@dataclass(frozen=True)
class Outcome:
    """What became of one fault."""

    seed: int
    fault: Fault
    due: bool
    forecast: bool | None
    incident: Incident | None
    limit_alarm: bool

    @property
    def delay_min(self) -> float | None:
        if self.incident is None:
            return None
        return (self.incident.detected_at - max(self.fault.start, self.fault.acute_start)).total_seconds() / 60


_DEFINITION = (
    "`make bench-shop`. Data: the built-in **synthetic** shop, 30 days, seeds {seeds}; models trained on days 1 to 29, "
    "day 30 scored; thresholds chosen on seeds 1 to 8; the words by which log lines tell a "
    "kind of cause were written with the shop's lines in view. A fault is *detected* when an incident overlaps it in "
    "time and in services, with its delay from the first harm; the *first cause* is the top of that incident's "
    "root-cause ranking (of several incidents the one that begins nearest to the first harm counts). "
    "*Forecast*: at the kind's lead time (or half the notice, if shorter) the probability of passing the limit is at "
    "least 70 %; faults with less than 3 h from first sign to limit count as not forecastable (–). Intervals are 95 % "
    "Wilson."
)
_FAULTS = (
    "seed",
    "fault",
    "service",
    "forecast",
    "detected",
    "first cause (kind)",
    "cause",
    "kind",
    "limit passed (baseline)",
)
_NONE = "–"


def report(
    outcomes: Sequence[Outcome],
    unexplained: Sequence[tuple[int, Incident, str]],
    seeds: Sequence[int],
    limit_alarms: int,
) -> str:
    """The section of RESULTS.md.

    unexplained: incidents with the decoy that explains each, or an empty text; limit_alarms: series that the naive
    baseline alarms on without any fault.
    """
    strangers = sorted(unexplained, key=lambda item: (item[2] != "", item[0], item[1].started_at))
    listed = [[seed, f"{i.started_at:%d %b %H:%M}", i.title, decoy or _NONE] for seed, i, decoy in strangers]
    parts = [
        "## The shop's faults of one day",
        _DEFINITION.format(seeds=", ".join(map(str, seeds))),
        table(
            ("figure", "Traceo", "naive baseline"), _shares(outcomes) + _nuisance(unexplained, len(seeds), limit_alarms)
        ),
        table(_FAULTS, [_row(outcome) for outcome in outcomes]),
        "Incidents that no fault explains:",
        table(("seed", "started", "incident", "decoy that explains it"), listed) if listed else "none",
    ]
    return "\n\n".join(parts)


def _shares(outcomes: Sequence[Outcome]) -> list[list[str]]:
    due = [o for o in outcomes if o.due]
    found = [(o.fault, o.incident) for o in due if o.incident]
    asked = [o for o in outcomes if o.forecast is not None]
    delays = sorted(o.delay_min for o in due if o.delay_min is not None)

    def share(hits: Sequence[bool]) -> str:
        return wilson(sum(hits), len(hits))

    alarms = share([o.limit_alarm for o in due]) + ", a five-minute mean beyond its limit"
    loudest = share([incident.worst == fault.service for fault, incident in found]) + ", highest anomaly score"
    return [
        ["forecast at the kind's lead time", share([bool(o.forecast) for o in asked]), "0 by definition (never alarm)"],
        ["detected", wilson(len(found), len(due)), alarms],
        ["right first cause, of the detected", share([i.cause == f.service for f, i in found]), loudest],
        ["right kind of cause, of the detected", share([i.kind == f.cause_kind for f, i in found]), _NONE],
        ["median delay of detection", f"{delays[len(delays) // 2]:.0f} min" if delays else _NONE, _NONE],
    ]


def _nuisance(unexplained: Sequence[tuple[int, Incident, str]], days: int, limit_alarms: int) -> list[list[str]]:
    decoys = sum(bool(decoy) for _, _, decoy in unexplained)
    return [
        [
            "false incidents per day",
            f"{(len(unexplained) - decoys) / days:.1f}",
            f"{limit_alarms / days:.1f}, series beyond their limit",
        ],
        ["incidents on harmless decoys per day", f"{decoys / days:.1f}", _NONE],
    ]


def _row(outcome: Outcome) -> list[object]:
    fault, incident = outcome.fault, outcome.incident
    forecast = {None: _NONE, True: "yes", False: "no"}[outcome.forecast]
    if incident is None:
        cells = ["no" if outcome.due else _NONE, _NONE, _NONE, _NONE]
    else:
        right = ["yes" if hit else "no" for hit in (incident.cause == fault.service, incident.kind == fault.cause_kind)]
        cells = [f"yes, {outcome.delay_min:.0f} min", f"{incident.cause} ({incident.kind})", *right]
    alarm = "yes" if outcome.limit_alarm else "no"
    return [outcome.seed, fault.kind, fault.service, forecast, *cells, alarm]
