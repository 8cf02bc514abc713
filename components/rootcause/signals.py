"""Everything that speaks for a service, on one scale, whatever source it comes from.

The strength of a signal is log2 of how many times it passed what counts as abnormal: 0 is ordinary, 1 twice
the bar, 5 thirty-two times. The bar is `min_deviation` robust deviations or, where the series is noisier than
that on ordinary days, its own noise.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from components.rootcause.alerts import AlertGroup
from components.rootcause.budget import Excess
from components.rootcause.deviation import Deviation
from components.rootcause.logkinds import said
from components.rootcause.logsignals import LogChange
from components.rootcause.naming import Sense, sense
from components.rootcause.paths import PathChange
from components.rootcause.periods import Floats
from components.rootcause.tracing import ERROR_ORIGIN, MISSING_CALLS, OWN_TIME

#: Past this everything is simply broken, and more would only measure how constant the series was before.
MAX_STRENGTH = 4.0
_MAX_DOUBLINGS = 8.0
#: Signals that move in the harmless direction (load that falls with the traffic) are mostly consequences. Where the
#: catalogue itself says which direction hurts they are no evidence at all: a disk that log rotation empties.
_HARMLESS_BY_NAME = 0.3
_TRAFFIC, _SHARED, _UNKNOWN, _LOAD = 0.5, 0.6, 0.8, 0.3
#: What spans tell request by request, summaries of the same requests repeat with more noise.
_SUMMARY_OF_SPANS = 0.3
_FELT = ("latency", "error", "traffic")
#: Slow services do not explain errors as well as failing ones do, nor the other way round.
_OTHER_SYMPTOM = 0.5
_FOLLOWS_TRAFFIC = 0.5
#: A template that came in a tenth of the earlier slots is known; that it comes more often is half the news.
_FAMILIAR = 0.1
#: What lasted already is little news.
_LASTED = 0.85
_LOG_WEIGHT = (0.15, 0.4, 1.0)
#: A utilization hurts as it nears its limit: at 30 % it may treble unnoticed.
_FULL_PERCENT = 80.0
_SHOWN = 100
_PERCENT = re.compile(r"%|percent|_pct|utili[sz]ation")


@dataclass(frozen=True)
class Signal:
    """One thing that moved; `own` means that no callee can be behind it.

    strength: weighted and capped, for ranking; excess: doublings of the bar without cap, for telling kinds apart.
    """

    service: str
    metric: str
    kind: str
    source: str
    strength: float
    internal: bool
    own: bool
    rising: bool
    onset_s: float
    text: str
    weight: float = 1.0
    excess: float = 0.0
    deviation: Deviation | None = None


def metric_signal(
    item: Deviation,
    min_deviation: float,
    noticed_kind: str | None,
    traced: bool = False,
    filled: float = 1.0,
    busier: bool = False,
    noticed: bool = False,
) -> Signal:
    """The signal of a series' deviation.

    noticed_kind: what the metric measures where it was noticed; traced: spans tell of the case's requests.
    filled: how near its limit the service's resource of this kind came, 0 to 1 (`filling`); busier: the service got
    unusually many requests, which resources follow; noticed: this is the series the incident was noticed in.
    """
    series, meaning = item.series, sense(item.series.metric)
    spans = series.source == "spans"
    kind = "error" if series.metric == ERROR_ORIGIN else "latency" if spans else meaning.kind
    internal = meaning.internal and not spans
    weight = _weight(item, meaning, kind, noticed_kind, spans, traced, filled)
    # What was noticed may have grown for long: it counts in full however late.
    weight *= 1.0 if noticed else _newness(item, min_deviation)
    weight *= _FOLLOWS_TRAFFIC if busier and internal and item.z > 0 else 1.0
    return Signal(
        series.service,
        series.metric,
        kind,
        series.source,
        weight * strength(abs(item.z), item.noise, min_deviation),
        internal,
        own=internal or series.metric in (OWN_TIME, ERROR_ORIGIN),
        rising=item.z > 0,
        onset_s=item.onset_s,
        text=_moved(item),
        weight=weight,
        excess=weight * doublings(abs(item.z), item.noise, min_deviation),
        deviation=item,
    )


def _weight(
    item: Deviation, meaning: Sense, kind: str, noticed_kind: str | None, spans: bool, traced: bool, filled: float
) -> float:
    harmful = "above" if spans else meaning.bad
    hurts = harmful == "both" or (item.z > 0) == (harmful == "above")
    weight = 1.0 if hurts else 0.0 if meaning.listed and not spans else _HARMLESS_BY_NAME
    weight *= _TRAFFIC if kind == "traffic" else _UNKNOWN if kind == "unknown" else 1.0
    weight *= _SHARED if meaning.shared else 1.0
    weight *= _LOAD if meaning.load else 1.0
    if (traced and not meaning.internal) or (spans and item.series.metric != ERROR_ORIGIN):
        weight *= _SUMMARY_OF_SPANS
    if noticed_kind in _FELT and kind in _FELT and kind != noticed_kind:
        weight *= _OTHER_SYMPTOM
    if meaning.internal and not spans and not meaning.listed:
        weight *= filled
    # A series that was there for a small part of the normal period has shown little of its range; one that never
    # moved in few samples has not shown that it does not.
    return weight * math.sqrt(item.coverage) * (min(1.0, item.samples / _SHOWN) if item.constant else 1.0)


def _newness(item: Deviation, min_deviation: float) -> float:
    """1 for what began with the incident, down to 0.15 for what was there just before in full."""
    now, before = strength(abs(item.z), item.noise, min_deviation), 0.0
    if item.before_z * item.z > 0:
        before = strength(abs(item.before_z), item.noise, min_deviation)
    return 1 - _LASTED * min(1.0, before / now) if now > 0 else 1.0


def filling(moved: Sequence[Deviation]) -> dict[tuple[str, str], float]:
    """How near its limit each (service, kind of resource) came by its percentages; those without any are left out."""
    found: dict[tuple[str, str], float] = {}
    for item in moved:
        if item.series.source == "metrics" and _is_percent(item):
            key = item.series.service, sense(item.series.metric).kind
            found[key] = max(found.get(key, 0.0), min(1.0, max(0.0, item.peak) / _FULL_PERCENT))
    return found


def busier_services(moved: Sequence[Deviation], min_deviation: float) -> set[str]:
    """The services whose traffic rose beyond the bar."""
    return {
        item.series.service
        for item in moved
        if sense(item.series.metric).kind == "traffic" and item.z > max(min_deviation, item.noise)
    }


def _is_percent(item: Deviation) -> bool:
    values = item.series.values
    named = _PERCENT.search(item.series.metric.lower()) is not None
    return named and float(values.min()) >= 0 and 1.5 < float(values.max()) <= 110


def strength(z: float, noise: float, min_deviation: float) -> float:
    """log2 of the excess over the bar, between 0 and MAX_STRENGTH."""
    return min(MAX_STRENGTH, doublings(z, noise, min_deviation))


def strengths(z: Floats, noise: float, min_deviation: float) -> Floats:
    """`strength` of many at once."""
    bar = max(min_deviation, noise)
    return np.clip(np.log2(np.maximum(z, bar) / bar), 0.0, MAX_STRENGTH)


def doublings(z: float, noise: float, min_deviation: float) -> float:
    """log2 of the excess over the bar, at least 0."""
    bar = max(min_deviation, noise)
    return math.log2(z / bar) if z > bar else 0.0


def excess_signals(excesses: Sequence[Excess]) -> list[Signal]:
    """The signals of time that requests spend beyond the usual in or around a service."""
    return [_excess_signal(item) for item in excesses if item.total_ms > 0]


def _excess_signal(item: Excess) -> Signal:
    value = item.share * min(_MAX_DOUBLINGS, item.doublings)
    inside = item.own_ms >= item.wait_ms
    where = "in its own work" if inside else f"waiting between it and {item.peer or 'its neighbours'}"
    return Signal(
        item.service,
        "span_own_time" if inside else "span_wait",
        "latency" if inside else "network",
        "spans",
        value,
        internal=False,
        own=True,
        rising=True,
        onset_s=math.nan,
        text=f"{item.share:.0%} of all time that requests take beyond the usual is spent {where}: "
        f"{2**item.doublings:.3g} times as long as in the calmest quarter of the time ({item.usual_ms:.3g} ms a call)",
        excess=value,
    )


def path_signals(changes: Sequence[PathChange], min_deviation: float) -> list[Signal]:
    """The signals of operations that stop short of the calls they usually make.

    Nobody was called in those requests, so that no callee can be behind it.
    """
    found = [
        Signal(
            change.service,
            MISSING_CALLS,
            "code",
            "spans",
            strength(change.surprise, change.noise, min_deviation),
            internal=False,
            own=True,
            rising=False,
            onset_s=change.first_s,
            text=f"{change.operation} calls on in {change.share:.0%} of {change.spans} requests instead of "
            f"{change.usual:.0%}: the rest ends early",
            excess=doublings(change.surprise, change.noise, min_deviation),
        )
        for change in changes
    ]
    return [signal for signal in found if signal.strength > 0]


def log_signals(changes: Sequence[LogChange], min_deviation: float) -> list[Signal]:
    """The signals of log templates that are new or multiplied."""
    found = []
    for change in changes:
        familiar = min(1.0, change.seen / _FAMILIAR)
        value = _LOG_WEIGHT[change.gravity] * (1 - 0.5 * familiar) * strength(change.surprise, 0.0, min_deviation / 4)
        usual = "not usual before" if not change.expected else f"{change.expected:.1f} expected"
        text = f"{change.count} log lines “{change.template[:120]}” ({usual}), first at {clock(change.first_s)}"
        told = said(change.template) if change.gravity else None
        kind = told or ("error" if change.gravity == 2 else "unknown")
        found.append(
            Signal(
                change.service,
                f"log:{change.template[:80]}",
                kind,
                "logs",
                value,
                internal=False,
                own=change.gravity == 2 and not change.expected,
                rising=True,
                onset_s=change.first_s,
                text=text,
                excess=value,
            )
        )
    return [signal for signal in found if signal.strength > 0]


def alert_signals(groups: Sequence[AlertGroup]) -> list[Signal]:
    """The signals of alerts, one per kind and direction."""
    return [
        Signal(
            group.service,
            group.names[0] if group.names else group.kind,
            group.kind,
            "alerts",
            group.weight,
            group.internal,
            own=group.internal,
            rising=group.rising,
            onset_s=group.at_s,
            text=_alerted(group),
            excess=group.weight,
        )
        for group in groups
    ]


def _alerted(group: AlertGroup) -> str:
    shown = ", ".join(group.names[:3]) + (f" and {len(group.names) - 3} more" if len(group.names) > 3 else "")
    way = "" if group.source != "metric" else " up" if group.rising else " down"
    return f"{group.source} alerts{way}: {shown}"


def clock(seconds: float) -> str:
    """An instant as 2026-01-31 12:00:05 UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _moved(item: Deviation) -> str:
    per = "/s" if item.rate else ""
    went = "rose" if item.z > 0 else "fell"
    began = f" from {clock(item.onset_s)}" if not math.isnan(item.onset_s) else ""
    return (
        f"{item.series.metric} {went} from {item.median:.4g}{per} to {item.peak:.4g}{per}{began}: "
        f"{abs(item.z):.1f} robust deviations, {item.noise:.1f} on ordinary days"
    )
