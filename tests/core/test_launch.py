"""Launching a step as a process: its summary, its failure, its end on request."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import psutil
import pytest

from components.actions.specs import CORRELATE
from components.anomaly.specs import TRAIN
from components.core.errors import NotYetError, SettingsError, TraceoError
from components.core.lake import Lake
from components.core.launch import launcher
from components.core.launch.process import ProcessLauncher, command
from components.core.times import Window, iso
from components.telemetry.specs import INGEST


def test_the_command_is_the_one_command_line() -> None:
    assert command(CORRELATE, {"lake": "s3://b/lake"}, {"quiet_min": 10}) == [
        "correlate",
        "--lake",
        "s3://b/lake",
        "--params",
        '{"quiet_min": 10}',
    ]


def test_a_step_runs_and_returns_its_summary(tmp_path: Path) -> None:
    uris = {"lake": str(tmp_path / "lake"), "correlated": str(tmp_path / "correlated.json")}
    assert launcher("process").run(CORRELATE, uris, {}) == {"incidents": 0, "reason": "the lake is empty"}
    assert (tmp_path / "correlated.json.meta.json").exists()


def test_a_failed_step_says_why(tmp_path: Path) -> None:
    uris = {"lake": str(tmp_path / "lake"), "correlated": str(tmp_path / "correlated.json")}
    with pytest.raises(TraceoError, match=r"actions\.correlate ended with exit code 2: error: .*'no_such'"):
        ProcessLauncher().run(CORRELATE, uris, {"no_such": 1})


def test_too_little_data_is_told_apart_from_a_failure(tmp_path: Path) -> None:
    """Half an hour of features trains no detector, and says so with an exit code of its own."""
    lake, start = Lake(str(tmp_path / "lake")), datetime(2026, 1, 1, tzinfo=UTC)
    times = [start + timedelta(minutes=5 * i) for i in range(6)]
    facts = {"service": "a", "metric": "m", "mean": 1.0, "min": 1.0, "max": 1.0, "last": 1.0, "count": 10}
    rows = pl.DataFrame({"timestamp": times, "event_timestamp": times}).with_columns(
        pl.lit(value).alias(name) for name, value in facts.items()
    )
    window = Window(start, start + timedelta(minutes=30))
    lake.write_window("features", rows, window, producer="test", params={})
    uris = {"lake": lake.uri, **{name: str(tmp_path / name) for name in ("model", "holdout", "training")}}
    with pytest.raises(NotYetError, match="no series has 60 rows of five minutes yet"):
        ProcessLauncher().run(TRAIN, uris, {"as_of": iso(window.end)})


def test_an_unknown_runner_is_named() -> None:
    with pytest.raises(SettingsError, match="TRACEO_RUNNER='slurm' is not known; choose from docker, process"):
        launcher("slurm")


@pytest.fixture
def hanging() -> Iterator[dict[str, str]]:
    """Parameters of an ingest that hangs: its source accepts the connection and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        yield {"source": f"http://127.0.0.1:{silent.getsockname()[1]}", "end": "2026-01-01T00:00:00Z"}


def start(params: dict[str, str], folder: Path) -> tuple[ProcessLauncher, threading.Thread, list[str]]:
    """Run telemetry.ingest in a thread; returns once its process lives."""
    launch, failures = ProcessLauncher(), []
    uris = {"lake": str(folder / "lake"), "ingested": str(folder / "ingested.json")}

    def run() -> None:
        try:
            launch.run(INGEST, uris, params)
        except TraceoError as error:
            failures.append(str(error))

    thread = threading.Thread(target=run)
    thread.start()
    deadline = time.monotonic() + 30
    while not group_of(launch) and time.monotonic() < deadline:
        time.sleep(0.05)
    return launch, thread, failures


def test_stop_ends_the_step_and_its_children(tmp_path: Path, hanging: dict[str, str]) -> None:
    launch, thread, failures = start(hanging, tmp_path)
    launch.stop()
    thread.join(timeout=20)
    assert not thread.is_alive()
    assert "exit code -15" in failures[0]
    assert group_of(launch) == []


def test_a_step_that_was_stopped_before_it_began_ends_at_once(tmp_path: Path, hanging: dict[str, str]) -> None:
    launch = ProcessLauncher()
    launch.stop()
    uris = {"lake": str(tmp_path / "lake"), "ingested": str(tmp_path / "ingested.json")}
    with pytest.raises(TraceoError, match="exit code -15"):
        launch.run(INGEST, uris, hanging)


def test_a_killed_step_is_a_failure_that_a_retry_can_mend(tmp_path: Path, hanging: dict[str, str]) -> None:
    launch, thread, failures = start(hanging, tmp_path)
    os.kill(group_of(launch)[0], signal.SIGKILL)
    thread.join(timeout=20)
    assert "telemetry.ingest ended with exit code -9" in failures[0]
    assert not (tmp_path / "ingested.json").exists()


def group_of(launch: ProcessLauncher) -> list[int]:
    """The living processes of the launcher's own step; other tests' processes may run beside it."""
    started = launch._process
    found = []
    for process in psutil.process_iter() if started else []:
        try:
            if os.getpgid(process.pid) == started.pid and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
        except (OSError, psutil.Error):
            continue
    return sorted(found)
