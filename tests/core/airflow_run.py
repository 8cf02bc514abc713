"""Runs one DAG in a real Airflow with a database of its own and writes, as JSON, what its web server then tells.

Called as `python -m tests.core.airflow_run FILE.py DAG OUTPUT.json`, with AIRFLOW_HOME naming an empty folder.
"""

from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path
from typing import Any


def main(file: str, dag_id: str, output: str) -> None:
    from airflow.utils.db import initdb

    initdb()
    dag = next(found for found in runpy.run_path(file).values() if getattr(found, "dag_id", None) == dag_id)
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
