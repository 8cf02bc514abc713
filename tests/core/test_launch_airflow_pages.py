"""The page of a step's task in a real Airflow: inputs, outputs, links and result, after success and after failure."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.core.airflow_run import run_dag
from tests.core.cluster import Life, cluster

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("airflow")]

#: `scripted` runs a step as a process, and lets the one of the task `fails` fail after that.
DAG = """
from airflow.sdk import DAG
from components.actions.specs import CORRELATE
from components.core.errors import TraceoError
from components.core.launch import LAUNCHERS
from components.core.launch.airflow import step
from components.core.launch.process import ProcessLauncher
from components.core.settings import settings


class Scripted(ProcessLauncher):
    def run(self, spec, uris, params):
        summary = super().run(spec, uris, params)
        if "/fails/" not in uris["correlated"]:
            return summary
        links = {"mlflow_run_id": "abc", "report": settings().home + "/runs/x.html"}
        raise TraceoError("cell 3 raised ValueError: no rows", links=links)


LAUNCHERS["scripted"] = Scripted
with DAG("linked", schedule=None) as dag:
    step(CORRELATE, task_id="works") >> step(CORRELATE, task_id="fails")
"""
RUN = {"run": {"info": {"run_id": "abc", "experiment_id": "7", "status": "FINISHED", "artifact_uri": "s3://b/a"}}}


@pytest.mark.parametrize("runner", ["scripted", "kubernetes"])
def test_the_page_shows_what_a_step_read_wrote_and_left(tmp_path: Path, runner: str) -> None:
    home = str(tmp_path / "home")
    links = json.dumps({"mlflow_run_id": "abc", "report": f"{home}/runs/x.html"})
    with cluster(tmp_path) as api:
        api.emulator["get /api/2.0/mlflow/runs/get"] << RUN
        failing = Life((f"traceo links: {links}", "error: cell 3 raised ValueError: no rows"), exit_code=1)
        api.lives = [Life(real=True), failing]
        found = told(tmp_path, runner, home, api.connection, str(api.emulator.url))
        assert len(api.pods) == (1 if runner == "kubernetes" else 0), "the pod that failed is kept"
    outputs = {task: found[task]["fields"]["outputs"]["correlated"] for task in found}
    assert {task: page["state"] for task, page in found.items()} == {"works": "success", "fails": "failed"}
    assert found["works"]["result"] == {"incidents": 0, "reason": "the lake is empty"}
    assert Path(outputs["works"]).exists()
    assert outputs["fails"].endswith("/fails/correlated.json")
    assert found["fails"]["fields"]["inputs"] == {"lake": f"{home}/lake"}
    assert found["fails"]["links"] == {
        "MLflow run": "https://mlflow.example/#/experiments/7/runs/abc",
        "Report": "https://console.example/files/runs/x.html",
    }


def told(folder: Path, runner: str, home: str, connection: str, mlflow: str) -> dict[str, Any]:
    """Run the DAG; what Airflow's web server tells of each task."""
    (folder / "dags").mkdir()
    (folder / "dags" / "linked.py").write_text(DAG)
    environment = {
        "AIRFLOW_CONN_KUBERNETES_DEFAULT": connection,
        "TRACEO_RUNNER": runner,
        "TRACEO_HOME": home,
        "TRACEO_POD_HOME_CLAIM": "home",
        "TRACEO_POD_NAMESPACE": "traceo",
        "TRACEO_MLFLOW_URI": mlflow,
        "TRACEO_MLFLOW_PAGE": "https://mlflow.example",
        "TRACEO_CONSOLE_PAGE": "https://console.example",
    }
    return run_dag(folder / "dags" / "linked.py", "linked", folder, **environment)
