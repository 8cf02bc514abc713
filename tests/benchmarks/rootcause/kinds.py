"""Which model tells the kind of a cause best, applications held out one at a time; each is a run in MLflow."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from components.core.tracking import start_run
from components.rootcause.diagnosis import diagnose
from components.rootcause.evidence import kind_of
from components.rootcause.kinds import MODELS, feature_names, features, fit, held_out
from components.rootcause.ranking import Standing
from components.rootcause.specs import ScorerParams
from components.rootcause.symptoms import subdued
from tests.benchmarks.results import table
from tests.benchmarks.rootcause.labelled import Labelled

_EXPERIMENT = "rootcause-kinds"
#: Data sets that hold one application, whatever the traffic or seed.
_WHOLE = ("petshop", "shop")


def report(cases: Sequence[Labelled]) -> list[str]:
    """Accuracy of the kind at the true service, by system; incidents whose data tells no kind are left out."""
    told = [(case, _standing(case)) for case in cases if case.kinds]
    known = [(case, standing) for case, standing in told if standing is not None]
    labels = [_label(case) for case, _ in known]
    systems_of = [case.system for case, _ in known]
    groups = [application(system) for system in systems_of]
    answers: dict[str, Sequence[str | None]] = {"rule": [kind_of(subdued(standing)) for _, standing in known]}
    for rich in (False, True):
        rows = np.stack([features(standing, rich) for _, standing in known])
        for name in MODELS:
            title = f"{name}, {'richer' if rich else 'eight'} features"
            answers[title] = held_out(rows, labels, groups, name)
            _log(title, answers[title], [case for case, _ in known])
    systems = sorted(set(systems_of))
    cells = [[title, *(_accuracy(a, known, systems_of, system) for system in systems)] for title, a in answers.items()]
    text = (
        "Accuracy of the kind at the true service; each model was trained on other applications (all of PetShop, all "
        "seeds of the shop, both Sock Shops are one each). The rule answers, since no model beats it by system."
    )
    importance = fit(np.stack([features(s) for _, s in known]), labels, "ensemble").importance()
    ranked = sorted(zip(feature_names(), importance, strict=True), key=lambda pair: -pair[1])
    weights = ", ".join(f"{name} {value:.2f}" for name, value in ranked)
    return ["### Kinds of cause", text, table(("by", *systems), cells), f"Importance in the ensemble: {weights}."]


def application(system: str) -> str:
    """What a system's services belong to: the same application under other traffic is no other system."""
    return "sock-shop" if "sock" in system else system.split()[0] if system.split()[0] in _WHOLE else system


def _standing(case: Labelled) -> Standing | None:
    found = diagnose(case.case, ScorerParams(abstain=False)).standings
    return next((standing for standing in found if standing.service == case.service), None)


def _label(case: Labelled) -> str:
    return sorted(case.kinds)[0]


def _accuracy(
    found: Sequence[str | None], known: Sequence[tuple[Labelled, Standing]], groups: Sequence[str], system: str
) -> str:
    rows = zip(found, known, groups, strict=True)
    hits = [answer in case.kinds for answer, (case, _), group in rows if group == system]
    return f"{np.mean(hits):.2f} ({len(hits)})"


def _log(title: str, found: Sequence[str | None], cases: Sequence[Labelled]) -> None:
    hits = [answer in case.kinds for answer, case in zip(found, cases, strict=True)]
    with start_run(_EXPERIMENT, title, {"by": title, "incidents": len(cases)}) as run:
        run.log_metric("accuracy", float(np.mean(hits)))
