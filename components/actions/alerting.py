"""Alerts in Alertmanager's v2 form: one per incident, the same labels every time, so that it deduplicates."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import httpx

from components.core.settings import without_credentials
from components.core.times import iso


def payload(
    incident: Mapping[str, Any], causes: list[dict[str, Any]], as_of: datetime, hold: timedelta, page: str
) -> dict[str, Any]:
    """The alert of one incident; open ones end `hold` after `as_of` unless they are sent again."""
    ends = incident["resolved_at"] or as_of + hold
    annotations = {"summary": incident["title"], "recommendation": incident["recommendation"] or ""}
    if causes:
        first = causes[0]
        annotations["cause"] = f"{first['service']} ({first['kind']}, {first['level']})"
    return {
        # Labels are the alert's identity: nothing that changes while the incident lasts may stand here.
        "labels": {
            "alertname": "TraceoIncident",
            "incident_id": incident["incident_id"],
        },
        "annotations": {**annotations, "severity": incident["severity"], "service": incident["service"]},
        "startsAt": iso(incident["started_at"]),
        "endsAt": iso(ends),
        "generatorURL": f"{page}#incident-{incident['incident_id']}",
    }


def post(url: str, token: str | None, alerts: list[dict[str, Any]], timeout_s: float = 10.0) -> str:
    """Send alerts; returns an empty string, or what went wrong."""
    named = without_credentials(url)
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        response = httpx.post(f"{url.rstrip('/')}/api/v2/alerts", json=alerts, headers=headers, timeout=timeout_s)
    except httpx.HTTPError as error:
        return f"{named} did not answer: {error!r}"
    return "" if response.is_success else f"{named} answered HTTP {response.status_code}: {response.text[:200]}"


def causes_by_incident(diagnoses: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """The ranked causes of every diagnosed incident."""
    return {row["incident_id"]: json.loads(row["causes"]) for row in diagnoses}
