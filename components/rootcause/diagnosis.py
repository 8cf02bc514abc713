"""From a case to its ranked causes."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import polars as pl

from components.rootcause.abstention import Alarm, alarm, lasting, surprise
from components.rootcause.alerts import alert_groups, alert_scores
from components.rootcause.budget import excesses
from components.rootcause.case import Case
from components.rootcause.causes import Found, causes_of
from components.rootcause.changes import changes_of
from components.rootcause.deviation import Deviation, deviations
from components.rootcause.flow import volumes
from components.rootcause.graph import CallGraph, call_graph
from components.rootcause.logsignals import counted, log_changes
from components.rootcause.metricsignals import busier_services, filling, metric_signal
from components.rootcause.naming import sense
from components.rootcause.past import Past, described, recalled, reordered
from components.rootcause.paths import path_changes
from components.rootcause.periods import Periods, periods
from components.rootcause.raised import complaints
from components.rootcause.ranking import Standing, rank
from components.rootcause.series import series_of
from components.rootcause.signals import Signal, alert_signals, excess_signals, log_signals, path_signals
from components.rootcause.specs import ScorerParams
from components.rootcause.tracing import call_statistics, enriched, nested, span_metrics

_COUNT_SLOT_S = 300.0
#: Less than the hour by which clocks are ahead, so that a case cut just after the incident shows it.
_LONG_AFTER_H = 0.9
_SYMPTOMS = ("latency", "error")


@dataclass(frozen=True)
class Diagnosis:
    """The answer for one case; `elapsed_ms` is the only field that a repetition may change."""

    abstained: bool
    reason: str
    causes: list[dict[str, Any]]
    elapsed_ms: float
    standings: list[Standing] = field(default_factory=list)
    graph: CallGraph = field(default_factory=lambda: call_graph([]))
    when: Periods | None = None
    noticed: str | None = None

    def content(self) -> dict[str, Any]:
        """What `traceo diagnose` writes."""
        return {
            "abstained": self.abstained,
            "reason": self.reason,
            "causes": self.causes,
            "elapsed_ms": self.elapsed_ms,
        }


def diagnose(case: Case, params: ScorerParams, past: Past | None = None) -> Diagnosis:
    """Rank every service of a case by how likely it caused the incident; abstain where nothing is abnormal.

    past: what was learned from past incidents of the same system (`past.learned`) orders the services instead.
    """
    begun = time.perf_counter()
    when = periods(case.incident, params, case.first())
    spans = enriched(case.spans)
    graph = call_graph(_edges(case, spans))
    # Spans without parents are measurements of each service like any other.
    found = series_of(case.metrics) + series_of(span_metrics(spans), "spans" if nested(spans) else "metrics")
    moved = deviations(found, when)
    groups = alert_groups(case.alerts, graph)
    signals = _signals(case, spans, moved, when, params) + alert_signals(groups)
    noticed = case.incident.service
    flow = volumes(moved, graph, _symptom(case, signals), noticed)
    alerted = alert_scores(groups, complaints(case.alerts, graph), graph)
    changes = changes_of(case.changes)
    standings = rank(
        case.services(),
        signals,
        graph,
        noticed,
        changes,
        when,
        60 * params.change_before_min,
        flow,
        alerted,
    )
    abstained, reason = _verdict(case, signals, moved, standings, when, params, len(found))
    this = described("", case, standings) if past else None
    if past and this:
        standings = reordered(past, this, standings)
    known = Found(standings, moved, graph, changes, noticed, case.incident.metric, when, params)
    causes = [] if abstained else causes_of(known)
    if past and this and causes:
        causes[0]["evidence"].append(recalled(past, this, causes[0]["service"]))
    elapsed_ms = round(1000 * (time.perf_counter() - begun), 1)
    told = [reason, *case.notes, *(_doubts(case) if abstained else [])]
    return Diagnosis(abstained, "; ".join(told), causes, elapsed_ms, standings, graph, when, noticed)


def _doubts(case: Case) -> list[str]:
    """Why nothing may have been found: a clock that is ahead shows only in how long the samples go on."""
    first, last = case.first(), case.last()
    if first and first > case.incident.time:
        return ["all samples lie after the incident's time: check it, and whether their clock is ahead"]
    after_h = (last - case.incident.time).total_seconds() / 3600 if last else 0.0
    if after_h < _LONG_AFTER_H:
        return []
    return [f"samples go on for {after_h:.1f} h after the incident's time: check it, and whether their clock is ahead"]


def _edges(case: Case, spans: pl.DataFrame) -> list[tuple[str, str]]:
    given = case.calls.drop_nulls(["caller", "callee"]).select("caller", "callee").rows()
    alerted = case.alerts.filter(pl.col("signal") == "trace").drop_nulls(["service", "peer"]).select("service", "peer")
    seen = call_statistics(spans).select("caller", "callee").rows()
    return sorted({*given, *alerted.rows(), *seen})


def _signals(
    case: Case, spans: pl.DataFrame, moved: Sequence[Deviation], when: Periods, params: ScorerParams
) -> list[Signal]:
    """Every signal but those of alerts."""
    noticed_kind = sense(case.incident.metric).kind if case.incident.metric else None
    traced = nested(spans)
    filled, busier = filling(moved), busier_services(moved, params.min_deviation)
    signals = [
        metric_signal(
            item,
            params.min_deviation,
            noticed_kind,
            traced,
            filled.get((item.series.service, sense(item.series.metric).kind), 1.0),
            item.series.service in busier,
            (item.series.service, item.series.metric) == (case.incident.service, case.incident.metric),
        )
        for item in moved
    ]
    signals = [_as_noticed(signal, case, when) for signal in signals]
    signals += excess_signals(excesses(spans, when) if traced else [], signals)
    signals += path_signals(path_changes(spans, when), params.min_deviation)
    signals += log_signals(log_changes(counted(case.logs), when, 0.0), params.min_deviation)
    slots = log_signals(log_changes(case.log_counts, when, _COUNT_SLOT_S), params.min_deviation)
    # A slot says what was logged in five minutes, not when: its start may lie before the deployment that did it.
    return signals + [replace(signal, onset_s=math.nan) for signal in slots]


def _as_noticed(signal: Signal, case: Case, when: Periods) -> Signal:
    """A resource that the incident was noticed in speaks at least as loudly as it is surprising."""
    told = (case.incident.service, case.incident.metric)
    if not signal.internal or signal.deviation is None or (signal.service, signal.metric) != told:
        return signal
    bits = surprise(signal.deviation, when)
    if math.isnan(bits):
        return signal
    return replace(signal, strength=max(signal.strength, bits / 4), excess=max(signal.excess, bits / 4))


def _symptom(case: Case, signals: Sequence[Signal]) -> str:
    """What was noticed: latency or error, by the metric it was noticed in or else by the strongest such signal."""
    told = sense(case.incident.metric).kind if case.incident.metric else None
    if told in _SYMPTOMS:
        return told
    felt = [s for s in signals if s.kind in _SYMPTOMS and not s.internal]
    there = [s for s in felt if s.service == case.incident.service] or felt
    return max(there, key=lambda s: s.strength).kind if there else _SYMPTOMS[0]


def _verdict(
    case: Case,
    signals: list[Signal],
    moved: Sequence[Deviation],
    standings: Sequence[Standing],
    when: Periods,
    params: ScorerParams,
    series: int,
) -> tuple[bool, str]:
    if not moved and not signals:
        return True, (
            "no series has both a normal period and samples around the incident's time "
            f"({len(case.metrics)} metric samples, {len(case.spans)} spans)"
        )
    told = (case.incident.service, case.incident.metric)
    noticed = next((item for item in moved if (item.series.service, item.series.metric) == told), None)
    together = max((standing.strength for standing in standings), default=0.0)
    seen = alarm(signals, params.min_deviation, together, noticed, when, series)
    # Whoever raised the alerts has judged already.
    judged = not moved and not case.alerts.is_empty()
    if seen.found <= 0 or (params.abstain and not judged and not seen.abnormal):
        hint = lasting(moved, when, params.min_deviation)
        return True, f"nothing is more abnormal than usual: {_compared(seen, noticed)}{hint}"
    return False, _compared(seen, noticed)


def _compared(seen: Alarm, noticed: Deviation | None) -> str:
    text = f"the strongest signal is {2**seen.found:.3g} times the bar, normal windows reach {2**seen.usual:.2g}"
    if noticed is None or math.isnan(seen.noticed_bits):
        names = " and ".join(f"{signal.service} {signal.metric}" for signal in seen.stepped)
        return f"{text}; {names} never moved before and changed together" if names else text
    share = 2**-seen.noticed_bits
    return f"{text}; {noticed.series.service} {noticed.series.metric} does as much in {share:.1%} of normal windows"
