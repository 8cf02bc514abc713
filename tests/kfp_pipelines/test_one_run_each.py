"""The same steps on the same input as a DAG of processes, a DAG of containers and a Kubeflow run: identical hashes."""

from pathlib import Path
from typing import Any

import pytest
from kfp import local

from kfp_pipelines.compilation import find_pipeline
from tests.containers.conftest import engine
from tests.core.airflow_run import run_dag
from tests.kfp_pipelines.local_dag import run_pipeline
from tests.kfp_pipelines.test_local_runs import ANCHOR, home
from tests.kfp_pipelines.test_pipelines_in_containers import LOG_PIPELINE, ONE_DAY, need, runner
from tests.world import fingerprint

__all__ = ["engine", "home", "runner"]  # fixtures

pytestmark = pytest.mark.containers
#: The steps of the pipeline traceo-logs, as Airflow has them.
DAG = f"""
from airflow.sdk import DAG
from components.core.launch.airflow import step
from components.features.specs import BUILD
from components.logs.specs import MINE
from components.quality.specs import VALIDATE
from components.telemetry.specs import INGEST

with DAG("logs", schedule=None) as dag:
    step(INGEST, **{ONE_DAY!r}) >> step(VALIDATE) >> [step(MINE, as_of={ANCHOR!r}), step(BUILD, as_of={ANCHOR!r})]
"""
ARTIFACTS = {"telemetry-ingest": "ingested", "logs-mine": "mined", "features-build": "built"}


def test_one_run_each_by_process_container_and_kubeflow_leaves_identical_hashes(
    engine: Any, runner: local.DockerRunner, home: Path, tmp_path: Path
) -> None:
    need(engine, *LOG_PIPELINE)
    arguments = {"lake": str(home / "lake"), "telemetry_ingest_params": ONE_DAY}
    run = run_pipeline(find_pipeline("traceo-logs"), tmp_path / "run", arguments, runner=runner)
    assert run.failure is None
    assert run.tasks["observe"]["as_of"] == ANCHOR
    by_kubeflow = {task: fingerprint(run.artifact(task, port)) for task, port in ARTIFACTS.items()}
    by_process, by_container = (airflow(tmp_path / name, name) for name in ("process", "docker"))
    assert len(fingerprint(home / "lake")) > 10
    assert hashes(by_process) == hashes(by_container) == {"lake": fingerprint(home / "lake"), **by_kubeflow}


def airflow(folder: Path, runner: str) -> Path:
    """Run the DAG in a real Airflow with one of the runners; returns the TRACEO_HOME it leaves."""
    file, home = folder / "dags" / "logs.py", folder / "home"
    file.parent.mkdir(parents=True)
    file.write_text(DAG)
    told = run_dag(file, "logs", folder, TRACEO_RUNNER=runner, TRACEO_HOME=str(home))
    assert {task: page["state"] for task, page in told.items()} == dict.fromkeys(told, "success")
    return home


def hashes(home: Path) -> dict[str, dict[str, str]]:
    """sha256 of every file of the lake, and of each task's artifact with its sidecar."""
    [run] = (home / "runs" / "logs").iterdir()
    found = {"lake": fingerprint(home / "lake")}
    for task, port in ARTIFACTS.items():
        files = fingerprint(run / task.replace("-", "_"))
        found[task] = {name: digest for name, digest in files.items() if name.split(".")[0] == port}
        assert len(found[task]) == 2, files
    return found
