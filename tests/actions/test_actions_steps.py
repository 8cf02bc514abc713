"""Correlating and alerting on a small lake."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import polars as pl
import pytest

from components.actions.specs import ALERT, CORRELATE
from components.core import step
from components.core.lake import Lake
from components.core.settings import settings
from components.core.times import Window, iso

T0 = datetime(2026, 3, 1, tzinfo=UTC)
NOON = T0 + timedelta(hours=12)


def put_anomalies(lake: Lake, *runs: tuple[str, str, datetime, int]) -> None:
    """A day of anomalies: for each run a series that is abnormal for some five-minute rows."""
    rows = [
        {
            "timestamp": start + timedelta(minutes=5 * i),
            "service": service,
            "metric": metric,
            "value": 9.0,
            "score": 3.0,
        }
        for service, metric, start, count in runs
        for i in range(count)
    ]
    constants = {"is_anomaly": True, "expected": 1.0, "lower": 0.0, "upper": 2.0, "detector": "d", "reason": "9× usual"}
    frame = pl.DataFrame(rows).with_columns(pl.lit(value).alias(name) for name, value in constants.items())
    for piece in Window(T0, T0 + timedelta(days=2)).split_by_day():
        inside = frame.filter(pl.col("timestamp") >= piece.start, pl.col("timestamp") < piece.end)
        lake.write_window("anomalies", inside, piece, producer="test", params={})


def put_risk(lake: Lake, as_of: datetime, probability: float, **judged: Any) -> None:
    row: dict[str, Any] = {"service": "db", "metric": "disk_usage_percent", "failure_kind": "disk", "limit": 95.0}
    row |= {"direction": "above", "already_crossed": False, "abstained": False, "reason": "", "model": "m"} | judged
    row |= {f"p_{h}h": 0.0 if h < 72 else probability for h in (1, 4, 24, 72, 168)}
    row |= {f"limit_at_q{q}": as_of + timedelta(hours=60) for q in (10, 50, 90)}
    lake.write_snapshot("risks", pl.DataFrame([row]), as_of, producer="test", params={})


def correlate(lake: Lake, folder: Path, as_of: datetime) -> pl.DataFrame:
    uris = {"lake": lake.uri, "correlated": str(folder / "correlated.json")}
    step.run(CORRELATE, uris, {"as_of": iso(as_of)})
    return lake.read_snapshot("incidents", as_of)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path / "lake"))


def test_an_incident_opens_and_resolves_under_one_id(lake: Lake, tmp_path: Path) -> None:
    put_anomalies(lake, ("pay", "error_rate_trend", NOON, 4), ("web", "latency_p99_trend", NOON, 4))
    opened = correlate(lake, tmp_path, NOON + timedelta(minutes=15)).row(0, named=True)
    closed = correlate(lake, tmp_path, NOON + timedelta(hours=2)).row(0, named=True)
    assert (opened["status"], closed["status"]) == ("open", "resolved")
    assert opened["incident_id"] == closed["incident_id"]
    assert opened["severity"] == "critical"
    assert opened["detected_at"] == NOON + timedelta(minutes=5)
    assert closed["resolved_at"] == NOON + timedelta(minutes=50)
    assert json.loads(closed["services"]) == ["pay", "web"]


def test_log_changes_and_deployments_stand_in_the_evidence(lake: Lake, tmp_path: Path) -> None:
    put_anomalies(lake, ("pay", "error_rate_trend", NOON, 4), ("pay", "latency_p99_trend", NOON, 4))
    day = Window(T0, T0 + timedelta(days=1))
    log = {"timestamp": NOON, "service": "pay", "severity": "ERROR", "template_id": "t", "template": "boom <*>"}
    log |= {"change": "new", "count": 50, "expected": 0.0, "example": "boom 1"}
    lake.write_window("log_changes", pl.DataFrame([log]), day, producer="test", params={})
    change = {"timestamp": NOON - timedelta(minutes=10), "service": "pay", "what": "deploy 4.1"}
    lake.write_window("changes", pl.DataFrame([change]), day, producer="test", params={})
    incident = correlate(lake, tmp_path, NOON + timedelta(hours=1)).row(0, named=True)
    logs = [item for item in json.loads(incident["evidence"]) if item["kind"] == "log"]
    assert logs[0]["text"] == "50 × “boom <*>” (never seen before)"
    assert json.loads(incident["timeline"])[0]["text"] == "pay: deploy 4.1"
    abnormal = [item["text"] for item in json.loads(incident["evidence"]) if item["kind"] == "anomaly"]
    assert all(text.endswith(", 10 minutes after deploy 4.1") for text in abnormal)
    assert len(abnormal) == 2


def test_templates_of_one_cluster_are_one_piece_of_evidence(lake: Lake, tmp_path: Path) -> None:
    put_anomalies(lake, ("pay", "error_rate_trend", NOON, 4), ("pay", "latency_p99_trend", NOON, 4))
    moving = json.dumps([{"metric": "queue_depth", "correlation": 0.9, "lag_min": 5}])
    row = {"timestamp": NOON, "service": "pay", "severity": "ERROR", "change": "new", "expected": 0.0}
    row |= {"cluster": "t1", "series": moving}
    rows = [
        {**row, "template_id": "t1", "template": "boom <*>", "count": 50, "example": "boom 1", "trace_id": "ab"},
        {**row, "template_id": "t2", "template": "boom <*>!", "count": 7, "example": "boom 2!", "trace_id": "cd"},
    ]
    day = Window(T0, T0 + timedelta(days=1))
    lake.write_window("log_changes", pl.DataFrame(rows), day, producer="test", params={})
    incident = correlate(lake, tmp_path, NOON + timedelta(hours=1)).row(0, named=True)
    (log,) = [item for item in json.loads(incident["evidence"]) if item["kind"] == "log"]
    assert log["text"] == "57 × “boom <*>”, with 1 alike (never seen before); moves with queue_depth"
    assert (log["example"], log["traces"], log["series"]) == ("boom 1", ["ab", "cd"], ["queue_depth"])


def test_a_rerun_gives_the_same_bytes(lake: Lake, tmp_path: Path) -> None:
    put_anomalies(lake, ("pay", "error_rate_trend", NOON, 4), ("pay", "latency_p99_trend", NOON, 4))
    correlate(lake, tmp_path, NOON + timedelta(hours=1))
    file = next(Path(lake.uri, "incidents").glob("as_of=*.parquet"))
    before = file.read_bytes()
    file.with_name(file.name + ".meta.json").unlink()
    correlate(lake, tmp_path, NOON + timedelta(hours=1))
    assert file.read_bytes() == before


def test_a_forecast_failure_opens_stays_and_is_withdrawn(lake: Lake, tmp_path: Path) -> None:
    put_anomalies(lake, ("pay", "error_rate_trend", NOON, 1))
    seen = []
    for hour, probability in enumerate((0.9, 0.5, 0.1)):
        as_of = NOON + timedelta(hours=hour)
        put_risk(lake, as_of, probability)
        seen.append(correlate(lake, tmp_path, as_of).filter(pl.col("service") == "db").row(0, named=True))
    later = correlate(lake, tmp_path, NOON + timedelta(hours=4)).filter(pl.col("service") == "db")
    assert [row["status"] for row in seen] == ["open", "open", "resolved"]
    assert len({row["incident_id"] for row in seen}) == 1
    assert later["status"].to_list() == ["resolved"]


def test_a_forecast_that_comes_true_stays_open_until_the_limit_holds_again(lake: Lake, tmp_path: Path) -> None:
    put_anomalies(lake, ("pay", "error_rate_trend", NOON, 1))
    looks: list[tuple[float, dict[str, bool]]] = [
        (0.9, {}),
        (0.0, {"abstained": True}),
        (0.0, {"already_crossed": True}),
        (0.0, {"already_crossed": True}),
        (0.0, {}),
    ]
    seen = []
    for hour, (probability, judged) in enumerate(looks):
        as_of = NOON + timedelta(hours=hour)
        put_risk(lake, as_of, probability, **judged)
        seen.append(correlate(lake, tmp_path, as_of).filter(pl.col("service") == "db").row(0, named=True))
    assert [row["status"] for row in seen] == ["open", "open", "open", "open", "resolved"]
    assert [row["severity"] for row in seen] == ["warning", "warning", "critical", "critical", "warning"]
    assert len({row["incident_id"] for row in seen}) == 1
    told = [entry["text"] for entry in json.loads(seen[-1]["timeline"])]
    assert [text.partition(" 95")[0] for text in told[1:]] == [
        "disk_usage_percent has passed",
        "forecast withdrawn: now 0%",
    ]


def test_a_forecast_whose_series_vanished_is_closed_with_that_reason(lake: Lake, tmp_path: Path) -> None:
    put_anomalies(lake, ("pay", "error_rate_trend", NOON, 1))
    put_risk(lake, NOON, 0.9)
    correlate(lake, tmp_path, NOON)
    put_risk(lake, NOON + timedelta(hours=1), 0.0, service="other")
    row = correlate(lake, tmp_path, NOON + timedelta(hours=1)).row(0, named=True)
    assert (row["service"], row["status"]) == ("db", "resolved")
    assert json.loads(row["timeline"])[-1]["text"] == "closed: disk_usage_percent of db is no longer reported"


def test_a_limit_passed_before_any_forecast_is_no_forecast(lake: Lake, tmp_path: Path) -> None:
    put_anomalies(lake, ("pay", "error_rate_trend", NOON, 1))
    put_risk(lake, NOON, 1.0, already_crossed=True)
    assert correlate(lake, tmp_path, NOON).is_empty()


def test_an_unlikely_failure_opens_nothing(lake: Lake, tmp_path: Path) -> None:
    put_anomalies(lake, ("pay", "error_rate_trend", NOON, 1))
    put_risk(lake, NOON, 0.5)
    assert correlate(lake, tmp_path, NOON).is_empty()


def test_an_old_incident_is_kept_after_the_look_back(lake: Lake, tmp_path: Path) -> None:
    put_anomalies(lake, ("pay", "error_rate_trend", NOON, 4), ("pay", "latency_p99_trend", NOON, 4))
    first = correlate(lake, tmp_path, NOON + timedelta(hours=1))
    later = correlate(lake, tmp_path, NOON + timedelta(hours=30))
    assert later["incident_id"].to_list() == first["incident_id"].to_list()
    assert later["status"].to_list() == ["resolved"]


def test_an_empty_lake_has_no_incident(lake: Lake, tmp_path: Path) -> None:
    summary = step.run(CORRELATE, {"lake": lake.uri, "correlated": str(tmp_path / "c.json")})
    assert summary == {"incidents": 0, "reason": "the lake is empty"}


class Receiver(BaseHTTPRequestHandler):
    """A small server that takes alerts as Alertmanager's v2 API does."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.received.append((self.path, self.headers.get("Authorization"), json.loads(body)))  # type: ignore[attr-defined]
        self.send_response(self.server.status)  # type: ignore[attr-defined]
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        return


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    server = HTTPServer(("127.0.0.1", 0), Receiver)
    server.received, server.status = [], 200  # type: ignore[attr-defined]
    Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("TRACEO_ALERTMANAGER_URL", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("TRACEO_ALERTMANAGER_TOKEN", "a-secret")
    settings.cache_clear()
    yield server
    server.shutdown()
    settings.cache_clear()


def alert(lake: Lake, folder: Path, as_of: datetime) -> dict[str, Any]:
    return step.run(ALERT, {"lake": lake.uri, "alerted": str(folder / "alerted.json")}, {"as_of": iso(as_of)})


def test_alerts_keep_their_labels_and_end_once(lake: Lake, tmp_path: Path, receiver: Any) -> None:
    put_anomalies(lake, ("pay", "error_rate_trend", NOON, 4), ("web", "latency_p99_trend", NOON, 4))
    for minutes in (15, 120, 125):
        correlate(lake, tmp_path, NOON + timedelta(minutes=minutes))
        alert(lake, tmp_path, NOON + timedelta(minutes=minutes))
    assert len(receiver.received) == 2  # open, resolved; then there is nothing left to tell
    first, second = (alerts[0] for _, _, alerts in receiver.received)
    assert first["labels"] == second["labels"]
    assert second["endsAt"] == iso(NOON + timedelta(minutes=50))
    assert receiver.received[0][:2] == ("/api/v2/alerts", "Bearer a-secret")


def test_a_receiver_that_refuses_is_told_again(lake: Lake, tmp_path: Path, receiver: Any) -> None:
    put_anomalies(lake, ("pay", "error_rate_trend", NOON, 4), ("web", "latency_p99_trend", NOON, 4))
    receiver.status = 500
    correlate(lake, tmp_path, NOON + timedelta(hours=2))
    refused = alert(lake, tmp_path, NOON + timedelta(hours=2))
    receiver.status = 200
    correlate(lake, tmp_path, NOON + timedelta(hours=3))
    accepted = alert(lake, tmp_path, NOON + timedelta(hours=3))
    assert (refused["delivered"], accepted["delivered"], accepted["sent"]) == (False, True, 1)
    assert "HTTP 500" in refused["reason"]
    assert "a-secret" not in json.dumps([refused, accepted])


def test_without_a_receiver_nothing_is_sent(lake: Lake, tmp_path: Path) -> None:
    put_anomalies(lake, ("pay", "error_rate_trend", NOON, 4))
    assert alert(lake, tmp_path, NOON)["reason"] == "TRACEO_ALERTMANAGER_URL is not set"
