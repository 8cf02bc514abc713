"""Real input through the ingest step: the JumpStarter directory, and a Prometheus with a node-exporter.

Needs TRACEO_BENCH_DATA (the unpacked development data) and Debian's packages `prometheus` and
`prometheus-node-exporter`; each test says what is missing.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import polars as pl
import pytest

from components.core.lake import INCOMING, Lake
from components.core.spec import specs
from components.core.step import run
from components.core.times import Window, floor, iso
from components.telemetry.sources import open_source

pytestmark = pytest.mark.server
SPEC = specs("telemetry")[0]


def ingest(source: str, root: Path, **params: Any) -> dict[str, Any]:
    uris = {"lake": str(root / "lake"), "ingested": str(root / "ingested.json")}
    return run(SPEC, uris, {"source": source, **params})


def incoming(root: Path) -> Lake:
    return Lake(str(root / "lake")).zone(INCOMING)


# --- a directory ---------------------------------------------------------------------------------------------


@pytest.fixture
def jumpstarter() -> Path:
    folder = Path(os.environ.get("TRACEO_BENCH_DATA", ""), "anomaly", "jumpstarter")
    if "TRACEO_BENCH_DATA" not in os.environ or not folder.is_dir():
        pytest.skip("TRACEO_BENCH_DATA does not name the development data with anomaly/jumpstarter")
    return folder


def test_jumpstarter(jumpstarter: Path, tmp_path: Path) -> None:
    """14 services × 19 metrics × 45 days of 5 minutes, from headerless halves without times."""
    report = ingest(str(jumpstarter), tmp_path)
    assert report["window"] == ["2024-01-01T00:00:00Z", "2024-02-15T00:00:00Z"]
    assert report["rows"]["metrics"] == 14 * 19 * 45 * 288
    assert report["notes"][0] == "14 file(s) in folders named like labels are skipped"
    assert report["notes"][1].startswith("28 file(s) have no times: their rows are taken as 300 s apart")
    lake = incoming(tmp_path)
    series = lake.scan("metrics").group_by("service", "metric").len().collect()
    assert len(series) == 14 * 19
    assert series["len"].unique().to_list() == [45 * 288]
    assert {"Dataset2-service0", "Dataset3-service0"} <= set(series["service"])

    halves = [jumpstarter / "Dataset3" / half / "service1.csv" for half in ("train", "test")]
    written = [float(line.split(",")[6]) for half in halves for line in half.read_text().splitlines()]
    chosen = pl.col("service") == "Dataset3-service1", pl.col("metric") == "metric_7"
    assert lake.scan("metrics").filter(*chosen).sort("timestamp").collect()["value"].to_list() == written

    again = ingest(str(jumpstarter), tmp_path)
    assert (again["partitions"], again["late_rows"]["metrics"]) == (0, 0)


# --- Prometheus ------------------------------------------------------------------------------------------------


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def _running(command: list[str], ready_url: str) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 30
        while not _answers(ready_url):
            assert process.poll() is None, f"{command[0]} ended with {process.returncode}"
            assert time.monotonic() < deadline, f"{command[0]} does not answer on {ready_url}"
            time.sleep(0.1)
        yield process
    finally:
        process.terminate()
        process.wait(20)


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2).status_code == 200
    except httpx.TransportError:
        return False


@pytest.fixture(scope="module")
def history() -> Window:
    """The two days before the current whole hour, for which the server is back-filled."""
    end = floor(datetime.now(UTC), timedelta(hours=1))
    return Window(end - timedelta(days=2), end)


@pytest.fixture(scope="module")
def prometheus(history: Window, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a Prometheus that was back-filled with two days and scrapes a node-exporter each second."""
    missing = [name for name in ("prometheus", "promtool", "prometheus-node-exporter") if not shutil.which(name)]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)} (Debian packages prometheus, prometheus-node-exporter)")
    folder = tmp_path_factory.mktemp("prometheus")
    _back_fill(folder, history)
    node, server = (f"127.0.0.1:{_free_port()}" for _ in range(2))
    config = {
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s"},
        "scrape_configs": [{"job_name": "node", "static_configs": [{"targets": [node]}]}],
    }
    (folder / "prometheus.yml").write_text(json.dumps(config))
    exporter = ["prometheus-node-exporter", f"--web.listen-address={node}"]
    database = ["prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data"]
    with ExitStack() as stack:
        stack.enter_context(_running(exporter, f"http://{node}/metrics"))
        stack.enter_context(_running([*database, f"--web.listen-address={server}"], f"http://{server}/-/ready"))
        yield f"http://{server}"


