"""Runs one DAG in a real Airflow with a database of its own and tells what its web server then tells of each task."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from components.core.settings import REPOSITORY


def run_dag(file: Path, dag_id: str, folder: Path, **environment: str) -> dict[str, Any]:
    """Run a DAG in a process of its own, with Airflow's files in `folder`; each task's state, fields, links, result."""
    settings = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("TRACEO_", "AIRFLOW"))},
        "AIRFLOW_HOME": str(folder / "airflow"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(file.parent),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        **environment,
    }
    output = folder / "told.json"
    command = [sys.executable, "-m", "tests.core.airflow_run", str(file), dag_id, str(output)]
    done = subprocess.run(command, env=settings, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    told: dict[str, Any] = json.loads(output.read_text())
    return told


def main(file: str, dag_id: str, output: str) -> None:
    from airflow.dag_processing.dagbag import DagBag
    from airflow.utils.db import initdb

    initdb()
    bag = DagBag(file)
    assert bag.import_errors == {}
    dag = bag.dags[dag_id]
    run = dag.test()
    told = {task_id: _told(dag_id, run.run_id, task_id) for task_id in sorted(dag.task_ids)}
    Path(output).write_text(json.dumps(told))


def _told(dag_id: str, run_id: str, task_id: str) -> dict[str, Any]:
    """What the task's page shows: state, rendered inputs and outputs, links, result."""
    client = _client()
    base = f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}"
    page = client.get(base).raise_for_status().json()
    links = client.get(f"{base}/links").raise_for_status().json()["extra_links"]
    result = client.get(f"{base}/xcomEntries/return_value", params={"deserialize": False})
    return {
        "state": page["state"],
        "fields": page["rendered_fields"],
        "links": links,
        "result": result.json().get("value"),
    }


def _client() -> Any:
    from airflow.api_fastapi.app import cached_app
    from fastapi.testclient import TestClient

    client = TestClient(cached_app(apps="all"), base_url="http://localhost")
    token = client.get("/auth/token").json()["access_token"]
    client.headers["Authorization"] = f"Bearer {token}"
    return client


if __name__ == "__main__":
    main(*sys.argv[1:])
