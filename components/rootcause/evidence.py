"""Why a service is ranked where it is, in words and numbers, and what kind of cause it is."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

from components.core.times import iso, parse_instant
from components.rootcause.changes import Change, Effect
from components.rootcause.deviation import Deviation
from components.rootcause.graph import CallGraph
from components.rootcause.naming import KINDS, sense
from components.rootcause.ranking import Standing
from components.rootcause.signals import Signal, clock

_LISTED = 4
_HYPOTHESES = 3
#: What a signal's kind is called in a cause.
_NAMES = {kind: kind for kind in KINDS} | {"queue": "latency"}
#: Weight of a service's own resources when the kind of cause is told.
_OWN_RESOURCE = 1.5
#: Busy threads count as the processor's trouble only in part: they may as well wait for something slow.
_MAY_WAIT = 0.5
_FAILED = 0.5
_UNITS = (
    (r"percent|_pct|%", " %"),
    (r"_ms$|\(ms\)|milliseconds?$", " ms"),
    (r"_us$|microseconds?$", " µs"),
    (r"_seconds$|\(s\)", " s"),
)


def kind_of(standing: Standing, effect: Effect | None = None) -> str:
    """What kind of cause a service's signals speak for; a change shortly before decides by what was changed.

    effect: what the change did, where that could be tested.
    """
    if _decided_by_change(standing, effect) and standing.change:
        return standing.change.kind
    weights = kind_weights(standing)
    return max(sorted(weights), key=lambda kind: weights[kind][0], default="unknown")


def _decided_by_change(standing: Standing, effect: Effect | None) -> bool:
    return bool(standing.change and standing.signals and not (effect and effect.quiet_s))


def kind_weights(standing: Standing) -> dict[str, tuple[float, Signal]]:
    """How much speaks for each kind, with the signal that says most; own resources go before what callers feel.

    The words of a log line (`logkinds`) count like a metric; a line that tells of a failure alone, half as much.
    """
    telling = [s for s in standing.signals if s.kind in _NAMES] or list(standing.signals)
    weights: dict[str, tuple[float, Signal]] = {}
    for signal in telling:
        waiting = signal.source != "logs" and sense(signal.metric).threads
        kind = _waiting_kind(telling) if waiting else _NAMES.get(signal.kind, "unknown")
        own = signal.internal or signal.kind == "queue"
        weight = signal.excess * (_OWN_RESOURCE if own else 1.0) * (_MAY_WAIT if waiting else 1.0)
        weight *= _FAILED if signal.source in ("logs", "alerts") and kind == "error" else 1.0
        if kind not in weights or weight > weights[kind][0]:
            weights[kind] = weight, signal
    return weights


def kinds_compared(standing: Standing, effect: Effect | None = None) -> list[dict[str, Any]]:
    """The evidence for the kind: whether a change decides it, and the share and strongest signal of each kind."""
    weights = kind_weights(standing)
    total = sum(weight for weight, _ in weights.values())
    if total <= 0 or (len(weights) < 2 and not standing.change):
        return []
    ordered = sorted(weights.items(), key=lambda item: (-item[1][0], item[0]))
    told = [f"{kind} {weight / total:.0%} ({signal.metric})" for kind, (weight, signal) in ordered if weight > 0]
    shares = {kind: round(weight / total, 3) for kind, (weight, _) in ordered if weight > 0}
    item = {"type": "kind", "text": f"what speaks for its kind: {', '.join(told)}", "shares": shares}
    if _decided_by_change(standing, effect) and standing.change:
        text = f"its kind is that of the change, {standing.change.kind}; {item['text']}"
        item |= {"text": text, "by": "change", "change": standing.change.kind}
    return [item]


def _waiting_kind(signals: Sequence[Signal]) -> str:
    """Busy threads compute where the processor is busy too, and wait otherwise."""
    busy = any(s.kind == "cpu" and s.excess > 0 and not sense(s.metric).threads for s in signals)
    return "cpu" if busy else "latency"


def metric_of(standing: Standing, kind: str) -> str | None:
    """The metric that shows the cause best: the strongest signal of its kind, else the strongest at all."""
    measured = [s for s in standing.signals if s.source != "logs"]
    same = [s for s in measured if _NAMES.get(s.kind) == kind]
    chosen = same or measured or standing.signals
    return max(chosen, key=lambda s: s.excess).metric if chosen else None


def evidence(
    standing: Standing,
    metric: str | None,
    effect: Effect | None,
    standings: Sequence[Standing],
    graph: CallGraph,
    noticed: str | None,
) -> list[dict[str, Any]]:
    """What speaks for a cause: the change before it, its metric, other signals, its place, and hypotheses refuted."""
    ordered = sorted(standing.signals, key=lambda signal: signal.metric != metric)
    items = [_moved(signal) for signal in ordered[:_LISTED]]
    if standing.change and standing.signals:
        items.insert(0, _changed(standing, effect))
    items += _place(standing, graph, noticed)
    if standings and standings[0].service == standing.service:
        items += refuted(standing, standings, graph)
    if not items:
        items.append({"type": "nothing", "text": "nothing abnormal was seen in this service"})
    return items


def refuted(best: Standing, standings: Sequence[Standing], graph: CallGraph) -> list[dict[str, Any]]:
    """Why the next services are less likely than the best one."""
    others = [s for s in standings if s.service != best.service and s.strength > 0]
    return [
        {"type": "refuted", "service": other.service, "text": _refutation(other, best)}
        for other in others[:_HYPOTHESES]
    ]


def _refutation(other: Standing, best: Standing) -> str:
    if other.explained_by and other.explained >= 0.5:
        return f"{other.service} deviates too but its callee {other.explained_by} explains it"
    if best.distance is not None and other.distance is None:
        return f"{other.service} deviates too but the noticed service does not call it, directly or indirectly"
    if best.change and not other.change:
        return f"{other.service} deviates too but was not changed before, {best.service} was"
    if best.first and not other.first:
        return f"{other.service} deviates too but later than {best.service}"
    return f"{other.service} deviates less ({other.strength:.1f} against {best.strength:.1f} doublings of the bar)"


def _moved(signal: Signal) -> dict[str, Any]:
    item: dict[str, Any] = {"type": signal.source, "metric": signal.metric, "text": signal.text}
    item["strength"] = round(signal.strength, 3)
    if signal.deviation:
        found = signal.deviation
        item |= {"usual": figure(found.median), "peak": figure(found.peak), "deviations": figure(found.z)}
    began_s = signal.deviation.began_s if signal.deviation else signal.onset_s
    if not math.isnan(began_s):
        item["start"] = iso(parse_instant(began_s))
    return item


def _changed(standing: Standing, effect: Effect | None) -> dict[str, Any]:
    change = standing.change
    assert change is not None
    text = f"“{change.what}” at {clock(change.at_s)}, before it"
    item: dict[str, Any] = {"type": "change", "start": iso(parse_instant(change.at_s)), "what": change.what}
    if effect is None or standing.measured is None:
        return {**item, "text": text + "; too few samples for a before and after"}
    text += (
        f": {standing.measured.series.metric} {effect.before:.4g} before, {effect.after:.4g} after,"
        f" a difference of {effect.after - effect.before:.4g} ({effect.low:.4g} to {effect.high:.4g}, 95 %)"
    )
    if effect.quiet_s:
        text += f"; but nothing moved for {effect.quiet_s / 60:.0f} minutes after it, so that it hardly did this"
    return {**item, "text": text, "effect": [figure(effect.low), figure(effect.high)]}


def remedied(remedy: Change, item: Deviation, effect: Effect) -> dict[str, Any]:
    """What a change after the onset did: an intervention that somebody made."""
    text = (
        f"“{remedy.what}” at {clock(remedy.at_s)}, after it began: {item.series.metric} {effect.before:.4g} before, "
        f"{effect.after:.4g} after, a difference of {effect.after - effect.before:.4g} "
        f"({effect.low:.4g} to {effect.high:.4g}, 95 %)"
    )
    start = iso(parse_instant(remedy.at_s))
    return {
        "type": "remediation",
        "start": start,
        "what": remedy.what,
        "text": text,
        "effect": [figure(effect.low), figure(effect.high)],
    }


def _place(standing: Standing, graph: CallGraph, noticed: str | None) -> list[dict[str, Any]]:
    found = []
    if not standing.signals:
        return []
    if standing.distance:
        text = f"{noticed} reaches it in {standing.distance} call{'s' if standing.distance > 1 else ''}"
        found.append({"type": "graph", "text": f"{text}, so that it can explain what was noticed there"})
    if standing.explained_by and standing.explained >= 0.5:
        text = f"its callee {standing.explained_by} deviates too and explains what its callers feel"
        found.append({"type": "graph", "text": text})
    elif graph.callees_of(standing.service):
        found.append({"type": "graph", "text": "none of its callees deviates enough to explain it"})
    if standing.first:
        found.append({"type": "onset", "text": "it was the first to deviate"})
    return found


def amount(metric: str, value: float) -> str:
    """A value with the unit that the metric's name tells: ratios as percentages, seconds and milliseconds as such."""
    name = metric.lower()
    if name.endswith("ratio"):
        return f"{100 * value:.3g} %"
    unit = next((unit for pattern, unit in _UNITS if re.search(pattern, name)), "")
    return f"{value:.4g}{unit}"


def figure(value: float) -> float:
    """Six significant digits: more would only record the order of additions."""
    return float(f"{value:.6g}")
