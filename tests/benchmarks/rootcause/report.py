"""The section of RESULTS.md."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np

from components.rootcause.diagnosis import diagnose
from components.rootcause.specs import ScorerParams
from tests.benchmarks.results import table, wilson
from tests.benchmarks.rootcause.baselines import BASELINES, measured
from tests.benchmarks.rootcause.labelled import Labelled
from tests.benchmarks.rootcause.scoring import Answer, accuracies, chance, intervals, metric_rank, service_rank

_MEASURES = ("AC@1", "AC@3", "AC@5", "Avg@5")


@dataclass(frozen=True)
class Set:
    """Incidents of one data set, with windows in which nothing happened; timed: the noticed time can be shifted.

    normal: the windows by what makes them windows without a fault.
    """

    name: str
    note: str
    incidents: Sequence[Labelled]
    normal: Mapping[str, Sequence[Labelled]] = field(default_factory=dict)
    timed: bool = True


_ANSWERS: dict[tuple[str, str, datetime], Answer] = {}


def traceo(labelled: Labelled) -> Answer:
    """The product's answer by the command's defaults, each case once."""
    key = labelled.system, labelled.name, labelled.case.incident.time
    if key not in _ANSWERS:
        _ANSWERS[key] = _answer(labelled)
    return _ANSWERS[key]


def _answer(labelled: Labelled) -> Answer:
    found = diagnose(labelled.case, ScorerParams())
    ranking = tuple((cause["service"], cause["metric"]) for cause in found.causes)
    kind = found.causes[0]["kind"] if found.causes else None
    return Answer(ranking, kind, found.elapsed_ms, found.abstained)


def section(found: Set) -> list[str]:
    """Everything measured on one data set, by system."""
    parts = [f"### {found.name}", found.note]
    for system, cases in by_system(found.incidents).items():
        parts += [f"#### {system}, {len(cases)} incidents", _rankings(cases)]
        answers = [traceo(case) for case in cases]
        parts.append(_further(cases, answers, found.timed))
    if found.normal:
        parts.append(_specificity(found.normal))
    return parts


def by_system(cases: Sequence[Labelled]) -> dict[str, list[Labelled]]:
    found: dict[str, list[Labelled]] = {}
    for case in cases:
        found.setdefault(case.system, []).append(case)
    return found


def _rankings(cases: Sequence[Labelled]) -> str:
    rows = [_row("**Traceo**", [service_rank(case, traceo(case)) for case in cases])]
    readings = [(case, measured(case.case)) for case in cases]
    for name, rank in BASELINES.items():
        rows.append(_row(name, [service_rank(case, rank(reading)) for case, reading in readings]))
    expected = chance(cases)
    rows.append(["chance", *(f"{expected[name]:.2f}" for name in _MEASURES)])
    return table(("ranker", *_MEASURES), rows)


def _row(name: str, ranks: Sequence[int | None]) -> list[str]:
    values, spread = accuracies(ranks), intervals(ranks)
    return [name, *(f"{values[m]:.2f} ({spread[m][0]:.2f}–{spread[m][1]:.2f})" for m in _MEASURES)]


def _further(cases: Sequence[Labelled], answers: Sequence[Answer], timed: bool) -> str:
    """Metric level, kind, abstention, shifts and latency of the product."""
    lines = []
    if any(case.metrics for case in cases):
        told = [(case, answer) for case, answer in zip(cases, answers, strict=True) if case.metrics]
        found = accuracies([metric_rank(case, answer) for case, answer in told])
        lines.append(
            f"service and metric right: AC@1 {found['AC@1']:.2f}, AC@3 {found['AC@3']:.2f} ({len(told)} tell one)"
        )
    with_kind = [(case, answer) for case, answer in zip(cases, answers, strict=True) if case.kinds]
    if with_kind:
        hits = sum(answer.kind in case.kinds for case, answer in with_kind)
        lines.append(f"kind of the first cause right: {wilson(hits, len(with_kind))}")
    lines.append(f"abstained on: {wilson(sum(answer.abstained for answer in answers), len(answers))}")
    if timed:
        lines += [_shifted(cases, name, shift) for name, shift in _shifts(cases[0].step_s).items()]
    milliseconds = [answer.elapsed_ms for answer in answers]
    lines.append(f"latency: median {np.median(milliseconds):.0f} ms, p95 {np.quantile(milliseconds, 0.95):.0f} ms")
    return "\n".join(f"* {line}" for line in lines)


def _shifts(step_s: float) -> Mapping[str, float]:
    shifts = {"60 s later": 60.0, "60 s earlier": -60.0}
    if step_s != 60.0:
        shifts |= {f"one sample ({step_s:.0f} s) later": step_s, f"one sample ({step_s:.0f} s) earlier": -step_s}
    return shifts


def _shifted(cases: Sequence[Labelled], name: str, seconds: float) -> str:
    moved = [case.shifted(seconds) for case in cases]
    found = accuracies([service_rank(case, traceo(case)) for case in moved])
    return f"noticed {name}: AC@1 {found['AC@1']:.2f}, AC@3 {found['AC@3']:.2f}, AC@5 {found['AC@5']:.2f}"


def _specificity(normal: Mapping[str, Sequence[Labelled]]) -> str:
    rows = []
    for windows, cases in normal.items():
        parts = by_system(cases)
        if len(parts) > 1:
            rows.append([windows, "**all**", *_abstained_on(cases)])
        rows += [[windows, system, *_abstained_on(part)] for system, part in parts.items()]
    head = ("windows", "system", "specificity", "of those it speaks on, names the service of the fault before or after")
    return "Windows without a fault on which it abstains:\n\n" + table(head, rows)


def _abstained_on(part: Sequence[Labelled]) -> tuple[str, str]:
    spoke = [(case, answer) for case in part if not (answer := traceo(case)).abstained]
    neighbours = sum(answer.ranking[0][0] in case.near for case, answer in spoke)
    told = f"{neighbours} of {len(spoke)}" if any(case.near for case in part) else "–"
    return wilson(len(part) - len(spoke), len(part)), told


def pooled(sets: Sequence[Set], rank: Callable[[Labelled], Answer] = traceo) -> str:
    """One line per data set, over all its incidents; the last two columns are AC@1 and AC@3 of a time a minute off."""
    rows = []
    for found in sets:
        ranks = [service_rank(case, rank(case)) for case in found.incidents]
        values, spread = accuracies(ranks), intervals(ranks)
        cells = [f"{values[m]:.2f} ({spread[m][0]:.2f}–{spread[m][1]:.2f})" for m in _MEASURES]
        rows.append([found.name, str(len(ranks)), *cells, *_minute_off(found, rank)])
    return table(("set", "incidents", *_MEASURES, "60 s later", "60 s earlier"), rows)


def _minute_off(found: Set, rank: Callable[[Labelled], Answer]) -> list[str]:
    if not found.timed:
        return ["–", "–"]
    moved = [[case.shifted(seconds) for case in found.incidents] for seconds in (60.0, -60.0)]
    values = [accuracies([service_rank(case, rank(case)) for case in cases]) for cases in moved]
    return [f"{value['AC@1']:.2f}, {value['AC@3']:.2f}" for value in values]
