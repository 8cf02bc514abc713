"""Airflow's REST API, as far as the local stack needs it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import httpx

from components.core.errors import ServiceError

#: The notebooks are last: nobody waits for them, they run once everything else has.
DAGS = ("traceo_ingest", "traceo_retrain", "traceo_rollout", "traceo_score", "traceo_drift", "traceo_notebooks")


@dataclass(frozen=True)
class Run:
    """One DAG run and the states of its tasks."""

    dag: str
    run_id: str
    state: str
    tasks: dict[str, str]
    durations_s: dict[str, float]


class AirflowApi:
    """A client with the admin's token; the token is fetched again when it has run out."""

    def __init__(self, url: str, password: str) -> None:
        self._http = httpx.Client(base_url=url, timeout=30)
        self._password = password

    def dags(self) -> dict[str, bool]:
        """DAG ids with whether each is paused."""
        return {dag["dag_id"]: dag["is_paused"] for dag in self._call("GET", "/api/v2/dags")["dags"]}

    def import_errors(self) -> list[str]:
        errors = self._call("GET", "/api/v2/importErrors")["import_errors"]
        return [f"{error['filename']}: {error['stack_trace'].strip().splitlines()[-1]}" for error in errors]

    def unpause(self, dag: str) -> None:
        self._call("PATCH", f"/api/v2/dags/{dag}", json={"is_paused": False})

    def pause(self, dag: str) -> None:
        self._call("PATCH", f"/api/v2/dags/{dag}", json={"is_paused": True})

    def trigger(self, dag: str) -> str:
        """Start a run now; returns its id."""
        run_id: str = self._call("POST", f"/api/v2/dags/{dag}/dagRuns", json={"logical_date": None})["dag_run_id"]
        return run_id

    def last_run(self, dag: str) -> str | None:
        """The id of the run that was started last."""
        query = {"order_by": "-id", "limit": 1}
        runs = self._call("GET", f"/api/v2/dags/{dag}/dagRuns", params=query)["dag_runs"]
        return runs[0]["dag_run_id"] if runs else None

    def run(self, dag: str, run_id: str) -> Run:
        state = self._call("GET", f"/api/v2/dags/{dag}/dagRuns/{run_id}")["state"]
        tasks = self._call("GET", f"/api/v2/dags/{dag}/dagRuns/{run_id}/taskInstances")["task_instances"]
        states = {task["task_id"]: task["state"] or "waiting" for task in tasks}
        durations = {task["task_id"]: float(task["duration"] or 0) for task in tasks}
        return Run(dag, run_id, state, states, durations)

    def _call(self, method: str, path: str, **options: Any) -> Any:
        for attempt in range(5):
            try:
                response = self._http.request(method, path, **options)
                if response.status_code == 401 and attempt < 4:
                    self._sign_in()
                    continue
                response.raise_for_status()
                return response.json()
            except httpx.HTTPStatusError as error:
                raise ServiceError(
                    f"Airflow {method} {path}: HTTP {error.response.status_code}: {error.response.text[:300]}"
                ) from None
            except httpx.HTTPError as error:
                # The API server may be starting again; supervisord sees to that.
                if method != "GET" or attempt == 4:
                    raise ServiceError(f"Airflow {method} {path}: {error!r}") from None
                time.sleep(2)
        raise ServiceError(f"Airflow {method} {path}: the password was refused")

    def _sign_in(self) -> None:
        response = self._http.post("/auth/token", json={"username": "admin", "password": self._password})
        response.raise_for_status()
        self._http.headers["Authorization"] = f"Bearer {response.json()['access_token']}"
