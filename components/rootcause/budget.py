"""Where requests spend more time than usual: in a service's own work, or on the way to one of its callees.

The time of a span that no child covers belongs to its service; where all its children run in one other service the span
is the caller's view of a call, and the uncovered time is the wait for that callee that the callee itself does not see.
Excess is measured against the calmest quarter of the time, so that an incident may fill most of the spans and the
noticed time may be minutes off.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from components.rootcause.periods import Periods

_BIN_S = 30.0
#: A level lasts for a quarter of the time at least to count as usual.
_CALM = 0.25
_MIN_BINS, _MIN_CALLS = 3, 2
#: The slowest twentieth of an operation's spans is left out of its mean: one stuck request is no change.
_TRIM = 0.95
#: A mean that rises far more than the median tells of few slow requests and counts by this part.
_FEW = 0.3
_KEY = ("service", "name", "peer")
#: One number for the three: grouping by texts would take most of the time.
_NUMBER = pl.col("service").hash(1) ^ pl.col("name").hash(2) ^ pl.col("peer").fill_null("").hash(3)


@dataclass(frozen=True)
class Excess:
    """Time beyond the usual in the incident: `own_ms` of the service's own work, `wait_ms` of waits for or by it.

    share: of all excess time in the case; doublings: log2 of how many times as long as usual, weighted by excess.
    peer: the other side of the waits, None where there are several.
    """

    service: str
    own_ms: float
    wait_ms: float
    share: float
    doublings: float
    calls: int
    usual_ms: float
    peer: str | None = None

    @property
    def total_ms(self) -> float:
        return self.own_ms + self.wait_ms

    def turned(self) -> Excess:
        """The same wait as the other side's, where there is one."""
        return replace(self, service=self.peer, peer=self.service) if self.peer else self


def excesses(spans: pl.DataFrame, when: Periods) -> list[Excess]:
    """The services that requests spend more time in or around than usual, most excess first.

    spans: enriched (`tracing.enriched`). Operations seen in fewer than three half minutes are left out.
    """
    if spans.is_empty():
        return []
    at = when.noticed
    begin, end = at - when.lead_s / 2, min(when.end, at + when.horizon_s)
    timed = spans.select(*_KEY, "start_us", "rest_us").filter(
        pl.col("start_us") >= 1e6 * when.normal_start if np.isfinite(when.normal_start) else pl.lit(True)
    )
    timed = timed.with_columns(((pl.col("start_us") / 1e6 - at) / _BIN_S).floor().alias("bin"), _NUMBER.alias("number"))
    usual = timed.group_by("number", "bin").agg(_trimmed_mean(), pl.col("rest_us").median().alias("median"))
    usual = usual.group_by("number").agg(
        pl.col("mean").quantile(_CALM).alias("usual_mean"),
        pl.col("median").quantile(_CALM).alias("usual_median"),
        pl.len().alias("bins"),
    )
    during = timed.filter(pl.col("start_us") >= 1e6 * begin, pl.col("start_us") <= 1e6 * end)
    found = during.group_by("number").agg(
        pl.col(_KEY).first(), _trimmed_mean(), pl.col("rest_us").median().alias("median"), pl.len().alias("calls")
    )
    both = found.join(usual, on="number").filter(pl.col("calls") >= _MIN_CALLS, pl.col("bins") >= _MIN_BINS)
    rise = pl.col("mean") - pl.col("usual_mean")
    typical = 3 * (pl.col("median") - pl.col("usual_median")).clip(0.0) + _FEW * rise
    per_call = pl.min_horizontal(rise, typical).clip(0.0)
    rows = both.with_columns((per_call * pl.col("calls") / 1e3).alias("excess_ms"), per_call.alias("per_call"))
    return _blamed(rows.sort(_KEY).to_dicts())


def _trimmed_mean() -> pl.Expr:
    rest = pl.col("rest_us")
    return rest.filter(rest <= rest.quantile(_TRIM, "higher")).mean().alias("mean")


def _blamed(rows: list[dict]) -> list[Excess]:  # type: ignore[type-arg]
    """Own time belongs to the service; a wait to the callee, as far as neither the caller's other calls are as slow nor
    the callee's other callers as quick as ever."""
    total = sum(row["excess_ms"] for row in rows)
    parts: dict[str, list[tuple[float, bool, dict]]] = defaultdict(list)  # type: ignore[type-arg]
    waits = _waits(rows)
    for row in (row for row in rows if row["excess_ms"] > 0):
        service, peer = row["service"], row["peer"]
        if peer is None:
            parts[service].append((row["excess_ms"], True, row))
            continue
        callers = _callers_part(service, peer, waits)
        parts[service].append((row["excess_ms"] * callers, False, row))
        parts[peer].append((row["excess_ms"] * (1 - callers), False, row))
    found = [_excess(service, values, total) for service, values in parts.items()]
    return sorted(found, key=lambda item: (-item.total_ms, item.service))


def _callers_part(caller: str, callee: str, waits: dict[str, dict[str, float]]) -> float:
    """How much of a wait between two services is the caller's, 0 to 1.

    All of it where it waits as long for others; where others wait for the callee without trouble, too. Nothing where
    neither has anybody else: what is between two is then the callee's.
    """
    slow = waits[caller][callee]
    if slow <= 0:
        return 0.0
    for_others = [value for name, value in waits[caller].items() if name != callee]
    by_others = [found[callee] for name, found in waits.items() if name != caller and callee in found]
    told = [min(1.0, float(np.median(for_others)) / slow)] if for_others else []
    told += [1 - min(1.0, float(np.median(by_others)) / slow)] if by_others else []
    return float(np.mean(told)) if told else 0.0


def _waits(rows: list[dict]) -> dict[str, dict[str, float]]:  # type: ignore[type-arg]
    """Per caller and callee the mean excess wait of a call."""
    sums: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(lambda: [0.0, 0.0]))
    for row in rows:
        if row["peer"] is not None:
            entry = sums[row["service"]][row["peer"]]
            entry[0] += row["excess_ms"]
            entry[1] += row["calls"]
    return {caller: {callee: a / b for callee, (a, b) in found.items()} for caller, found in sums.items()}


def _excess(service: str, values: list[tuple[float, bool, dict]], total: float) -> Excess:  # type: ignore[type-arg]
    own = sum(ms for ms, is_own, _ in values if is_own)
    wait = sum(ms for ms, is_own, _ in values if not is_own)
    weight = max(own + wait, 1e-12)
    logs = [ms * float(np.log2(1 + row["per_call"] / max(row["usual_mean"], 1.0))) for ms, _, row in values]
    largest = max(values, key=lambda value: value[0])[2]
    sides = {
        row["peer"] if row["service"] == service else row["service"]
        for ms, is_own, row in values
        if not is_own and ms > 0
    }
    return Excess(
        service,
        own,
        wait,
        share=(own + wait) / total if total > 0 else 0.0,
        doublings=sum(logs) / weight,
        calls=int(largest["calls"]),
        usual_ms=float(largest["usual_mean"]) / 1e3,
        peer=next(iter(sides)) if len(sides) == 1 else None,
    )
