"""Every query of the dashboards, and every rule, against a real Prometheus that scrapes the real servers.

The console, the model server and the log receiver run over the small world of the tests, with the scrape configuration
and the rules of infra/prometheus. Needs Debian's package `prometheus`.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import polars as pl
import pytest
import yaml

from components.core import inference
from components.core.lake import Lake
from components.core.settings import REPOSITORY
from components.core.times import Window
from infra.grafana.generate import DASHBOARDS
from infra.grafana.panels import model
from tests.telemetry import fluentbit
from tests.world import World, copy_state

from .promql import PROMETHEUS, rules
from .test_grafana import INTERVAL, queries

# The world and four servers come up first.
pytestmark = [pytest.mark.server, pytest.mark.slow, pytest.mark.timeout(1800)]
#: Where a run of the product leaves what the world has under a label: DAG, task.
_RUNS = {
    "telemetry.ingest": ("traceo_ingest", "telemetry_ingest"),
    "anomaly.score": ("traceo_score", "anomaly_score"),
    "quality.drift": ("traceo_drift", "quality_drift"),
}
_MODULES = {
    "console": "components.actions.console",
    "model-server": "components.serving.server",
    "log-receiver": "components.telemetry.receiver",
}
_HEALTH = {
    "console": "healthz",
    "model-server": "v2/models/traceo-anomaly/ready",
    "log-receiver": "healthz",
    "prometheus": "-/ready",
}


@pytest.fixture(scope="module")
def home(world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The world as a home that Airflow has run in, with an incident that could not be told."""
    home = tmp_path_factory.mktemp("home")
    copy_state(world.root, home)
    for label, (dag, task) in _RUNS.items():
        shutil.copytree(world.root / "runs" / label, home / "runs" / dag / "scheduled__2026-03-10T000000_0000" / task)
    lake = Lake(str(home / "lake"))
    told = lake.read_snapshot("incidents").select("incident_id", "status").with_columns(
        sent_at=pl.lit(lake.watermark()), receiver=pl.lit("http://away"), delivered=False, detail=pl.lit("no answer")
    )  # fmt: skip
    as_of = lake.watermark()
    assert as_of is not None
    lake.write_snapshot("alerts", told, as_of, producer="test", params={})
    return home


@pytest.fixture(scope="module")
def prometheus(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a Prometheus that scrapes the three servers every second; they are in use while it runs."""
    if not shutil.which("prometheus"):
        pytest.skip("no prometheus (Debian package prometheus)")
    folder = tmp_path_factory.mktemp("prometheus")
    at = {part: f"127.0.0.1:{free_port()}" for part in [*_MODULES, "prometheus"]}
    config = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    config["rule_files"] = [str(PROMETHEUS / "rules/*.yml")]
    for job in config["scrape_configs"]:
        job["static_configs"] = [{"targets": [at[job["job_name"].removeprefix("traceo-")]]}]
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    database = ["prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data"]
    environment = {**os.environ, "TRACEO_HOME": str(home)} | {
        f"TRACEO_{part.replace('-', '_').upper()}_PORT": at[part].rsplit(":", 1)[1] for part in _MODULES
    }
    ready = {part: f"http://{at[part]}/{path}" for part, path in _HEALTH.items()}
    with ExitStack() as stack:
        commands = {part: [sys.executable, "-m", module] for part, module in _MODULES.items()}
        commands["prometheus"] = [*database, f"--web.listen-address={at['prometheus']}"]
        servers = {part: stack.enter_context(running(command, environment)) for part, command in commands.items()}
        for part, url in ready.items():
            wait_until(lambda part=part, url=url: servers[part].poll() is not None or answers(url), 300)
            assert servers[part].poll() is None, f"{part} ended with {servers[part].returncode}"
        use(home, f"http://{at['model-server']}", f"http://{at['log-receiver']}")
        yield f"http://{at['prometheus']}"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(command: list[str], environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            yield process
        finally:
            process.terminate()


def answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=10).status_code == 200
    except httpx.TransportError:
        return False


def wait_until(happened: Any, timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    while not happened():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.2)


def use(home: Path, model_server: str, receiver: str) -> None:
    """Ask the models a few times over some scrapes, and send logs."""
    lake = Lake(str(home / "lake"))
    end = lake.watermark("features")
    assert end is not None
    rows = lake.read("features", Window(end - timedelta(minutes=10), end))
    frame = rows.select("timestamp", "service", "metric", pl.col("mean").alias("value")).head(20).to_pandas()
    for number in range(8):
        inference.infer(model_server, "traceo-anomaly", frame, request_id=str(number))
        chunk = fluentbit.body([fluentbit.line(1_773_100_800 + number, f"line {number}")])
        assert httpx.post(f"{receiver}/logs", content=chunk, headers=fluentbit.HEADERS).status_code == 200
        time.sleep(0.5)


def ask(prometheus: str, query: str) -> list[dict[str, Any]]:
    answer = httpx.post(f"{prometheus}/api/v1/query", data={"query": query.replace(INTERVAL, "1m")}).json()
    assert answer["status"] == "success", f"{query}: {answer.get('error')}"
    result: list[dict[str, Any]] = answer["data"]["result"]
    return result


def without_answer(prometheus: str, asked: dict[str, str]) -> dict[str, str]:
    """The queries that return no number; an error fails at once."""
    return {name: query for name, query in asked.items() if not _numbers(ask(prometheus, query))}


def _numbers(result: list[dict[str, Any]]) -> list[float]:
    return [float(one["value"][1]) for one in result if one["value"][1] != "NaN"]


def test_every_query_of_the_dashboards_has_an_answer(prometheus: str) -> None:
    asked = {name: query for board in DASHBOARDS for name, query in queries(model(board))}
    deadline = time.monotonic() + 90
    while silent := without_answer(prometheus, asked):
        assert time.monotonic() < deadline, f"no answer: {silent}"
        time.sleep(1)
    assert len(asked) > 35


def test_a_misspelled_metric_has_no_answer(prometheus: str) -> None:
    """Mutation of a dashboard's query."""
    assert without_answer(prometheus, {"Open": 'max(traceo_incident{status="open"})'}) == {
        "Open": 'max(traceo_incident{status="open"})'
    }


def test_every_recording_rule_records(prometheus: str) -> None:
    recorded = {rule["record"]: rule["record"] for rule in rules() if "record" in rule}
    deadline = time.monotonic() + 60
    while silent := without_answer(prometheus, recorded):
        assert time.monotonic() < deadline, f"nothing recorded: {silent}"
        time.sleep(1)


def test_the_alerts_see_what_is_wrong_in_this_world(prometheus: str) -> None:
    """Months old, drifted and untold: pending, for none of it has lasted long enough."""
    expected = {"TraceoLakeStale", "TraceoDrift", "TraceoIncidentsNotDelivered"}

    def pending() -> set[str]:
        alerts = httpx.get(f"{prometheus}/api/v1/alerts").json()["data"]["alerts"]
        return {alert["labels"]["alertname"] for alert in alerts}

    wait_until(lambda: expected <= pending(), 60)
    assert "TraceoModelServerErrors" not in pending()
    assert "TraceoServiceDown" not in pending()


def test_the_world_is_scraped_with_the_committed_configuration() -> None:
    config = yaml.safe_load((REPOSITORY / "infra/prometheus/prometheus.yml").read_text())
    assert {job["job_name"].removeprefix("traceo-") for job in config["scrape_configs"]} == set(_MODULES)
