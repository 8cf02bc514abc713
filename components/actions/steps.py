"""The steps: findings to incidents, incidents to alerts."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import polars as pl

from components.actions import alerting, incidents
from components.actions.events import find_events
from components.actions.grouping import group_events, neighbourhood
from components.actions.specs import AlertParams, CorrelateParams
from components.core.catalog import load_catalog
from components.core.lake import Lake
from components.core.schema import TABLES
from components.core.settings import settings, without_credentials
from components.core.step import StepIO
from components.core.times import Window


def correlate(io: StepIO, params: CorrelateParams) -> dict[str, Any]:
    """Write the incidents as they stand at `as_of`."""
    lake = io.lake()
    as_of = params.as_of or lake.watermark()
    if as_of is None:
        return _finish(io, "correlated", {"incidents": 0, "reason": "the lake is empty"})
    if as_of in lake.snapshots("incidents"):
        return _finish(io, "correlated", _counts(lake.read_snapshot("incidents", as_of), as_of))
    table = _current(lake, as_of, params)
    lake.write_snapshot("incidents", table, as_of, producer=io.producer, params=io.params)
    return _finish(io, "correlated", _counts(table, as_of))


def alert(io: StepIO, params: AlertParams) -> dict[str, Any]:
    """Send open incidents, and resolved ones until their end has been delivered once."""
    lake = io.lake()
    as_of = params.as_of or lake.watermark()
    url = settings().alertmanager_url
    if as_of is None or not url:
        reason = "the lake is empty" if as_of is None else "TRACEO_ALERTMANAGER_URL is not set"
        return _finish(io, "alerted", {"sent": 0, "reason": reason})
    told = lake.read_snapshot("alerts", before=as_of)
    closed = set(told.filter(pl.col("delivered"), pl.col("status") == "resolved")["incident_id"])
    due = lake.read_snapshot("incidents", as_of).filter(~pl.col("incident_id").is_in(list(closed)))
    causes = alerting.causes_by_incident(lake.read_snapshot("diagnoses", as_of).to_dicts())
    page = settings().console_address + "/"
    hold = timedelta(minutes=params.hold_min)
    rows = due.to_dicts()
    alerts = [alerting.payload(row, causes.get(row["incident_id"], []), as_of, hold, page) for row in rows]
    token = settings().alertmanager_token
    problem = alerting.post(url, token.get_secret_value() if token else None, alerts) if alerts else ""
    _note(io, lake, rows, told, as_of, url, problem)
    return _finish(io, "alerted", {"sent": len(alerts), "delivered": not problem, "reason": problem})


def _current(lake: Lake, as_of: datetime, params: CorrelateParams) -> pl.DataFrame:
    window = Window(as_of - timedelta(hours=params.lookback_h), as_of)
    catalog = load_catalog()
    previous = lake.read_snapshot("incidents", before=as_of)
    gap = timedelta(minutes=params.join_gap_min)
    events = find_events(lake.scan("anomalies", window).filter(pl.col("is_anomaly")).collect(), gap)
    calls = lake.read_snapshot("calls", as_of)
    groups = group_events(events, neighbourhood(calls.select("caller", "callee").iter_rows()), gap)
    logs = lake.read("log_changes", window)
    changes = lake.read("changes", window)
    older = set(previous.filter(pl.col("status") == "open", pl.col("started_at") < window.start)["service"])
    cut = [g for g in groups if g.start < window.start + gap and older & set(g.services)]
    whole = [group for group in groups if group not in cut]
    found = [incidents.from_group(group, as_of, params, catalog, logs, changes) for group in whole]
    rows = [row for row in found if row]
    rows += incidents.from_risks(lake.read_snapshot("risks", as_of), previous, as_of, params, catalog)
    schema = {name: dtype for name, dtype in TABLES["incidents"].columns.items() if name != "as_of"}
    table = pl.DataFrame(rows, schema=schema)
    quiet = timedelta(minutes=params.quiet_min)
    kept = incidents.carried_over(previous, table["incident_id"], window.start, cut, quiet).select(list(schema))
    return pl.concat([kept, table]).sort("started_at", "incident_id")


def _note(
    io: StepIO, lake: Lake, rows: list[dict[str, Any]], told: pl.DataFrame, as_of: datetime, url: str, problem: str
) -> None:
    facts = {"sent_at": as_of, "receiver": without_credentials(url), "delivered": not problem, "detail": problem}
    schema = {name: dtype for name, dtype in TABLES["alerts"].columns.items() if name != "as_of"}
    now = pl.DataFrame([{"incident_id": r["incident_id"], "status": r["status"], **facts} for r in rows], schema=schema)
    earlier = told.filter(~pl.col("incident_id").is_in(now["incident_id"].to_list())).select(list(schema))
    lake.write_snapshot("alerts", pl.concat([earlier, now]), as_of, producer=io.producer, params=io.params)


def _counts(table: pl.DataFrame, as_of: datetime) -> dict[str, Any]:
    return {"incidents": len(table), "open": int((table["status"] == "open").sum()), "as_of": as_of.isoformat()}


def _finish(io: StepIO, port: str, summary: dict[str, Any]) -> dict[str, Any]:
    io.write_json(port, summary)
    return summary
