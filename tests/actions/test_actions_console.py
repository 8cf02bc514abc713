"""The console's page and what it refuses."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest
from fastapi.testclient import TestClient

from components.actions.console.app import create_app
from components.actions.specs import CORRELATE
from components.core import step, storage
from components.core.lake import Lake
from components.core.settings import Settings
from components.core.times import Window, iso

from .test_actions_steps import NOON, T0, put_anomalies

HERE = "http://127.0.0.1:8082"
HOSTILE = "<script>alert(1)</script> $^{$"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    lake = Lake(str(tmp_path / "lake"))
    day = Window(T0, T0 + timedelta(days=1))
    metric = pl.DataFrame({"timestamp": [NOON], "service": ["a"], "metric": ["m"], "value": [1.0]})
    lake.write_window("metrics", metric, day, producer="test", params={})
    put_anomalies(lake, (HOSTILE, "error_rate_trend", NOON, 4), (HOSTILE, "latency_p99_trend", NOON, 4))
    uris = {"lake": lake.uri, "correlated": str(tmp_path / "correlated.json")}
    step.run(CORRELATE, uris, {"as_of": iso(T0 + timedelta(days=1))})
    return tmp_path


@pytest.fixture
def client(home: Path) -> TestClient:
    return TestClient(create_app(Settings(home=str(home))), base_url=HERE)


def test_the_page_names_the_incident_and_escapes_telemetry(client: TestClient) -> None:
    page = client.get("/").text
    assert "latency_p99_trend abnormal and 1 more series" in page or "error_rate_trend abnormal and 1 more" in page
    assert HOSTILE not in page
    assert "&lt;script&gt;" in page


def test_an_empty_lake_has_a_page_too(tmp_path: Path) -> None:
    page = TestClient(create_app(Settings(home=str(tmp_path))), base_url=HERE).get("/")
    assert page.status_code == 200
    assert "no telemetry yet" in page.text


def test_plots_are_svg_and_unknown_series_are_not_found(client: TestClient) -> None:
    known = client.get(
        "/plots/anomaly.svg",
        params={"service": HOSTILE, "metric": "error_rate_trend", "end": iso(T0 + timedelta(days=1))},
    )
    assert known.headers["content-type"] == "image/svg+xml"
    assert HOSTILE not in known.text
    assert client.get("/plots/anomaly.svg", params={"service": "nobody", "metric": "m"}).status_code == 404
    assert client.get("/plots/forecast.svg", params={"service": "nobody", "metric": "m"}).status_code == 404


@pytest.mark.parametrize(
    ("start", "status"), [("2026-03-01T10:00:00", 200), ("2026-03-01T10:00:00+01:00", 200), ("2027-01-01", 404)]
)
def test_a_plot_starts_at_any_written_time(client: TestClient, start: str, status: int) -> None:
    asked = {"service": HOSTILE, "metric": "error_rate_trend", "start": start}
    assert client.get("/plots/anomaly.svg", params=asked).status_code == status


def test_credentials_of_the_source_are_not_shown(home: Path) -> None:
    page = (
        TestClient(create_app(Settings(home=str(home), source="http://me:s3cret@prometheus:9090")), base_url=HERE)
        .get("/")
        .text
    )
    assert "http://prometheus:9090" in page
    assert "s3cret" not in page


@pytest.mark.parametrize(
    "path",
    ["../secret.json", "runs/../stack.json", "runs/../../etc/passwd", "runs/none.html", "airflow/passwords.json"],
)
def test_only_reports_of_runs_are_served(client: TestClient, home: Path, path: str) -> None:
    (home / "stack.json").write_text("{}")
    (home / "airflow").mkdir()
    (home / "airflow" / "passwords.json").write_text("{}")
    assert client.get("/files/" + path.replace("..", "%2e%2e")).status_code == 404


def test_a_report_is_served_in_a_sandbox(client: TestClient, home: Path) -> None:
    (home / "runs").mkdir()
    (home / "runs" / "report.html").write_text("<p>fine</p>")
    response = client.get("/files/runs/report.html")
    assert response.text == "<p>fine</p>"
    assert response.headers["Content-Security-Policy"].startswith("sandbox")


def test_reports_on_s3_are_served_and_nothing_else_of_the_bucket(bucket: str) -> None:
    storage.write_bytes(f"{bucket}/console/runs/a/report.html", b"<p>fine</p>")
    storage.write_bytes(f"{bucket}/console/secret.json", b"{}")
    client = TestClient(create_app(Settings(home=f"{bucket}/console", mlflow_uri="http://127.0.0.1:9")), base_url=HERE)
    assert client.get("/files/runs/a/report.html").text == "<p>fine</p>"
    for path in ("secret.json", "runs/%2e%2e/secret.json", "runs/a/none.html", "runs/a"):
        assert client.get(f"/files/{path}").status_code == 404


def test_a_link_out_of_the_runs_is_not_followed(client: TestClient, home: Path) -> None:
    (home / "runs").mkdir()
    (home / "stack.json").write_text("{}")
    (home / "runs" / "link.json").symlink_to(home / "stack.json")
    assert client.get("/files/runs/link.json").status_code == 404


def test_a_foreign_host_name_is_refused(client: TestClient) -> None:
    assert client.get("/", headers={"host": "evil.example"}).status_code == 400


@pytest.mark.parametrize(
    ("allowed", "host", "status"),
    [
        (None, "127.0.0.1:8082", 200),
        (None, "console", 400),
        (None, "evil.example", 400),
        ("localhost, Console", "console:8082", 200),
        ("localhost, Console", "10.1.2.3:8082", 400),
        ("*", "10.1.2.3:8082", 200),
    ],
)
def test_a_container_is_asked_by_the_names_it_is_told(home: Path, allowed: str | None, host: str, status: int) -> None:
    client = TestClient(create_app(Settings(home=str(home), host="0.0.0.0", allowed_hosts=allowed)))
    assert client.get("/healthz", headers={"host": host}).status_code == status
