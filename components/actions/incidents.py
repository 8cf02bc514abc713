"""Incidents: rows of the lake table of that name, made from groups of events and from forecast failures."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

import polars as pl

from components.actions.events import ROW, Event
from components.actions.grouping import Group, detected_at
from components.actions.specs import CorrelateParams
from components.core.catalog import WatchedMetric
from components.core.changes import follows
from components.core.times import iso

# Kinds of metrics that callers of a service feel.
_FELT = ("error", "latency", "traffic")
_CHANGE_BEFORE = timedelta(hours=1)
_LISTED_LOGS, _LISTED_TRACES, _LISTED_SERIES = 3, 3, 3
_HARMLESS = "^(TRACE|DEBUG|INFO|NOTICE)"


def incident_id(*parts: object) -> str:
    """A short stable id of what started an incident."""
    return hashlib.sha256("\n".join(map(str, parts)).encode()).hexdigest()[:12]


def from_group(
    group: Group,
    as_of: datetime,
    params: CorrelateParams,
    catalog: dict[str, WatchedMetric],
    logs: pl.DataFrame,
    changes: pl.DataFrame,
) -> dict[str, Any] | None:
    """The incident of a group of events, or None where it is not enough to be one."""
    detected = detected_at(group, params.min_series, params.lone_rows, params.lone_score)
    if detected is None or detected > as_of or explained_by_load(group.events, catalog):
        return None
    quiet = group.end + timedelta(minutes=params.quiet_min)
    resolved = quiet if quiet <= as_of else None
    worst = max(group.events, key=lambda event: event.score)
    evidence = [_anomaly_evidence(event, changes) for event in group.events] + _log_evidence(group, logs)
    timeline = _timeline(group, detected, resolved, changes)
    return {
        "incident_id": incident_id("anomaly", group.events[0].service, group.events[0].metric, iso(group.start)),
        "status": "resolved" if resolved else "open",
        "severity": _severity(group.events, catalog),
        "title": _title(worst, group),
        "service": worst.service,
        "metric": worst.metric,
        "services": json.dumps(group.services),
        "started_at": group.start,
        "detected_at": detected,
        "updated_at": resolved or min(group.end, as_of),
        "resolved_at": resolved,
        "evidence": json.dumps(evidence),
        "timeline": json.dumps(timeline),
        "recommendation": _recommendation(worst.metric, catalog),
    }


def from_risks(
    risks: pl.DataFrame,
    previous: pl.DataFrame,
    as_of: datetime,
    params: CorrelateParams,
    catalog: dict[str, WatchedMetric],
) -> list[dict[str, Any]]:
    """Incidents of failures that are forecast: opened at one probability, withdrawn below a lower one.

    One that comes true stays open while the limit is passed, and one whose series cannot be judged stays as it is.
    Where a series is no longer forecast at all, its incident is closed with that reason.
    """
    ongoing = {
        (row["service"], row["metric"]): row
        for row in previous.iter_rows(named=True)
        if row["status"] == "open" and _is_forecast(row)
    }
    found = []
    for risk in risks.sort("service", "metric").iter_rows(named=True):
        known = ongoing.get((risk["service"], risk["metric"]))
        if risk["abstained"]:
            found += [{name: value for name, value in known.items() if name != "as_of"}] if known else []
            continue
        # A limit that was passed before anything was forecast is no forecast.
        probability = float(known is not None) if risk["already_crossed"] else _probability(risk, catalog)
        if known is None and probability < params.open_probability:
            continue
        found.append(_forecast_incident(risk, probability, known, as_of, params, catalog))
    judged = set(risks.select("service", "metric").iter_rows())
    return found + [_gone(row, as_of) for series, row in sorted(ongoing.items()) if series not in judged and judged]


def _gone(known: dict[str, Any], as_of: datetime) -> dict[str, Any]:
    """An open forecast whose series vanished: closed, and its timeline says why."""
    text = f"closed: {known['metric']} of {known['service']} is no longer reported"
    timeline = [*json.loads(known["timeline"]), {"time": iso(as_of), "text": text}]
    closed = {"status": "resolved", "updated_at": as_of, "resolved_at": as_of, "timeline": json.dumps(timeline)}
    return {**{name: value for name, value in known.items() if name != "as_of"}, **closed}


def explained_by_load(events: Sequence[Event], catalog: dict[str, WatchedMetric]) -> bool:
    """Whether more requests alone explain the events: traffic rose most of all, and nothing failed."""
    kinds = {event: catalog[event.metric].kind if event.metric in catalog else "" for event in events}
    surge = max((event.score for event in events if kinds[event] == "traffic" and event.rose), default=0.0)
    rest = [event for event in events if kinds[event] != "traffic"]
    return surge > 0 and all(kinds[event] != "error" and event.score < surge for event in rest)


def carried_over(
    previous: pl.DataFrame, current_ids: Iterable[str], oldest: datetime, ongoing: Sequence[Group], quiet: timedelta
) -> pl.DataFrame:
    """Earlier incidents that this look, which sees nothing before `oldest`, cannot find again.

    Withdrawn forecasts stay as they are. An anomaly that began before `oldest` stays open while a group of
    `ongoing` (those cut off at `oldest`) concerns its service, and is resolved when none does any more.
    """
    unseen = previous.filter(~pl.col("incident_id").is_in(list(current_ids)))
    rows = []
    for row in unseen.iter_rows(named=True):
        if _is_forecast(row):
            rows += [row] if row["status"] == "resolved" else []
        elif row["started_at"] < oldest:
            rows.append(_continued(row, oldest, ongoing, quiet))
    return pl.DataFrame(rows, schema=previous.schema)


def _continued(row: dict[str, Any], oldest: datetime, ongoing: Sequence[Group], quiet: timedelta) -> dict[str, Any]:
    if row["status"] == "resolved":
        return row
    ends = [group.end for group in ongoing if row["service"] in group.services]
    if ends:
        return {**row, "updated_at": max(*ends, row["updated_at"])}
    ended = max(row["updated_at"], oldest - quiet) + quiet
    return {**row, "status": "resolved", "updated_at": ended, "resolved_at": ended}


def _probability(risk: dict[str, Any], catalog: dict[str, WatchedMetric]) -> float:
    """P(failure) at the horizon that matters for this kind: three times its lead time, at least a day."""
    watched = catalog.get(risk["metric"])
    wanted = max(24.0, 3 * (watched.lead_time_h if watched and watched.lead_time_h else 56.0))
    horizons = [(h, risk[f"p_{h}h"]) for h in (24, 72, 168) if risk[f"p_{h}h"] is not None]
    within = [p for h, p in horizons if h <= max(wanted, 24)]
    return float(max(within, default=0.0))


def _forecast_incident(
    risk: dict[str, Any],
    probability: float,
    known: dict[str, Any] | None,
    as_of: datetime,
    params: CorrelateParams,
    catalog: dict[str, WatchedMetric],
) -> dict[str, Any]:
    started = known["started_at"] if known else as_of
    withdrawn = known is not None and probability < params.close_probability
    when = f" around {risk['limit_at_q50']:%a %d %b %H:%M} UTC" if risk["limit_at_q50"] else ""
    unit = catalog[risk["metric"]].unit if risk["metric"] in catalog else ""
    text = f"{risk['metric']} is {probability:.0%} likely to pass {risk['limit']:g} {unit}".rstrip() + when
    passed = f"{risk['metric']} has passed {risk['limit']:g} {unit}".rstrip()
    if risk["already_crossed"]:
        text = passed
    timeline = json.loads(known["timeline"]) if known else [{"time": iso(as_of), "text": f"forecast: {text}"}]
    if withdrawn:
        timeline.append({"time": iso(as_of), "text": f"forecast withdrawn: now {probability:.0%}"})
    if risk["already_crossed"] and not any(entry["text"] == passed for entry in timeline):
        timeline.append({"time": iso(as_of), "text": passed})
    soon = risk["already_crossed"] or (risk["p_24h"] or 0.0) >= params.open_probability
    evidence = {"kind": "forecast", "service": risk["service"], "metric": risk["metric"], "text": text}
    evidence |= {"start": iso(started), "end": iso(as_of), "score": probability}
    return {
        "incident_id": known["incident_id"]
        if known
        else incident_id("forecast", risk["service"], risk["metric"], iso(as_of)),
        "status": "resolved" if withdrawn else "open",
        "severity": "critical" if soon else "warning",
        "title": f"{risk['service']}: {text}",
        "service": risk["service"],
        "metric": risk["metric"],
        "services": json.dumps([risk["service"]]),
        "started_at": started,
        "detected_at": known["detected_at"] if known else as_of,
        "updated_at": as_of,
        "resolved_at": as_of if withdrawn else None,
        "evidence": json.dumps([evidence]),
        "timeline": json.dumps(timeline),
        "recommendation": _recommendation(risk["metric"], catalog),
    }


def _is_forecast(incident: dict[str, Any]) -> bool:
    return any(item["kind"] == "forecast" for item in json.loads(incident["evidence"])[:1])


def _severity(events: Sequence[Event], catalog: dict[str, WatchedMetric]) -> str:
    felt = [e for e in events if e.metric in catalog and catalog[e.metric].kind in _FELT]
    return "critical" if felt else "warning"


def _title(worst: Event, group: Group) -> str:
    others = len(group.series) - 1
    more = f" and {others} more series" if others else ""
    where = f" in {len(group.services)} services" if len(group.services) > 1 else ""
    return f"{worst.service}: {worst.metric} abnormal{more}{where}"


def _anomaly_evidence(event: Event, changes: pl.DataFrame) -> dict[str, Any]:
    followed = follows(changes.filter(pl.col("service") == event.service), event.start, ROW)
    text = ", ".join(filter(None, (event.reason or f"{event.metric} left its usual band", followed)))
    span = {"start": iso(event.start), "end": iso(event.end)}
    return {
        "kind": "anomaly",
        "service": event.service,
        "metric": event.metric,
        "text": text,
        "score": event.score,
        **span,
    }


def _log_evidence(group: Group, logs: pl.DataFrame) -> list[dict[str, Any]]:
    """The clusters of log templates that changed most at the incident's services meanwhile, those of trouble first."""
    near = logs.filter(
        pl.col("service").is_in(group.services),
        pl.col("timestamp") >= group.start - timedelta(minutes=5),
        pl.col("timestamp") < group.end,
    ).sort("timestamp")
    # A template may surge beside others from one slot to the next: its first cluster names it.
    cluster = pl.coalesce("cluster", "template_id").first().over("template_id").alias("cluster")
    totals = near.group_by("service", cluster, maintain_order=True).agg(
        pl.col("template", "change", "example").sort_by("count", descending=True, maintain_order=True).first(),
        pl.col("count", "expected").sum(),
        pl.col("timestamp").min(),
        pl.col("template_id").n_unique().alias("templates"),
        pl.col("trace_id").drop_nulls().unique(maintain_order=True).head(_LISTED_TRACES).alias("traces"),
        pl.col("series").drop_nulls(),
        (~pl.col("severity").str.to_uppercase().str.contains(_HARMLESS)).any().alias("trouble"),
    )
    surprise = (pl.col("count") * ((pl.col("count") + 1) / (pl.col("expected") + 1)).log()).alias("surprise")
    top = totals.with_columns(surprise).sort(
        ["trouble", "surprise", "service", "cluster"], descending=[True, True, False, False]
    )
    return [_log_item(row, group) for row in top.head(_LISTED_LOGS).iter_rows(named=True)]


