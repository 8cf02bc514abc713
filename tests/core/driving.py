"""Runs one Airflow task as the task runner does, without Airflow's database."""

from __future__ import annotations

import contextvars
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

from airflow.sdk import DAG, BaseOperator
from airflow.sdk.bases.operator import ExecutorSafeguard

RUN_ID = "manual__2026-01-01T00:00:00+00:00"


class StateStore(dict[str, Any]):
    """What Airflow remembers of a task between its tries."""

    def set(self, key: str, value: Any) -> None:
        self[key] = value


def context(task: BaseOperator, conf: Mapping[str, Any] | None = None, try_number: int = 1) -> dict[str, Any]:
    """The part of the task runner's context that a step's task reads."""
    pushed: dict[str, Any] = {}
    ti = SimpleNamespace(
        dag_id=task.dag.dag_id,
        task_id=task.task_id,
        map_index=-1,
        try_number=try_number,
        xcom_push=lambda key, value: pushed.update({key: value}),
    )
    return {
        "ti": ti,
        "dag": task.dag,
        "run_id": RUN_ID,
        "dag_run": SimpleNamespace(conf=dict(conf or {}), run_after=SimpleNamespace(isoformat=lambda: "2026-01-01")),
        "outlet_events": {outlet: SimpleNamespace(extra={}) for outlet in task.outlets},
        "task_state_store": StateStore(),
        "pushed": pushed,
    }


def execute(task: BaseOperator, given: dict[str, Any] | None = None) -> Any:
    """Render the task's templates and execute it; returns its result, raises what it raises."""
    given = given or context(task)
    task.render_template_fields(given)
    inside = contextvars.copy_context()
    # Airflow refuses to execute an operator that its runner did not begin.
    inside.run(ExecutorSafeguard.tracker.set, task)
    return inside.run(task.execute, given)


def dag() -> DAG:
    return DAG("a_dag", schedule=None)
