"""Tracking against a real MLflow: a plain database in every test, a real server in one."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pandas as pd
import pytest

from components.core import tracking
from components.core.errors import InputError, ServiceError
from components.core.settings import settings

Folder = Callable[..., Path]


def trained_run(experiment: str = "traceo-anomaly") -> str:
    with tracking.start_run(experiment, "train", {"seed": 1, "long": "x" * 900}) as mlflow:
        mlflow.log_metric("f1", 0.75)
        run_id: str = mlflow.active_run().info.run_id
    return run_id


def walk_through(scaling_folder: Folder, tmp_path: Path) -> None:
    """A model's whole life in the registry; the same against a database and a server."""
    run_id = trained_run()
    before = tracking.client().get_run(run_id)
    assert before.data.params["seed"] == "1"
    assert before.data.metrics == {"f1": 0.75}
    first = tracking.register("traceo-anomaly", run_id, scaling_folder(2.0), "tests.scaling_loader", {"sha256": "aa"})
    second = tracking.register("traceo-anomaly", run_id, scaling_folder(3.0), "tests.scaling_loader", {"sha256": "bb"})
    assert (first.version, second.version) == ("1", "2")
    assert tracking.client().get_run(run_id).info.end_time == before.info.end_time
    tracking.set_alias("traceo-anomaly", "champion", "1")
    tracking.set_alias("traceo-anomaly", "challenger", "2")
    tracking.tag_version("traceo-anomaly", "2", "rejected", "yes")
    assert tracking.versions("traceo-anomaly") == [
        tracking.ModelVersion("traceo-anomaly", "2", run_id, ("challenger",), {"sha256": "bb", "rejected": "yes"}),
        tracking.ModelVersion("traceo-anomaly", "1", run_id, ("champion",), {"sha256": "aa"}),
    ]
    assert tracking.version_of("traceo-anomaly", "challenger") == "2"
    tracking.delete_alias("traceo-anomaly", "challenger")
    tracking.delete_alias("traceo-anomaly", "challenger")
    assert tracking.registered_models() == {"traceo-anomaly": {"champion": "1"}}
    folder = tracking.download("traceo-anomaly", "2", tmp_path / "fetched")
    assert (folder / "model.json").read_bytes() == (scaling_folder(3.0) / "model.json").read_bytes()
    predicted = tracking.load_model("traceo-anomaly", "2").predict(pd.DataFrame({"value": [1.0, 2.0]}))
    assert predicted["scaled"].tolist() == [3.0, 6.0]
    (tmp_path / "holdout.parquet").write_bytes(b"PAR1")
    tracking.attach(run_id, tmp_path / "holdout.parquet", "holdout")
    fetched = tracking.fetch_attached(run_id, "holdout/holdout.parquet", tmp_path / "again")
    assert fetched.read_bytes() == b"PAR1"


def test_a_models_life_on_a_database(mlflow_home: Path, scaling_folder: Folder, tmp_path: Path) -> None:
    walk_through(scaling_folder, tmp_path)
    assert tracking.run_url("any") is None
    stored = list((mlflow_home / "mlflow" / "artifacts").rglob("model.json"))
    assert len(stored) == 2


@pytest.fixture
def mlflow_server(mlflow_home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A real `mlflow server` on 127.0.0.1."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    uri, folder = f"http://127.0.0.1:{port}", mlflow_home / "mlflow"
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", f"sqlite:///{folder}/mlflow.db", "--artifacts-destination", f"{folder}/served"]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    try:
        deadline = time.monotonic() + 90
        while not _healthy(uri):
            assert time.monotonic() < deadline, (folder / "log").read_text()
            time.sleep(0.3)
        monkeypatch.setenv("TRACEO_MLFLOW_URI", uri)
        settings.cache_clear()
        yield uri
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(30)


def _healthy(uri: str) -> bool:
    try:
        return httpx.get(f"{uri}/health", timeout=1).status_code == 200
    except httpx.HTTPError:
        return False


@pytest.mark.slow
def test_a_models_life_on_a_server(mlflow_server: str, scaling_folder: Folder, tmp_path: Path) -> None:
    walk_through(scaling_folder, tmp_path)
    version = tracking.versions("traceo-anomaly")[0]
    experiment = tracking.client().get_run(version.run_id).info.experiment_id
    assert tracking.run_url(version.run_id) == f"{mlflow_server}/#/experiments/{experiment}/runs/{version.run_id}"
    assert tracking.run_url("0" * 32) is None


def test_an_unknown_model_has_no_versions(mlflow_home: Path) -> None:
    assert tracking.versions("traceo-nothing") == []
    assert tracking.versions("it's odd") == []
    assert tracking.version_of("traceo-nothing", "champion") is None


def test_mlflows_refusal_is_ours_to_report(mlflow_home: Path, tmp_path: Path) -> None:
    with pytest.raises(ServiceError, match=r"sqlite:.*traceo-nothing"):
        tracking.set_alias("traceo-nothing", "champion", "1")
    with pytest.raises(ServiceError, match="traceo-nothing"):
        tracking.download("traceo-nothing", "1", tmp_path)
    with pytest.raises(ServiceError, match="0000"):
        tracking.fetch_attached("0" * 32, "holdout/holdout.parquet", tmp_path)


@pytest.mark.parametrize("call", [lambda: tracking.versions("m"), lambda: tracking.version_of("m", "champion")])
def test_an_absent_server_is_named(
    mlflow_home: Path, monkeypatch: pytest.MonkeyPatch, call: Callable[[], object]
) -> None:
    monkeypatch.setenv("TRACEO_MLFLOW_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    settings.cache_clear()
    with pytest.raises(ServiceError, match=r"MLflow at http://127.0.0.1:9"):
        call()
    assert tracking.run_url("any") is None


def test_a_failed_run_is_marked_and_its_error_kept(mlflow_home: Path) -> None:
    def fail() -> None:
        with tracking.start_run("traceo-anomaly", "train", {}):
            raise InputError("no rows")

    with pytest.raises(InputError, match="no rows"):
        fail()
    experiment = tracking.client().get_experiment_by_name("traceo-anomaly")
    runs = tracking.client().search_runs([experiment.experiment_id])
    assert [run.info.status for run in runs] == ["FAILED"]


@pytest.mark.slow
def test_a_machine_without_git_is_no_reason_to_warn(mlflow_home: Path) -> None:
    """As in every image."""
    code = "from components.core import tracking\nwith tracking.start_run('e', 'r', {}):\n    pass"
    environment = {**os.environ, "PATH": "/nonexistent"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    assert "git" not in (done.stdout + done.stderr).lower()


def test_only_our_loaders_load(mlflow_home: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"loader 'os' is not ours"):
        tracking.load_folder(tmp_path, "os")
    with pytest.raises(InputError, match=r"loader 'pickle' is not ours"):
        tracking.register("m", "0" * 32, tmp_path, "pickle", {})
    assert tracking.registered_models() == {}


@pytest.mark.slow
def test_feast_stays_out_of_processes_that_only_track() -> None:
    code = (
        "import sys; from components.core import tracking; tracking.client(); "
        "import mlflow.tracking.request_header.registry; "
        "print([n for n in sys.modules if n.split('.')[0] == 'feast'])"
    )
    environment = {**os.environ, "TRACEO_MLFLOW_URI": "http://127.0.0.1:9"}
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    assert ran.stdout.splitlines()[-1] == "[]"
