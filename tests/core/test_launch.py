"""Launching a step as a process: its summary, its failure, its end on request."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import psutil
import pytest

from components.actions.specs import CORRELATE
from components.core.errors import SettingsError, TraceoError
from components.core.launch import launcher
from components.core.launch.process import ProcessLauncher, command


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


def test_an_unknown_runner_is_named() -> None:
    with pytest.raises(SettingsError, match="TRACEO_RUNNER='slurm' is not known; choose from process"):
        launcher("slurm")


def test_stop_ends_the_step_and_its_children(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A step that hangs (here: a source that never answers) is ended with all it started."""
    import socket

    from components.core.spec import specs

    ingest = next(spec for spec in specs("telemetry") if spec.step == "ingest")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        launch, failures = ProcessLauncher(), []
        uris = {"lake": str(tmp_path / "lake"), "ingested": str(tmp_path / "ingested.json")}
        params = {"source": f"http://127.0.0.1:{silent.getsockname()[1]}", "end": "2026-01-01T00:00:00Z"}

        def run() -> None:
            try:
                launch.run(ingest, uris, params)
            except TraceoError as error:
                failures.append(str(error))

        thread = threading.Thread(target=run)
        thread.start()
        deadline = time.monotonic() + 30
        while not _children_of(os.getpid(), "components.telemetry") and time.monotonic() < deadline:
            time.sleep(0.05)
        launch.stop()
        thread.join(timeout=20)
    assert not thread.is_alive()
    assert failures
    assert _children_of(os.getpid(), "components.telemetry") == []


def _children_of(pid: int, text: str) -> list[int]:
    found = []
    for child in psutil.Process(pid).children(recursive=True):
        try:
            if any(text in part for part in child.cmdline()) and child.status() != psutil.STATUS_ZOMBIE:
                found.append(child.pid)
        except psutil.Error:
            continue
    return found