def _log_item(row: dict[str, Any], group: Group) -> dict[str, Any]:
    usual = "never seen before" if row["change"] == "new" else f"{row['expected']:.1f} expected"
    alike = f", with {row['templates'] - 1} alike" if row["templates"] > 1 else ""
    moving = _moving(row["series"])
    with_them = f"; moves with {', '.join(moving)}" if moving else ""
    text = f"{row['count']} × “{row['template'][:160]}”{alike} ({usual}){with_them}"
    facts = {"kind": "log", "service": row["service"], "metric": "", "text": text, "score": row["surprise"]}
    span = {"start": iso(row["timestamp"]), "end": iso(group.end)}
    return {**facts, **span, "example": row["example"][:500], "traces": row["traces"], "series": moving}


def _moving(texts: Sequence[str]) -> list[str]:
    """The metrics that are most often said to move with the lines of a cluster."""
    told = Counter(one["metric"] for text in texts for one in json.loads(text))
    return [name for name, _ in told.most_common(_LISTED_SERIES)]


def _timeline(
    group: Group, detected: datetime, resolved: datetime | None, changes: pl.DataFrame
) -> list[dict[str, str]]:
    before = changes.filter(
        pl.col("service").is_in(group.services),
        pl.col("timestamp") >= group.start - _CHANGE_BEFORE,
        pl.col("timestamp") < group.end,
    )
    entries = [(row["timestamp"], f"{row['service']}: {row['what']}") for row in before.iter_rows(named=True)]
    entries += [(e.start, f"{e.service} {e.metric} abnormal: {e.reason or 'left its band'}") for e in group.events]
    entries.append((detected, "incident detected"))
    if resolved:
        entries.append((resolved, "quiet again: resolved"))
    return [{"time": iso(time), "text": text} for time, text in sorted(entries)]


def _recommendation(metric: str, catalog: dict[str, WatchedMetric]) -> str:
    return catalog[metric].recommendation if metric in catalog else ""
