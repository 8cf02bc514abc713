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

import polars as pl

from components.rootcause.deviation import Deviation
from components.rootcause.logsignals import LogChange
from components.rootcause.naming import sense
from components.rootcause.tracing import ERROR_ORIGIN, OWN_TIME

#: Past this everything is simply broken, and more would only measure how constant the series was before.
MAX_STRENGTH = 4.0
#: Signals that move in the harmless direction (load that falls with the traffic) are mostly consequences. Where the
#: catalogue itself says which direction hurts they are no evidence at all: a disk that log rotation empties.
_HARMLESS_BY_NAME = 0.3
_TRAFFIC, _SHARED, _UNKNOWN = 0.5, 0.6, 0.8
_FELT = ("latency", "error", "traffic")
#: Slow services do not explain errors as well as failing ones do, nor the other way round.
_OTHER_SYMPTOM = 0.5
_LOG_WEIGHT = (0.35, 0.6, 1.0)


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


def metric_signal(item: Deviation, min_deviation: float, noticed_kind: str | None) -> Signal:
    """The signal of a series' deviation; `noticed_kind` is what the metric measures where it was noticed."""
    series, meaning = item.series, sense(item.series.metric)
    spans = series.source == "spans"
    kind = "error" if series.metric == ERROR_ORIGIN else "latency" if spans else meaning.kind
    internal = meaning.internal and not spans
    harmful = "above" if spans else meaning.bad
    rising = item.z > 0
    hurts = harmful == "both" or rising == (harmful == "above")
    weight = 1.0 if hurts else 0.0 if meaning.listed and not spans else _HARMLESS_BY_NAME
    weight *= _TRAFFIC if kind == "traffic" else _UNKNOWN if kind == "unknown" else 1.0
    weight *= _SHARED if meaning.shared else 1.0
    if noticed_kind in _FELT and kind in _FELT and kind != noticed_kind:
        weight *= _OTHER_SYMPTOM
    # A series that was there for a small part of the normal period has shown little of its range.
    weight *= math.sqrt(item.coverage)
    return Signal(
        series.service,
        series.metric,
        kind,
        series.source,
        weight * strength(abs(item.z), item.noise, min_deviation),
        internal,
        own=internal or series.metric in (OWN_TIME, ERROR_ORIGIN),
        rising=rising,
        onset_s=item.onset_s,
        text=_moved(item),
        weight=weight,
        excess=weight * doublings(abs(item.z), item.noise, min_deviation),
        deviation=item,
    )


def strength(z: float, noise: float, min_deviation: float) -> float:
    """log2 of the excess over the bar, between 0 and MAX_STRENGTH."""
    return min(MAX_STRENGTH, doublings(z, noise, min_deviation))


def doublings(z: float, noise: float, min_deviation: float) -> float:
    """log2 of the excess over the bar, at least 0."""
    bar = max(min_deviation, noise)
    return math.log2(z / bar) if z > bar else 0.0


def log_signals(changes: Sequence[LogChange], min_deviation: float) -> list[Signal]:
    """The signals of log templates that are new or multiplied."""
    found = []
    for change in changes:
        value = _LOG_WEIGHT[change.gravity] * strength(change.surprise, 0.0, min_deviation / 2)
        usual = "never seen in the normal period" if not change.expected else f"{change.expected:.1f} expected"
        text = f"{change.count} log lines “{change.template[:120]}” ({usual}), first at {clock(change.first_s)}"
        kind = "error" if change.gravity == 2 else "unknown"
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


def alert_signals(alerts: pl.DataFrame) -> list[Signal]:
    """The signals of alerts: one each, weaker the more services raise the same one.

    A trace alert with a peer tells of a call from `service` to `peer`; it speaks against the one called.
    """
    if alerts.is_empty():
        return []
    clean = alerts.with_columns(pl.col("signal", "name", "direction").fill_null(""))
    rows = clean.unique(["service", "signal", "name", "direction", "peer"], maintain_order=True).to_dicts()
    raised: dict[tuple[str, str], set[str]] = {}
    for row in rows:
        raised.setdefault((row["signal"], row["name"]), set()).add(row["service"])
    services = len({row["service"] for row in rows})
    return [_alert(row, len(raised[row["signal"], row["name"]]), services) for row in rows]


def _alert(row: dict[str, object], raised_by: int, services: int) -> Signal:
    name, peer = str(row["name"]), row["peer"]
    meaning = sense(name)
    kind = meaning.kind
    if row["signal"] == "trace":
        kind = "error" if sense(name).kind == "error" else "latency"
    elif row["signal"] == "log":
        kind = "error"
    rarity = math.log2((services + 1) / raised_by) + 0.25
    blamed = str(peer) if row["signal"] == "trace" and peer else str(row["service"])
    at = row["timestamp"]
    about = f" of calls from {row['service']}" if blamed != row["service"] else ""
    others = f", also raised by {raised_by - 1} other services" if raised_by > 1 else ""
    return Signal(
        blamed,
        name,
        kind,
        "alerts",
        min(MAX_STRENGTH, rarity),
        internal=row["signal"] == "metric" and meaning.internal,
        own=row["signal"] == "log",
        rising=row["direction"] != "down",
        onset_s=at.timestamp() if isinstance(at, datetime) else float("nan"),
        text=f"{row['signal'] or 'an'} alert {name} {row['direction']}".rstrip() + about + others,
        excess=min(MAX_STRENGTH, rarity),
    )


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
