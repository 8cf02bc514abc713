"""Everything that speaks for a service, on one scale, whatever source it comes from.

The strength of a signal is log2 of how many times it passed what counts as abnormal: 0 is ordinary, 1 twice
the bar, 5 thirty-two times. The bar is `min_deviation` robust deviations or, where the series is noisier than
that on ordinary days, its own noise.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from components.rootcause.alerts import AlertGroup
from components.rootcause.budget import Excess
from components.rootcause.deviation import Deviation
from components.rootcause.logkinds import said
from components.rootcause.logsignals import LogChange
from components.rootcause.paths import PathChange
from components.rootcause.periods import Floats
from components.rootcause.tracing import MISSING_CALLS

#: Past this everything is simply broken, and more would only measure how constant the series was before.
MAX_STRENGTH = 4.0
_MAX_DOUBLINGS = 8.0
#: What so many calls alone show counts half: a handful of slow ones may be chance.
_FEW_CALLS = 2
#: That a template which came all the time comes more often is half the news.
_FAMILIAR = 0.5
#: Doublings from which a pool of connections is short.
_SHORT = 1.0
_LOG_WEIGHT = (0.15, 0.4, 1.0)


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


def strength(z: float, noise: float, min_deviation: float) -> float:
    """log2 of the excess over the bar, between 0 and MAX_STRENGTH."""
    return min(MAX_STRENGTH, doublings(z, noise, min_deviation))


def strengths(z: Floats, noise: float, min_deviation: float) -> Floats:
    """`strength` of many at once."""
    bar = max(min_deviation, noise)
    # Most windows are calm.
    if z.max() <= bar:
        return np.zeros(len(z))
    return np.clip(np.log2(np.maximum(z, bar) / bar), 0.0, MAX_STRENGTH)


def doublings(z: float, noise: float, min_deviation: float) -> float:
    """log2 of the excess over the bar, at least 0."""
    bar = max(min_deviation, noise)
    return math.log2(z / bar) if z > bar else 0.0


def excess_signals(excesses: Sequence[Excess], measured: Sequence[Signal] = ()) -> list[Signal]:
    """The signals of time that requests spend beyond the usual in or around a service.

    measured: the signals of metrics. A wait between two services is the caller's where its pool of connections is short
    and nothing of the callee's own moved: it waits for a connection, and the callee is never asked.
    """
    short = {s.service for s in measured if s.internal and s.kind == "database" and s.strength >= _SHORT}
    moved = {s.service for s in measured if s.internal and s.strength > 0}
    found = []
    for item in excesses:
        turned = item.wait_ms > item.own_ms and item.peer in short and item.service not in moved
        if item.total_ms > 0:
            found.append(_excess_signal(item.turned() if turned else item))
    return found


def _excess_signal(item: Excess) -> Signal:
    value = item.share * min(_MAX_DOUBLINGS, item.doublings) * item.calls / (item.calls + _FEW_CALLS)
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
        weight = _LOG_WEIGHT[change.gravity] * (1 - _FAMILIAR * change.seen)
        value = weight * strength(change.surprise, 0.0, min_deviation / 4)
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
