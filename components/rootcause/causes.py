"""Ranked services as causes: kind, metric, level and evidence; the first few also face an intervention."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from components.rootcause.attribution import attributions
from components.rootcause.changes import Change, Effect, effect_of, remedy_after, remedy_effect
from components.rootcause.counterfactual import ASSUMPTIONS, Counterfactual, counterfactual
from components.rootcause.deviation import Deviation
from components.rootcause.evidence import amount, evidence, figure, kind_of, kinds_compared, metric_of, remedied
from components.rootcause.graph import CallGraph
from components.rootcause.mechanism import Mechanism, Return, mechanism_of, would_return
from components.rootcause.naming import sense
from components.rootcause.periods import Periods
from components.rootcause.ranking import Standing, written_score
from components.rootcause.signals import clock
from components.rootcause.specs import ScorerParams
from components.rootcause.symptoms import subdued

#: Causes that are worth more than association.
_TESTED = 3
_PARTS = 4


@dataclass(frozen=True)
class Found:
    """What a diagnosis knows when it writes its causes down."""

    standings: Sequence[Standing]
    moved: Sequence[Deviation]
    graph: CallGraph
    changes: Sequence[Change]
    noticed: str | None
    noticed_metric: str | None
    when: Periods
    params: ScorerParams

    def symptom(self, noticed: Deviation) -> dict[str, Deviation]:
        """The metric it was noticed in, by service."""
        return {item.series.service: item for item in self.moved if item.series.metric == noticed.series.metric}

    def noticed_item(self) -> Deviation | None:
        """The series it was noticed in, or else what the noticed service's callers feel of it most."""
        there = [item for item in self.moved if item.series.service == self.noticed]
        told = [item for item in there if item.series.metric == self.noticed_metric]
        felt = [item for item in there if sense(item.series.metric).kind in ("latency", "error")]
        return told[0] if told else max(felt, key=lambda item: abs(item.z), default=None)


def causes_of(found: Found) -> list[dict[str, Any]]:
    """Every standing as a cause, in their order; the first also says how the symptom is shared out, when asked for."""
    causes = [_cause(found, standing, tested=place < _TESTED) for place, standing in enumerate(found.standings)]
    if causes and found.params.counterfactual:
        causes[0]["evidence"] += _shared_out(found)
    return causes


def _shared_out(found: Found) -> list[dict[str, Any]]:
    noticed = found.noticed_item()
    if noticed is None or found.noticed is None:
        return []
    parts = attributions(found.noticed, found.symptom(noticed), found.graph, found.when, found.params.seed)
    if not parts:
        return []
    told = [f"{part.service} {part.amount:.4g} ({part.low:.4g} to {part.high:.4g})" for part in parts[:_PARTS]]
    metric, whole = noticed.series.metric, sum(part.amount for part in parts)
    text = f"of the {whole:.4g} by which {found.noticed} {metric} is off its mean, there arise in {', '.join(told)}"
    amounts = {part.service: [figure(part.amount), figure(part.low), figure(part.high)] for part in parts}
    return [{"type": "attribution", "text": f"{text}; {ASSUMPTIONS}", "amounts": amounts}]


def _cause(found: Found, standing: Standing, tested: bool) -> dict[str, Any]:
    effect = _effect(found, standing)
    kind = kind_of(subdued(standing), effect)
    metric = metric_of(standing, kind)
    items = evidence(standing, metric, effect, found.standings, found.graph, found.noticed)
    level = "intervention" if effect and effect.clear else "association"
    if tested and standing.signals:
        mechanism, back, without = _interventions(found, standing)
        items += [item for item in (_mechanism(mechanism), _returned(back, standing.service, found)) if item]
        items += [*_remedies(found, standing), *kinds_compared(subdued(standing), effect)]
        if mechanism and mechanism.parents and mechanism.changed and back and back.returns:
            level = "intervention"
        # Where the model sees no difference, it has nothing to say.
        if without and not without.low <= without.found <= without.high:
            items.append(_counterfactual(without, standing, found))
            level = "counterfactual"
    return {
        "service": standing.service,
        "metric": metric,
        "kind": kind,
        "score": written_score(standing),
        "level": level,
        "evidence": items,
    }


def _effect(found: Found, standing: Standing) -> Effect | None:
    if not standing.change or standing.measured is None:
        return None
    return effect_of(standing.change, standing.measured, found.when, found.params.seed)


def _interventions(found: Found, standing: Standing) -> tuple[Mechanism | None, Return | None, Counterfactual | None]:
    item, noticed = standing.measured, found.noticed_item()
    if item is None:
        return None, None, None
    mechanism = mechanism_of(item, found.moved, found.graph, found.when, found.params.min_deviation)
    back = would_return(item, noticed, found.when) if noticed and noticed is not item else None
    without = None
    if found.params.counterfactual and noticed and found.noticed:
        same, when = found.symptom(noticed), found.when
        without = counterfactual(standing.service, found.noticed, same, found.graph, when, found.params.seed)
    return mechanism, back, without


def _mechanism(test: Mechanism | None) -> dict[str, Any] | None:
    if test is None or not test.parents:
        return None
    parents = ", ".join(f"{service} {metric}" for service, metric in test.parents[:3])
    verdict = "its own mechanism changed" if test.changed else "they explain it"
    text = (
        f"from {parents} it would be {test.predicted:.4g}, found {test.found:.4g}: "
        f"{abs(test.residual_z):.1f} robust deviations, {verdict}"
    )
    return {"type": "mechanism", "text": text, "residual": figure(test.residual_z)}


def _returned(back: Return | None, service: str, found: Found) -> dict[str, Any] | None:
    if back is None or back.excess <= 0:
        return None
    part = 1 - back.remaining / back.excess
    text = f"were {service} at its usual level, {part:.0%} of the excess of {found.noticed} {back.metric} would be gone"
    return {"type": "return", "text": text, "share": figure(part)}


def _remedies(found: Found, standing: Standing) -> list[dict[str, Any]]:
    item = standing.measured
    remedy = remedy_after(found.changes, standing.service, found.when.noticed) if item else None
    if item is None or remedy is None:
        return []
    effect = remedy_effect(remedy, item, found.when, found.params.seed)
    return [remedied(remedy, item, effect)] if effect else []


def _counterfactual(without: Counterfactual, standing: Standing, found: Found) -> dict[str, Any]:
    change = standing.change
    cause = f"“{change.what}” at {clock(change.at_s)}" if change else f"what happened in {standing.service}"
    level, low, high, seen = (
        amount(without.metric, x) for x in (without.without, without.low, without.high, without.found)
    )
    text = (
        f"without {cause}, {found.noticed} {without.metric} would have stayed at {level} ({low} to {high}) "
        f"instead of {seen}; {ASSUMPTIONS}"
    )
    return {"type": "counterfactual", "text": text, "interval": [figure(without.low), figure(without.high)]}
