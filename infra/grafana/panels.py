"""Panels and dashboards as data, and Grafana's JSON of them.

A dashboard is a list of rows, a row a list of panels that share the 24 columns of Grafana's grid.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

#: The version of the dashboard model; Grafana 10 and newer read it and migrate it by themselves.
SCHEMA_VERSION = 39
_COLUMNS, _STAT_HEIGHT, _HEIGHT = 24, 4, 8
_SOURCE = {"type": "prometheus", "uid": "${datasource}"}


@dataclass(frozen=True)
class Panel:
    """One picture of one or more queries: PromQL and the legend of its series."""

    title: str
    queries: Sequence[tuple[str, str]]
    kind: Literal["timeseries", "stat", "table", "bargauge"] = "timeseries"
    unit: str = "short"
    text: str = ""
    red_from: float | None = None
    stacked: bool = False


@dataclass(frozen=True)
class Dashboard:
    name: str
    title: str
    text: str
    rows: Sequence[Sequence[Panel]]


def stat(title: str, query: str, unit: str = "short", red_from: float | None = None, legend: str = "") -> Panel:
    return Panel(title, [(query, legend)], "stat", unit, red_from=red_from)


def model(dashboard: Dashboard) -> dict[str, Any]:
    """Grafana's JSON of a dashboard."""
    panels: list[dict[str, Any]] = []
    top = 0
    for row in dashboard.rows:
        height = _STAT_HEIGHT if all(panel.kind == "stat" for panel in row) else _HEIGHT
        edges = [_COLUMNS * i // len(row) for i in range(len(row) + 1)]
        for panel, left, right in zip(row, edges, edges[1:], strict=False):
            place = {"x": left, "y": top, "w": right - left, "h": height}
            panels.append({"id": len(panels) + 1, "gridPos": place, **_panel(panel)})
        top += height
    return {
        "uid": dashboard.name,
        "title": dashboard.title,
        "description": dashboard.text,
        "tags": ["traceo"],
        "schemaVersion": SCHEMA_VERSION,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "1m",
        "time": {"from": "now-24h", "to": "now"},
        "timezone": "utc",
        "templating": {
            "list": [{"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus"}]
        },
        "panels": panels,
    }


def _panel(panel: Panel) -> dict[str, Any]:
    return {
        "type": panel.kind,
        "title": panel.title,
        "description": panel.text,
        "datasource": _SOURCE,
        "targets": [_target(panel, number) for number in range(len(panel.queries))],
        "fieldConfig": {"defaults": _defaults(panel), "overrides": []},
        "options": _OPTIONS[panel.kind],
        **({"transformations": _TABLE} if panel.kind == "table" else {}),
    }


def _target(panel: Panel, number: int) -> dict[str, Any]:
    query, legend = panel.queries[number]
    now = panel.kind != "timeseries"
    return {
        "refId": chr(ord("A") + number),
        "datasource": _SOURCE,
        "expr": query,
        "legendFormat": legend or "__auto",
        "instant": now,
        "range": not now,
        "format": "table" if panel.kind == "table" else "time_series",
    }


def _defaults(panel: Panel) -> dict[str, Any]:
    steps: list[dict[str, Any]] = [{"color": "green" if panel.red_from is not None else "text", "value": None}]
    if panel.red_from is not None:
        steps.append({"color": "red", "value": panel.red_from})
    found: dict[str, Any] = {"unit": panel.unit, "thresholds": {"mode": "absolute", "steps": steps}}
    if panel.kind == "timeseries":
        found["min"] = 0
        found["custom"] = {
            "fillOpacity": 20 if panel.stacked else 0,
            "stacking": {"mode": "normal" if panel.stacked else "none"},
        }
    return found


#: Takes the time of the query away, which is the same in every row.
_TABLE = [{"id": "organize", "options": {"excludeByName": {"Time": True}}}]
_LAST = {"calcs": ["lastNotNull"], "fields": "", "values": False}
_OPTIONS: dict[str, dict[str, Any]] = {
    "timeseries": {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi"}},
    "stat": {"reduceOptions": _LAST, "colorMode": "value", "graphMode": "none", "textMode": "value"},
    "bargauge": {"reduceOptions": _LAST, "orientation": "horizontal", "displayMode": "basic"},
    "table": {"showHeader": True},
}


def render(dashboard: Dashboard) -> str:
    return json.dumps(model(dashboard), indent=1) + "\n"
