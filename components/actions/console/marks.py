"""Marks that people set on incidents: one row of the lake's table `feedback` for every series of the incident."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import polars as pl

from components.core.lake import Lake
from components.core.times import parse_instant

VERDICTS = ("false_alarm", "real")
#: The console knows no users; a proxy before it may.
_WHO = "console"


def write(lake: Lake, incident_id: str, verdict: str, now: datetime) -> int:
    """Put the verdict on every abnormal series of an incident; how many there were, 0 where it is unknown."""
    known = lake.read_snapshot("incidents").filter(pl.col("incident_id") == incident_id)
    rows = [_row(item, incident_id, verdict, now) for item in _series(known)]
    if rows:
        lake.write_late("feedback", pl.DataFrame(rows), producer="actions.console", params={})
    return len(rows)


def newest(lake: Lake) -> dict[str, dict[str, Any]]:
    """The newest mark of each incident: `verdict` and `timestamp`."""
    rows = lake.read("feedback").select("incident_id", "timestamp", "verdict").unique("incident_id", keep="last")
    return {row["incident_id"]: row for row in rows.iter_rows(named=True)}


def _series(known: pl.DataFrame) -> list[dict[str, Any]]:
    """The incident's abnormal series, each once, from its first abnormal row to its last."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for item in (item for text in known["evidence"] for item in json.loads(text) if item["kind"] == "anomaly"):
        start, end = parse_instant(item["start"]), parse_instant(item["end"])
        one = found.setdefault(
            (item["service"], item["metric"]),
            {"service": item["service"], "metric": item["metric"], "start": start, "end": end},
        )
        one |= {"start": min(one["start"], start), "end": max(one["end"], end)}
    return list(found.values())


def _row(series: dict[str, Any], incident_id: str, verdict: str, now: datetime) -> dict[str, Any]:
    return {"timestamp": now, **series, "verdict": verdict, "who": _WHO, "incident_id": incident_id}
