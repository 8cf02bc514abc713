"""Alerts against a real Alertmanager (Debian package prometheus-alertmanager)."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from components.actions import alerting

pytestmark = pytest.mark.server

BINARY = shutil.which("prometheus-alertmanager")
CONFIG = "route: {receiver: none, group_by: [incident_id]}\nreceivers: [{name: none}]\n"


@pytest.fixture
def alertmanager(tmp_path: Path) -> Iterator[str]:
    if BINARY is None:
        pytest.skip("no prometheus-alertmanager on this machine; install the Debian package of that name")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (tmp_path / "config.yml").write_text(CONFIG)
    options = [f"--config.file={tmp_path}/config.yml", f"--storage.path={tmp_path}/data", "--cluster.listen-address="]
    with subprocess.Popen(
        [BINARY, *options, f"--web.listen-address=127.0.0.1:{port}"], stderr=subprocess.DEVNULL
    ) as server:
        url = f"http://127.0.0.1:{port}"
        _wait(url)
        yield url
        server.terminate()


def test_one_alert_per_incident_that_ends(alertmanager: str) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    incident: dict[str, Any] = {"incident_id": "abc", "title": "pay: errors", "severity": "critical", "service": "pay"}
    incident |= {"recommendation": "roll back", "started_at": now - timedelta(minutes=10), "resolved_at": None}
    cause = {"service": "pay", "kind": "code", "level": "association"}
    hold = timedelta(minutes=30)
    for _ in range(2):
        alert = alerting.payload(incident, [cause], now, hold, "http://127.0.0.1/")
        assert alerting.post(alertmanager, None, [alert]) == ""
    (stored,) = httpx.get(f"{alertmanager}/api/v2/alerts").json()
    assert stored["labels"] == {"alertname": "TraceoIncident", "incident_id": "abc"}
    assert stored["annotations"]["cause"] == "pay (code, association)"
    ended = alerting.payload({**incident, "resolved_at": now - timedelta(minutes=1)}, [cause], now, hold, "http://x/")
    assert alerting.post(alertmanager, None, [ended]) == ""
    assert httpx.get(f"{alertmanager}/api/v2/alerts").json() == []


def test_a_refused_alert_says_why(alertmanager: str) -> None:
    assert "HTTP 400" in alerting.post(alertmanager, None, [{"labels": {}}])


def _wait(url: str) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            if httpx.get(f"{url}/-/ready").status_code == 200:
                return
        except httpx.HTTPError:
            time.sleep(0.1)
    raise AssertionError("Alertmanager did not start")
