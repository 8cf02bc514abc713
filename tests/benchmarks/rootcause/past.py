"""What past incidents of the same system add: TVDiag's, whose alerts come with many labels of few systems."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from components.rootcause.diagnosis import diagnose
from components.rootcause.past import Past, PastIncident, described, learned
from components.rootcause.specs import ScorerParams
from tests.benchmarks.results import table
from tests.benchmarks.rootcause.labelled import Labelled
from tests.benchmarks.rootcause.scoring import accuracies, intervals

_FOLDS, _NEAREST = 5, 5
_MEASURES = ("AC@1", "AC@3", "AC@5", "Avg@5")
Order = Callable[[Past, PastIncident], list[str]]


def report(cases: Sequence[Labelled]) -> list[str]:
    """Per system: held out in five shuffled parts, and the second half by the first."""
    note = (
        "Labels of the same system are the past: of four fifths of its incidents for each fifth (shuffled, seed 0), "
        "and of the first half for the second in the order of the data set. hotel's faults were injected service by "
        "service, so that its second half has causes that its first half never had. The regression on kinds of alerts "
        "alone knows the rule's order and how much of each kind each service shows, no name of a service, metric or "
        "template: about what a rule without a past could reach if its weights were chosen on the system itself."
    )
    rows = []
    for system in sorted({case.system for case in cases}):
        part = [case for case in cases if case.system == system]
        incidents, kinds = map(list, zip(*(_described(case) for case in part), strict=True))
        places = np.arange(len(part))
        shuffled = np.random.default_rng(0).permutation(len(part)) % _FOLDS
        fifths = [places[shuffled == fold] for fold in range(_FOLDS)]
        rows += _rows(f"{system}, fifths", incidents, fifths)
        rows += _rows(f"{system}, fifths", kinds, fifths, {"regression on kinds of alerts alone": _by_past})
        rows += _rows(f"{system}, second half", incidents, [places[len(part) // 2 :]])
    return ["### With past incidents", note, table(("system and split", "ranker", *_MEASURES), rows)]


def _described(case: Labelled) -> tuple[PastIncident, PastIncident]:
    """What is learned from, and the same reduced to the rule's order and how much of each kind each service shows."""
    standings = diagnose(case.case, ScorerParams(abstain=False)).standings
    whole = described(case.name, case.case, standings, case.service)
    kinds = {
        standing.service: {name: whole.rows[standing.service][name] for name in ("rule", "first", "place")}
        | {f"{signal.kind} {'up' if signal.rising else 'down'}": signal.strength for signal in standing.signals}
        for standing in standings
    }
    return whole, replace(whole, rows=kinds)


def _rows(
    title: str,
    incidents: Sequence[PastIncident],
    held_out: Sequence[np.ndarray],
    orders: Mapping[str, Order] | None = None,
) -> list[list[str]]:
    orders = orders or _ORDERS
    found: dict[str, list[int | None]] = {name: [] for name in orders}
    for fold in held_out:
        past = learned([item for place, item in enumerate(incidents) if place not in set(fold.tolist())])
        for place in fold:
            for name, order in orders.items():
                ranking = order(past, incidents[place])
                found[name].append(_place(ranking, incidents[place].cause))
    return [[title, name, *_cells(ranks)] for name, ranks in found.items()]


def _place(ranking: Sequence[str], cause: str | None) -> int | None:
    return next((n for n, name in enumerate(ranking, 1) if name == cause), None)


def _cells(ranks: Sequence[int | None]) -> list[str]:
    values, spread = accuracies(ranks), intervals(ranks)
    return [f"{values[m]:.2f} ({spread[m][0]:.2f}–{spread[m][1]:.2f})" for m in _MEASURES]


def _by_rule(past: Past, incident: PastIncident) -> list[str]:
    return sorted(incident.rows, key=lambda name: (-incident.rows[name]["place"], name))


def _by_past(past: Past, incident: PastIncident) -> list[str]:
    chances = past.probabilities(incident)
    return sorted(incident.rows, key=lambda name: (-chances[name], name))


def _by_nearest(past: Past, incident: PastIncident) -> list[str]:
    votes: Counter[str | None] = Counter()
    for share, item in past.alike(incident)[:_NEAREST]:
        votes[item.cause] += share  # type: ignore[assignment]
    return sorted(incident.rows, key=lambda name: (-votes[name], -incident.rows[name]["place"]))


def _by_frequency(past: Past, incident: PastIncident) -> list[str]:
    causes = Counter(item.cause for item in past.incidents)
    return sorted(incident.rows, key=lambda name: (-causes[name], -incident.rows[name]["place"]))


_ORDERS: dict[str, Order] = {
    "**Traceo with the past**": _by_past,
    "Traceo without": _by_rule,
    "causes of the five most alike": _by_nearest,
    "commonest cause": _by_frequency,
}
