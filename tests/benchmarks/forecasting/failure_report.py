"""The page of the failure benchmark: what was asked, and every figure beside the baselines."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from itertools import pairwise

import numpy as np

from components.forecasting.risk import HORIZONS_H
from tests.benchmarks.forecasting import failure_figures as figures
from tests.benchmarks.forecasting.failure_case import Case
from tests.benchmarks.forecasting.failure_figures import ALARM, Answers
from tests.benchmarks.forecasting.simulator import DECOYS, KINDS
from tests.benchmarks.results import table, wilson

_DEFINITION = (
    "`make bench-forecasting`, its second half: `traceo forecast --limit` at {cases:,} moments: {simulated:,} of a "
    "seeded simulator (seeds {seeds}; ten kinds of failure, eight kinds of decoy, quiet series, ramps that stop "
    "later; 30 days of five-minute samples) and {real} "
    "of real series ({sets}). Limits of these: KubeEdge's memory has its own (80 to 95 %); the metrics of the others "
    "fill nothing, so a limit comes from a series' first 14 days: a twentieth of their range above the highest hour, "
    "or the hour's 99 % quantile. Cuts: before the crossing (simulated: at four leads each, from a quarter of the way "
    "on; real: an hour to a week), and at any calm moment. The maps from what is seen to a probability were fitted on "
    "other seeds and other sets (`python -m tests.benchmarks.forecasting.failure_fit`); one configuration for all. An "
    "*alarm* is a probability of at least {alarm:g}.\n\n"
    "- **Brier**: mean squared error of the probability within 1, 4, 24, 72 and 168 h, pooled over moments and "
    "horizons; *base rate* is the share of crossings among the other moments of a horizon: it knows the answers. "
    "**AUC**: how often a crossing is rated above none. **Gap**: mean distance of what was said from what came, over "
    "ten bins.\n"
    "- **Precision, recall at 24 h**: of alarms within a week; failures are those 24 to 168 h ahead, false alarms "
    "those on moments without a crossing within a week.\n"
    "- **Pinball**: mean loss of the time-to-limit quantiles (10, 50, 90 %) in hours, times cut off at a week. "
    "**Coverage**: of crossings with a time-to-limit interval of 80 %, those inside it (open above where its end lies "
    "past the week).\n"
    "- The simulator is Traceo's own: its share says what a known pattern is worth, the real sets what is not made up."
)
_NEARLY_A_WEEK = 144
_BINS = (0.0, 0.05, 0.2, 0.4, 0.6, 0.8, 0.95, 1.0)
#: Leads of the curves, in hours.
SLOW_LEADS, FAST_LEADS = ((2, 8), (24, 48), (72, 120), (120, 168)), ((0.5, 1), (1, 2), (2, 4), (4, 8))


def section(answers: Mapping[str, Answers], sample: Mapping[str, Answers]) -> list[str]:
    """The parts of the page, in order."""
    ours = answers["Traceo"]
    cases = ours.cases
    simulated = [case for case in cases if case.origin == "simulator"]
    seeds = ", ".join(dict.fromkeys(case.name.split("-")[0] for case in simulated))
    real = list(dict.fromkeys(case.origin for case in cases if case.origin != "simulator"))
    counts = {name: sum(case.origin == name for case in cases) for name in real}
    sets = ", ".join(f"{name} {count}" for name, count in counts.items())
    definition = _DEFINITION.format(
        cases=len(cases),
        simulated=len(simulated),
        real=len(cases) - len(simulated),
        seeds=seeds,
        sets=sets,
        alarm=ALARM,
    )
    return [
        "## Failures ahead",
        definition,
        _headline(answers),
        f"The same for a draw of {len(sample['Traceo'].cases)} of these moments, beside Prophet's interval:",
        _headline(sample),
        "### Brier score and AUC by horizon",
        _by_horizon(answers),
        "### Reliability: what came where Traceo said so",
        _reliability(ours),
        "### False alarms per 100 harmless moments",
        "Alarms within a week on simulated series that do not cross; the first eight are decoys.",
        _false_alarms(answers, sample),
        "### By kind of failure, at its lead time",
        "Simulated failures that are as far ahead as the kind's lead time says, alarmed within its upper end; "
        "precision counts the alarms on the kind's harmless moments, decoys and ramps that stop later among them.",
        _by_kind(ours),
        "### Precision and recall by lead time",
        _by_lead(answers),
    ]  # fmt: skip


_GROUPS: dict[str, Callable[[Case], bool]] = {
    "all": lambda case: True,
    "simulator": lambda case: case.origin == "simulator",
    "real": lambda case: case.origin != "simulator",
}


def _headline(answers: Mapping[str, Answers]) -> str:
    measures = ("Brier (base rate)", "AUC", "gap", "precision at 24 h", "recall at 24 h", "pinball, h", "coverage")
    rows = []
    for group, keep in _GROUPS.items():
        for name, everyone in answers.items():
            of = everyone.where(keep)
            if of.cases:
                rows.append((group, name, *_headline_row(of)))
    return table(("moments", "method", *measures), rows)


def _headline_row(of: Answers) -> list[str]:
    truth = of.truth()
    found = figures.alarms(of, 24, 168)
    inside, given = figures.coverage(of)
    base = figures.brier(figures.base_rate(truth), truth)
    return [
        f"{_number(figures.brier(of.probability, truth), 3)} ({_number(base, 3)})",
        _number(figures.auc(of.probability, truth)),
        _number(figures.calibration_error(of.probability, truth), 3),
        wilson(found.found, found.found + found.false),
        wilson(found.found, found.failures),
        _number(figures.pinball_h(of), 1),
        wilson(inside, given),
    ]


def _by_horizon(answers: Mapping[str, Answers]) -> str:
    rows = []
    for group, keep in _GROUPS.items():
        for name, everyone in answers.items():
            of = everyone.where(keep)
            truth = of.truth()
            base = figures.base_rate(truth)
            cells = []
            for i in range(len(HORIZONS_H)):
                one = truth[:, i : i + 1]
                brier = figures.brier(of.probability[:, i : i + 1], one)
                cells.append(
                    f"{_number(brier, 3)} ({_number(figures.brier(base[:, i : i + 1], one), 3)}), "
                    f"{_number(figures.auc(of.probability[:, i : i + 1], one))}"
                )
            rows.append((group, name, *cells))
    return table(("moments", "Brier (base rate), AUC", *(f"{hours} h" for hours in HORIZONS_H)), rows)


def _reliability(ours: Answers) -> str:
    header = ("horizon", *(f"{low:g}–{high:g}" for low, high in pairwise(_BINS)))
    truth = ours.truth()
    rows = []
    for i, hours in enumerate(HORIZONS_H):
        found = figures.reliability(ours.probability[:, i], truth[:, i], _BINS)
        rows.append((f"{hours} h", *(f"{came:.2f} of {n} (said {said:.2f})" if n else "–" for n, said, came in found)))
    return table(header, rows)


def _false_alarms(answers: Mapping[str, Answers], sample: Mapping[str, Answers]) -> str:
    methods = {**answers, "Prophet (sample)": sample["Prophet"]}
    rows = [[pattern, *(_rate(of, lambda case, p=pattern: case.pattern == p) for of in methods.values())]
            for pattern in (*DECOYS, "quiet", "ramp that stops later")]  # fmt: skip
    rows.append(["**decoys together**", *(_rate(of, lambda case: case.decoy) for of in methods.values())])
    real = [
        "real, no crossing within a week",
        *(_rate(of, lambda case: case.origin != "simulator") for of in methods.values()),
    ]
    return table(("pattern", *methods), [*rows, real])


def _rate(of: Answers, keep: Callable[[Case], bool]) -> str:
    calm = of.where(lambda case: keep(case) and not math.isfinite(case.crossing_h) and case.known_h >= _NEARLY_A_WEEK)
    total = len(calm.cases)
    return f"{100 * int(calm.alarms(HORIZONS_H[-1]).sum()) / total:.1f} of {total}" if total else "–"


def _by_kind(ours: Answers) -> str:
    rows, pooled = [], []
    for kind in KINDS:
        found = figures.alarms(ours.where(lambda case, name=kind.name: case.kind == name), *kind.lead_h)
        pooled.append(found)
        predicted, right = wilson(found.found, found.failures), wilson(found.found, found.found + found.false)
        rows.append((kind.name, _span(*kind.lead_h), predicted, right))
    hits, failures, false = (sum(getattr(f, name) for f in pooled) for name in ("found", "failures", "false"))
    rows.append(("**all**", "", wilson(hits, failures), wilson(hits, hits + false)))
    return table(("kind", "lead time", "predicted", "precision"), rows)


def _by_lead(answers: Mapping[str, Answers]) -> str:
    groups = [
        ("simulated, slow kinds", lambda case: case.origin == "simulator" and _slow(case), SLOW_LEADS),
        ("simulated, fast kinds", lambda case: case.origin == "simulator" and not _slow(case), FAST_LEADS),
        ("real", lambda case: case.origin != "simulator", ((1, 4), (4, 24), (24, 72), (72, 168))),
    ]  # fmt: skip
    rows = []
    for title, keep, leads in groups:
        for low, high in leads:
            cells = []
            for of in answers.values():
                found = figures.alarms(of.where(keep), low, high)
                cells.append(f"{_number(found.precision)} / {_number(found.recall)}")
            rows.append((title, _span(low, high), found.failures, *cells))
    return table(("moments", "lead", "failures", *(f"{name}: precision / recall" for name in answers)), rows)


def _slow(case: Case) -> bool:
    return next(kind.slow for kind in KINDS if kind.name == case.kind)


def _span(low: float, high: float) -> str:
    if high <= 2:
        return f"{60 * low:g}–{60 * high:g} min"
    return f"{low:g}–{high:g} h"


def _number(value: float, digits: int = 2) -> str:
    return f"{value:.{digits}f}" if np.isfinite(value) else "–"
