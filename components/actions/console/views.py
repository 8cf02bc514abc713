"""What the console's page shows, as plain values for its template."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import polars as pl

from components.actions.console import marks
from components.core.catalog import load_catalog
from components.core.lake import Lake
from components.core.settings import Settings, without_credentials
from components.core.times import Window, parse_instant

_INCIDENTS, _ANOMALIES, _FORECASTS = 30, 12, 8
_SHOWN_PROBABILITY = 0.2
_CAUSES = 3


def page(lake: Lake, settings: Settings) -> dict[str, Any]:
    """Everything the template needs; times are UTC, relative ones count from the lake's watermark."""
    as_of = lake.watermark()
    return {
        "as_of": as_of,
        "synthetic": settings.source.startswith("shop://"),
        "source": without_credentials(settings.source),
        "incidents": _incidents(lake),
        "forecasts": _forecasts(lake),
        "anomalies": _anomalies(lake, as_of),
        "links": _links(settings),
    }


def _incidents(lake: Lake) -> list[dict[str, Any]]:
    table = lake.read_snapshot("incidents").sort("started_at", descending=True).head(_INCIDENTS)
    diagnoses = {row["incident_id"]: row for row in lake.read_snapshot("diagnoses").iter_rows(named=True)}
    marked = marks.newest(lake)
    graph = not lake.read_snapshot("calls").is_empty()
    shown = [
        _incident(row, diagnoses.get(row["incident_id"])) | {"mark": marked.get(row["incident_id"]), "graph": graph}
        for row in table.iter_rows(named=True)
    ]
    return sorted(shown, key=lambda incident: incident["status"] != "open")


def _incident(row: dict[str, Any], diagnosis: dict[str, Any] | None) -> dict[str, Any]:
    causes = json.loads(diagnosis["causes"])[:_CAUSES] if diagnosis else []
    evidence = json.loads(row["evidence"])
    timeline = [{**entry, "time": parse_instant(entry["time"])} for entry in json.loads(row["timeline"])]
    margin = timedelta(hours=1)
    return {
        **row,
        "forecast": evidence[0]["kind"] == "forecast" if evidence else False,
        "anomalies": [item for item in evidence if item["kind"] == "anomaly"],
        "logs": [item for item in evidence if item["kind"] == "log"],
        "timeline": timeline,
        "causes": causes,
        "undiagnosed": diagnosis["reason"] if diagnosis and not causes else "",
        "recommendation": _recommendation(causes) or row["recommendation"],
        "plot_start": row["started_at"] - margin * 3,
        "plot_end": (row["resolved_at"] or row["updated_at"]) + margin,
    }


def _recommendation(causes: list[dict[str, Any]]) -> str:
    metric = causes[0].get("metric") if causes else None
    watched = load_catalog().get(metric) if metric else None
    return watched.recommendation if watched else ""


def _forecasts(lake: Lake) -> list[dict[str, Any]]:
    risks = lake.read_snapshot("risks").filter(~pl.col("abstained"), pl.col("p_168h") >= _SHOWN_PROBABILITY)
    return risks.sort("p_168h", descending=True).head(_FORECASTS).to_dicts()


def _anomalies(lake: Lake, as_of: datetime | None) -> list[dict[str, Any]]:
    if as_of is None:
        return []
    recent = lake.scan("anomalies", Window(as_of - timedelta(hours=24), as_of)).filter(pl.col("is_anomaly"))
    worst = recent.sort("score", descending=True).unique(["service", "metric"], keep="first", maintain_order=True)
    return worst.sort("timestamp", descending=True).head(_ANOMALIES).collect().to_dicts()


def _links(settings: Settings) -> list[tuple[str, str]]:
    at = f"http://{settings.host}"
    return [
        ("Airflow", f"{at}:{settings.airflow_port}/"),
        ("MLflow", f"{at}:{settings.mlflow_port}/"),
        ("Model server", f"{at}:{settings.model_server_port}/v2/models"),
    ]
