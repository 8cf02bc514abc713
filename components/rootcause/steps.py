"""The steps of the rootcause domain."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import polars as pl

from components.core.lake import Lake
from components.core.schema import TABLES
from components.core.step import StepIO
from components.core.times import Window, iso, parse_instant
from components.rootcause.case import COLUMNS, Case, Incident
from components.rootcause.diagnosis import Diagnosis
from components.rootcause.diagnosis import diagnose as diagnose_case
from components.rootcause.specs import DiagnoseParams, ScorerParams
from components.rootcause.tracing import call_statistics, linked, merged_calls

logger = logging.getLogger("traceo.rootcause")
#: Fine enough for onsets, coarse enough that 1-second sources stay small.
_RAW_STEP = "30s"
#: Incidents are timed by five-minute features; their start may be this much late or early.
_SLOT = timedelta(minutes=5)
#: Calls that nobody made for so long say nothing of an incident; the table keeps them.
_FORGOTTEN = timedelta(days=7)


def diagnose(io: StepIO, params: DiagnoseParams) -> dict[str, Any]:
    """Diagnose open incidents that changed, and resolved ones of the last hours that were never diagnosed.

    `elapsed_ms` is null in the lake: a rerun must write the same bytes, and a clock reading is not; it is logged.
    """
    lake = io.lake()
    as_of = parse_instant(params.as_of) if params.as_of else lake.watermark("metrics")
    if as_of is None:
        return _summary(io, {"as_of": None, "reason": "the lake holds no metrics yet"})
    calls = _calls(lake, as_of, params)
    lake.write_snapshot("calls", calls, as_of, producer=io.producer, params=io.params)
    incidents = lake.read_snapshot("incidents", as_of)
    previous = lake.read_snapshot("diagnoses", before=as_of)
    kept = previous.filter(pl.col("incident_id").is_in(incidents["incident_id"].to_list()))
    due = _due(incidents, kept, as_of, params)
    fresh = [_row(incident, _diagnosed(lake, incident, calls, as_of, params), as_of) for incident in due]
    table = _merged(kept, fresh)
    lake.write_snapshot("diagnoses", table, as_of, producer=io.producer, params=io.params)
    abstained = sum(row["abstained"] for row in fresh)
    counts = {"incidents": len(incidents), "diagnosed": len(fresh), "abstained": abstained}
    return _summary(io, {"as_of": iso(as_of), **counts, "carried_over": len(table) - len(fresh), "calls": len(calls)})


def _summary(io: StepIO, content: dict[str, Any]) -> dict[str, Any]:
    io.write_json("diagnosed", content)
    return content


def _calls(lake: Lake, as_of: datetime, params: DiagnoseParams) -> pl.DataFrame:
    """Who called whom in the last hours, with the first time each call was ever seen."""
    columns = list(COLUMNS["spans"])
    window = Window(as_of - timedelta(hours=params.graph_h), as_of)
    spans = lake.scan("spans", window).select(columns).sort("start_time", "trace_id", "span_id").collect()
    previous = lake.read_snapshot("calls", before=as_of)
    return merged_calls(call_statistics(linked(spans)), previous)


def _due(incidents: pl.DataFrame, known: pl.DataFrame, as_of: datetime, params: DiagnoseParams) -> list[dict[str, Any]]:
    """Incidents to diagnose now, newest first: changed since their diagnosis, or recent and without one."""
    joined = incidents.drop("as_of").join(known.select("incident_id", "diagnosed_at"), on="incident_id", how="left")
    recent = pl.col("started_at") >= as_of - timedelta(hours=params.resolved_h)
    never = pl.col("diagnosed_at").is_null() & ((pl.col("status") == "open") | recent)
    changed = pl.col("updated_at") > pl.col("diagnosed_at")
    due = joined.filter(never | changed).sort(["started_at", "incident_id"], descending=[True, False])
    return due.head(params.max_incidents).to_dicts()


def _diagnosed(
    lake: Lake, incident: Mapping[str, Any], calls: pl.DataFrame, as_of: datetime, params: DiagnoseParams
) -> Diagnosis:
    if _is_forecast(incident):
        return Diagnosis(True, "a forecast: nothing has happened yet that could have a cause", [], 0.0)
    case = _case(lake, incident, calls, as_of, params)
    found = diagnose_case(case, _scorer(incident, params))
    logger.info("incident %s: %d series rows in %.1f ms", incident["incident_id"], len(case.metrics), found.elapsed_ms)
    return found


def _scorer(incident: Mapping[str, Any], params: DiagnoseParams) -> ScorerParams:
    """The scorer's parameters, its window reaching from a slot before the start until the detection at least."""
    until_detected = (incident["detected_at"] - incident["started_at"] + _SLOT).total_seconds() / 60
    chosen = {name: getattr(params, name) for name in ScorerParams.model_fields}
    chosen["lead_s"] = max(params.lead_s, _SLOT.total_seconds())
    chosen["horizon_min"] = min(24 * 60.0, max(params.horizon_min, until_detected))
    return ScorerParams(**chosen)


def _case(
    lake: Lake, incident: Mapping[str, Any], calls: pl.DataFrame, as_of: datetime, params: DiagnoseParams
) -> Case:
    started = incident["started_at"]
    until = incident["detected_at"] + _SLOT + timedelta(minutes=params.horizon_min)
    window = Window(started - timedelta(hours=params.lookback_h), max(started, min(until, as_of)))
    return Case(
        Incident(started, incident["service"], incident["metric"]),
        metrics=_metrics(lake, window),
        calls=calls.filter(pl.col("last_seen") >= started - _FORGOTTEN).select("caller", "callee"),
        spans=_rows(lake, "spans", window, ["start_time", "trace_id", "span_id"]),
        log_counts=_rows(lake, "log_counts", window, ["timestamp", "service", "severity", "template"]),
        changes=_rows(lake, "changes", window, ["timestamp", "service", "what"]),
    )


def _metrics(lake: Lake, window: Window) -> pl.DataFrame:
    keys = ["timestamp", "service", "metric"]
    slots = lake.scan("metrics", window).with_columns(pl.col("timestamp").dt.truncate(_RAW_STEP))
    # Collected first: a lazy aggregation adds floats in an order of its own.
    rows = slots.sort(*keys, "value").collect()
    return rows.group_by(keys, maintain_order=True).agg(pl.col("value").mean()).sort(keys)


def _rows(lake: Lake, table: str, window: Window, order: list[str]) -> pl.DataFrame:
    return lake.scan(table, window).select(list(COLUMNS[table])).sort(order).collect().cast(dict(COLUMNS[table]))  # type: ignore[arg-type]


def _is_forecast(incident: Mapping[str, Any]) -> bool:
    return any(item.get("kind") == "forecast" for item in json.loads(incident["evidence"] or "[]")[:1])


def _row(incident: Mapping[str, Any], found: Diagnosis, as_of: datetime) -> dict[str, Any]:
    return {
        "incident_id": incident["incident_id"],
        "diagnosed_at": as_of,
        "abstained": found.abstained,
        "reason": found.reason,
        "causes": json.dumps(found.causes),
        "elapsed_ms": None,
    }


def _merged(kept: pl.DataFrame, fresh: list[dict[str, Any]]) -> pl.DataFrame:
    schema = {name: dtype for name, dtype in TABLES["diagnoses"].columns.items() if name != "as_of"}
    new = pl.DataFrame(fresh, schema=schema)
    old = kept.filter(~pl.col("incident_id").is_in(new["incident_id"].to_list())).select(list(schema))
    return pl.concat([old, new]).sort("incident_id")