def _back_fill(folder: Path, window: Window) -> None:
    """A queue per service and a host's memory, every 30 s, as blocks of the database."""
    instants = range(int(window.start.timestamp()), int(window.end.timestamp()), 30)
    lines = ["# TYPE request_queue_depth gauge"]
    lines += [
        f'request_queue_depth{{service="{s}"}} {t % 1000 + n} {t}'
        for n, s in enumerate(("cart", "db"))
        for t in instants
    ]
    for name, value in (("MemAvailable", 25), ("MemTotal", 100)):
        lines.append(f"# TYPE node_memory_{name}_bytes gauge")
        lines += [f'node_memory_{name}_bytes{{instance="old:9100",job="node"}} {value} {t}' for t in instants]
    (folder / "history.txt").write_text("\n".join([*lines, "# EOF", ""]))
    command = ["promtool", "tsdb", "create-blocks-from", "openmetrics", f"{folder}/history.txt", f"{folder}/data"]
    subprocess.run(command, check=True, capture_output=True)


def test_a_back_filled_prometheus(prometheus: str, history: Window, tmp_path: Path) -> None:
    report = ingest(prometheus, tmp_path, end=iso(history.end), days=30)
    first, last = (datetime.fromisoformat(text) for text in report["window"])
    assert history.start - timedelta(hours=3) <= first <= history.start, (
        "less than 30 days: from where there is something"
    )
    assert last == history.end
    frame = incoming(tmp_path).read("metrics")
    samples = len(pl.datetime_range(history.start, history.end, "30s", closed="left", eager=True))
    assert frame.group_by("service", "metric", "instance").len().sort("service", "metric").rows() == [
        ("cart", "request_queue_depth", "", samples),
        ("db", "request_queue_depth", "", samples),
        ("node", "memory_pressure_gradual", "old:9100", samples),
    ]
    db = frame.filter(service="db")
    assert db["value"].to_list() == [float(int(t.timestamp()) % 1000 + 1) for t in db["timestamp"]]
    assert frame.filter(service="node")["value"].unique().to_list() == [75.0]
    again = ingest(prometheus, tmp_path, end=iso(history.end), days=30)
    assert (again["partitions"], sum(again["rows"].values())) == (0, 0)


def test_a_scraped_node_exporter(prometheus: str) -> None:
    source = open_source(f"{prometheus}?step_s=1")
    deadline = time.monotonic() + 60
    frame = pl.DataFrame()
    while frame.is_empty() or "cpu_utilization" not in frame["metric"]:
        assert time.monotonic() < deadline, f"no rate after a minute; {source.notes()}"
        time.sleep(1)
        now = floor(datetime.now(UTC), timedelta(seconds=1))
        frame = source.read("metrics", Window(now - timedelta(seconds=10), now))
        frame = frame.filter(pl.col("instance").str.starts_with("127.0.0.1:"))
    assert set(frame["service"]) == {"node"}
    assert {"memory_pressure_gradual", "disk_usage_percent", "cpu_utilization"} <= set(frame["metric"])
    assert frame.select("timestamp", "service", "instance", "metric").is_unique().all()
    percent = frame.filter(pl.col("metric").is_in(["memory_pressure_gradual", "disk_usage_percent", "cpu_utilization"]))
    assert percent["value"].is_between(-1e-6, 100).all()
    disks = frame.filter(metric="disk_usage_percent")
    assert disks["instance"].str.contains(r'^127\.0\.0\.1:\d+\{device=".*mountpoint="/.*"\}$').all()


def test_no_server_is_one_line_and_exit_1(tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{_free_port()}"
    command = [sys.executable, "-m", "components.telemetry", "ingest", "--lake", str(tmp_path / "lake")]
    command += ["--ingested", str(tmp_path / "out.json"), "--params", json.dumps({"source": url, "end": "2026-01-01"})]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(f"error: {url}/api/v1/query: ")
    assert not (tmp_path / "lake").exists()
