"""What past incidents of the same system teach: which alerts and signals a service shows when it is the cause.

Every service of every past incident is one row: its place by the rule, its name with and without the replica's number,
and what it showed, each with how few others showed it. A logistic regression tells causes from the rest. Unlike the
rule it needs labels of this very system, learns which alerts stand there at all times, and prefers services that were
causes before; where the past knows none of what may come, the rule is better (`make bench-rootcause` has both).
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from components.core.errors import InputError
from components.rootcause.case import Case
from components.rootcause.raised import is_error
from components.rootcause.ranking import Standing

Row = Mapping[str, float]

#: Fewer incidents with a known cause teach less than the rule knows.
MIN_INCIDENTS = 10
_REPLICA = re.compile(r"[-_.]?\d+$")
_DIGITS = re.compile(r"\d+")
#: Inverse strength of the penalty on weights; most rows have few of many features.
_PENALTY_C = 0.1
#: Half the size is four times the penalty: a name explains the past well and a new cause not at all.
_NAME = 0.5
_ALIKE = 3


@dataclass(frozen=True)
class PastIncident:
    """A diagnosed incident: one row per service, what was shown where, and the cause where it is known."""

    name: str
    rows: Mapping[str, Row]
    shown: frozenset[tuple[str, str]]
    cause: str | None


@dataclass(frozen=True)
class Past:
    """The past incidents and the regression fitted to them."""

    incidents: Sequence[PastIncident]
    vectorizer: Any
    model: Any

    def without(self, name: str) -> Past:
        """The same without one incident, which is judged: its own cause must not be known to its judge."""
        rest = [incident for incident in self.incidents if incident.name != name]
        return self if len(rest) == len(self.incidents) else learned(rest)

    def probabilities(self, incident: PastIncident) -> dict[str, float]:
        """Per service the probability that it is the cause, over all services 1 in sum."""
        names = sorted(incident.rows)
        if not names:
            return {}
        odds = self.model.decision_function(self.vectorizer.transform([incident.rows[name] for name in names]))
        powers = [math.exp(value - max(odds)) for value in odds]
        return {name: power / sum(powers) for name, power in zip(names, powers, strict=True)}

    def alike(self, incident: PastIncident) -> list[tuple[float, PastIncident]]:
        """The past incidents that showed most of the same, with the share in common weighted by rarity."""
        seen = Counter(item for past in self.incidents for item in past.shown)

        def weight(items: frozenset[tuple[str, str]]) -> float:
            return sum(math.log((1 + len(self.incidents)) / (1 + seen[item])) for item in sorted(items))

        shares = [
            (weight(incident.shown & past.shown) / max(weight(incident.shown | past.shown), 1e-9), past)
            for past in self.incidents
        ]
        return sorted(shares, key=lambda pair: (-pair[0], pair[1].name))


def described(name: str, case: Case, standings: Sequence[Standing], cause: str | None = None) -> PastIncident:
    """A case that was diagnosed, as rows to learn from or to judge."""
    shown = _shown(case, standings)
    common = Counter(item for items in shown.values() for item in items)
    top = max((standing.score for standing in standings), default=0.0) or 1.0
    rows: dict[str, Row] = {}
    for place, standing in enumerate(standings):
        service = standing.service
        row = {"rule": standing.score / top, "first": float(place == 0), "place": 1 / (1 + place)}
        row |= {f"service {service}": _NAME, f"replica of {_REPLICA.sub('', service)}": _NAME}
        for item in sorted(shown.get(service, ())):
            row |= {f"shows {item}": 1.0, f"alone shows {item}": 1 / common[item]}
        rows[service] = row
    pairs = frozenset((service, item) for service, items in shown.items() for item in items)
    return PastIncident(name, rows, pairs, cause)


def learned(incidents: Sequence[PastIncident]) -> Past:
    """Fit the regression; InputError with fewer than ten incidents whose cause is among their services."""
    from sklearn.feature_extraction import DictVectorizer
    from sklearn.linear_model import LogisticRegression

    usable = [incident for incident in incidents if incident.cause in incident.rows and len(incident.rows) > 1]
    if len(usable) < MIN_INCIDENTS:
        raise InputError(
            f"{len(usable)} past incidents have a known cause among their services; "
            f"give {MIN_INCIDENTS} at least, each with 'cause' in its incident.json"
        )
    rows = [(row, service == incident.cause) for incident in usable for service, row in sorted(incident.rows.items())]
    vectorizer = DictVectorizer()
    found = vectorizer.fit_transform([row for row, _ in rows])
    model = LogisticRegression(C=_PENALTY_C, max_iter=1000, class_weight="balanced")
    return Past(usable, vectorizer, model.fit(found, [is_cause for _, is_cause in rows]))


def reordered(past: Past, incident: PastIncident, standings: Sequence[Standing]) -> list[Standing]:
    """The standings by what the past says; a score of -3 ln(1 - p) is written as the probability p."""
    chances = past.probabilities(incident)
    scored = [replace(s, score=-3 * math.log(max(1e-9, 1 - chances[s.service]))) for s in standings]
    return sorted(scored, key=lambda s: (-s.score, -s.strength, s.service))


def recalled(past: Past, incident: PastIncident, service: str) -> dict[str, Any]:
    """The evidence: how often the service was a cause, and the past incidents most alike."""
    causes = Counter(item.cause for item in past.incidents)
    alike = [
        f"{item.name} ({item.cause}, {share:.0%} in common)" for share, item in past.alike(incident)[:_ALIKE] if share
    ]
    told = f"most alike: {', '.join(alike)}" if alike else "none showed anything that this one does"
    text = f"{service} was the cause of {causes[service]} of {len(past.incidents)} past incidents; {told}"
    return {"type": "past", "text": text}


def _shown(case: Case, standings: Sequence[Standing]) -> dict[str, set[str]]:
    """What each service showed: its alerts, both sides of a call's, and signals of other sources."""
    shown: dict[str, set[str]] = defaultdict(set)
    columns = case.alerts.select("service", "signal", "name", "direction", "peer")
    for service, signal, name, direction, peer in columns.iter_rows():
        if signal == "trace":
            symptom = "failing" if is_error(f"{name} {direction}") else "slow"
            shown[service].add(f"{symptom} calls")
            if peer and peer != service:
                shown[service].add(f"{symptom} calls to others")
                shown[peer].add(f"{symptom} when called")
        else:
            shown[service] |= {f"{signal} {_plain(name, service)} {direction or ''}", f"any {signal}"}
    for standing in standings:
        for moved in standing.signals:
            if moved.source != "alerts":
                way = "up" if moved.rising else "down"
                shown[standing.service].add(f"{moved.source} {_plain(moved.metric, standing.service)} {way}")
    return shown


def _plain(name: str | None, service: str) -> str:
    return _DIGITS.sub("#", (name or "").replace(service, ""))
