"""What a series' deviation is worth as a signal: by direction, kind, newness, how near a limit, what else tells it."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

import numpy as np

from components.rootcause.deviation import Deviation
from components.rootcause.naming import Sense, sense
from components.rootcause.signals import Signal, clock, doublings, strength, strengths
from components.rootcause.tracing import ERROR_ORIGIN, OWN_TIME

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
#: What lasted already is little news.
_LASTED = 0.85
#: A utilization hurts as it nears its limit: at 30 % it may treble unnoticed.
_FULL_PERCENT = 80.0
_SHOWN = 100
_PERCENT = re.compile(r"%|percent|_pct|utili[sz]ation")


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
    """1 for what began with the incident, down to 0.15 for what was there for twenty minutes before in full.

    The same for what began before and was over before the incident was noticed: the tail of an earlier one.
    """
    now = strength(abs(item.z), item.noise, min_deviation)
    if now <= 0 or not len(item.before_z):
        return 1.0
    before = np.minimum(1.0, strengths(item.before_z, item.noise, min_deviation) / now)
    peak_z = abs(item.peak - item.median) / item.scale
    over = before[0] > 0 and item.late_z <= max(min_deviation, item.noise, peak_z / 3)
    return 1 - _LASTED * (1.0 if over else float(before.mean()) ** 2)


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


def _moved(item: Deviation) -> str:
    per = "/s" if item.rate else ""
    went = "rose" if item.z > 0 else "fell"
    began = f" from {clock(item.began_s)}" if not math.isnan(item.began_s) else ""
    return (
        f"{item.series.metric} {went} from {item.median:.4g}{per} to {item.peak:.4g}{per}{began}: "
        f"{abs(item.z):.1f} robust deviations, {item.noise:.1f} on ordinary days"
    )
