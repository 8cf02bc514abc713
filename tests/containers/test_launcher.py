"""TRACEO_RUNNER=docker: the bytes of the process runner, limits that hold, kills that a retry repairs."""

from __future__ import annotations

import dataclasses
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import tests.world
from components.actions.specs import CORRELATE
from components.core.errors import ParamsError, ServiceError, TraceoError
from components.core.launch import launcher
from components.core.launch.docker import LABEL, DockerLauncher
from components.core.settings import settings
from components.core.spec import Resources, Spec
from components.telemetry.specs import INGEST
from tests.world import CHAIN, World, find, fingerprint

pytestmark = [pytest.mark.containers, pytest.mark.usefixtures("engine")]
#: Pages of other programs, with the time at which they were built in them.
_REPORTS = {"data_docs", "report"}
#: Holds the digest of a row of the ledger, and those are chained over the names that MLflow gives its runs.
_SIGNED = "promotion.json.meta.json"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty TRACEO_HOME of this test alone."""
    monkeypatch.setenv("TRACEO_HOME", str(tmp_path / "home"))
    for name in ("TRACEO_MODEL_SERVER_URL", "TRACEO_MLFLOW_URI", "TRACEO_LAKE"):
        monkeypatch.delenv(name, raising=False)
    settings.cache_clear()
    yield tmp_path / "home"
    settings.cache_clear()


def ingest(home: Path) -> tuple[dict[str, str], dict[str, Any]]:
    """The world's first link, with its outputs below `home`."""
    link = CHAIN[0]
    return World(home).uris(link, home / "runs" / link.label, home / "lake"), World(home).params(link)


def container_of(engine: Any, spec: Spec) -> Any:
    """The running container of a step, as soon as there is one."""
    return eventually(lambda: next(iter(engine.containers.list(filters={"label": f"{LABEL}={spec.name}"})), None))


def eventually(look: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if found := look():
            return found
        time.sleep(0.02)
    raise AssertionError("it did not happen within a minute")


def in_a_thread(launch: DockerLauncher, *arguments: Any) -> tuple[threading.Thread, list[str]]:
    failures: list[str] = []

    def run() -> None:
        try:
            launch.run(*arguments)
        except TraceoError as error:
            failures.append(str(error))

    thread = threading.Thread(target=run)
    thread.start()
    return thread, failures


def without_reports(files: dict[str, str]) -> dict[str, str]:
    left_out = {*(name for name in files if name.split("/")[0].split(".")[0] in _REPORTS), _SIGNED}
    return {name: digest for name, digest in files.items() if name not in left_out}


@pytest.mark.timeout(1800)
def test_a_whole_chain_in_containers_leaves_the_bytes_of_processes(
    world: World, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ingest, train, promote, score, diagnose, alert, drift: every artifact, the lake and the ledger."""
    # The row itself is compared without its digest.
    monkeypatch.setattr(tests.world, "UNSTABLE_KEYS", tests.world.UNSTABLE_KEYS | {"hash", "previous_hash"})
    own, launch = World(home), launcher("docker")
    for link in CHAIN:
        summary = launch.run(find(link.spec), own.uris(link, home / "runs" / link.label, own.lake), own.params(link))
        assert summary is not None
        expected = without_reports(fingerprint(world.root / "runs" / link.label))
        assert without_reports(fingerprint(home / "runs" / link.label)) == expected, link.label
    for folder in ("lake", "ledger"):
        assert fingerprint(home / folder) == fingerprint(world.root / folder)


def test_a_killed_container_is_a_failure_that_a_retry_repairs(engine: Any, world: World, home: Path) -> None:
    uris, params = ingest(home)
    thread, failures = in_a_thread(DockerLauncher(), INGEST, uris, params)
    container = container_of(engine, INGEST)
    # In the middle of its work: some windows are written, the step's own account is not.
    eventually(lambda: len(list(home.joinpath("lake").rglob("*.meta.json"))) > 3)
    container.kill("SIGKILL")
    thread.join(timeout=60)
    assert "telemetry.ingest ended with exit code 137" in failures[0]
    assert "2048 MiB of memory" in failures[0]
    assert not Path(uris["ingested"]).exists()
    DockerLauncher().run(INGEST, uris, params)
    assert fingerprint(home / "lake") == fingerprint(world.root / "before" / CHAIN[1].label / "lake")


def test_the_memory_limit_of_the_spec_holds(home: Path) -> None:
    small = dataclasses.replace(INGEST, resources=Resources(cpu=1.0, memory_mb=64))
    with pytest.raises(TraceoError, match=r"exit code 137.*more than its 64 MiB of memory \(its Spec's limit\)"):
        DockerLauncher().run(small, *ingest(home))


def test_stop_kills_the_container(engine: Any, home: Path) -> None:
    """The source accepts the connection and never answers, so that the step hangs."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        launch = DockerLauncher()
        params = {"source": f"http://127.0.0.1:{silent.getsockname()[1]}", "end": "2026-01-01T00:00:00Z"}
        uris = {"lake": str(home / "lake"), "ingested": str(home / "ingested.json")}
        thread, failures = in_a_thread(launch, INGEST, uris, params)
        container_of(engine, INGEST)
        launch.stop()
        thread.join(timeout=60)
    assert not thread.is_alive()
    assert "(stopped)" in failures[0]
    assert engine.containers.list(all=True, filters={"label": f"{LABEL}={INGEST.name}"}) == []


def test_a_container_that_a_dead_launcher_left_is_removed_by_the_next_run(engine: Any, home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        uris = {"lake": str(home / "lake"), "ingested": str(home / "ingested.json")}
        hanging = {"source": f"http://127.0.0.1:{silent.getsockname()[1]}", "end": "2026-01-01T00:00:00Z"}
        thread, failures = in_a_thread(DockerLauncher(), INGEST, uris, hanging)
        left = container_of(engine, INGEST)
        shop = {"source": "shop://?seed=1&anchor=2026-01-31T12:00:00Z", "days": 1, "end": "2026-01-30T12:00:00Z"}
        assert DockerLauncher().run(INGEST, uris, shop)["rows"]
        thread.join(timeout=60)
    assert left.id not in {container.id for container in engine.containers.list(all=True)}
    assert failures


def test_bad_parameters_are_told_as_by_a_process(home: Path) -> None:
    uris = {"lake": str(home / "lake"), "correlated": str(home / "correlated.json")}
    with pytest.raises(TraceoError, match=r"actions\.correlate ended with exit code 2: error: .*'no_such'") as raised:
        DockerLauncher().run(CORRELATE, uris, {"no_such": 1})
    assert not isinstance(raised.value, ParamsError | ServiceError)


def test_artifacts_belong_to_the_caller(home: Path) -> None:
    uris = {"lake": str(home / "lake"), "correlated": str(home / "run" / "correlated.json")}
    assert launcher("docker").run(CORRELATE, uris, {}) == {"incidents": 0, "reason": "the lake is empty"}
    assert Path(uris["correlated"]).stat().st_uid == home.stat().st_uid
    assert json.loads(Path(uris["correlated"] + ".meta.json").read_text())["producer"] == "actions.correlate"


def test_an_image_that_does_not_exist_is_named(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRACEO_IMAGE_TAG", "never-built")
    settings.cache_clear()
    uris = {"lake": str(home / "lake"), "correlated": str(home / "correlated.json")}
    with pytest.raises(TraceoError, match=r"localhost/traceo-actions:never-built.*make images"):
        DockerLauncher().run(CORRELATE, uris, {})
