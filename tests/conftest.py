"""What several rooms' tests share: a fresh MLflow database per test, a tiny model for it, the world of all steps."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from components.core.settings import settings
from tests.world import CHAIN, World


@pytest.fixture(scope="session")
def _migrated_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An MLflow database with its tables; migrating one takes seconds, copying it none."""
    import mlflow

    path = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    mlflow.MlflowClient(f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture
def mlflow_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, _migrated_database: Path) -> Iterator[Path]:
    """A TRACEO_HOME of this test alone, its MLflow on a plain database; yields the home."""
    home = tmp_path / "home"
    (home / "mlflow").mkdir(parents=True)
    shutil.copy(_migrated_database, home / "mlflow" / "mlflow.db")
    monkeypatch.setenv("TRACEO_HOME", str(home))
    monkeypatch.delenv("TRACEO_MLFLOW_URI", raising=False)
    settings.cache_clear()
    yield home
    settings.cache_clear()


@pytest.fixture
def scaling_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[float], Path]:
    """Writes a model folder that `tests/scaling_loader.py` loads; that loader is allowed for the test."""
    from components.core import tracking

    monkeypatch.setattr(tracking, "_LOADERS", ("components.", "tests.scaling_loader"))

    def write(factor: float, name: str = "traceo-anomaly") -> Path:
        folder = tmp_path / f"model-{name}-{factor}"
        folder.mkdir(exist_ok=True)
        content = {"name": name, "loader_module": "tests.scaling_loader", "factor": factor}
        (folder / "model.json").write_text(json.dumps(content))
        return folder

    return write


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Every link run once; what each found is kept under `before/<label>`.

    TRACEO_TEST_WORLD names one that was made already: a container holds the code of its own steps alone.
    """
    prepared = os.environ.get("TRACEO_TEST_WORLD")
    root = Path(prepared) if prepared else tmp_path_factory.mktemp("world")
    previous = {name: os.environ.get(name) for name in ("TRACEO_HOME", "TRACEO_MODEL_SERVER_URL", "TRACEO_MLFLOW_URI")}
    os.environ["TRACEO_HOME"] = str(root)
    for name in ("TRACEO_MODEL_SERVER_URL", "TRACEO_MLFLOW_URI"):
        os.environ.pop(name, None)
    settings.cache_clear()
    made = World(root)
    for link in CHAIN if not prepared else ():
        made.keep(link)
        made.run(link)
    yield made
    for name, value in previous.items():
        os.environ.pop(name, None)
        if value is not None:
            os.environ[name] = value
    settings.cache_clear()


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A bucket of a small S3 server in this process, as s3://traceo; what it holds stays for the whole process."""
    from moto.server import ThreadedMotoServer

    from components.core import storage

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    environment = {"AWS_ENDPOINT_URL": f"http://{host}:{port}", "AWS_ACCESS_KEY_ID": "test"}
    environment |= {"AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    storage._s3.cache_clear()
    storage._s3().create_bucket(Bucket="traceo")
    yield "s3://traceo"
    server.stop()
    storage._s3.cache_clear()
