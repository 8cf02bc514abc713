"""The DAG files are the same for every runner; so are the tasks they build, but for what runs them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from airflow.dag_processing.dagbag import DagBag

from components.core.launch.task import StepTask
from components.core.settings import REPOSITORY, settings

pytestmark = pytest.mark.xdist_group("airflow")


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    for name, value in {"HOME": "s3://traceo", "MLFLOW_URI": "http://mlflow:5000"}.items():
        monkeypatch.setenv(f"TRACEO_{name}", value)
    yield monkeypatch
    settings.cache_clear()


def load(environment: pytest.MonkeyPatch, runner: str) -> DagBag:
    environment.setenv("TRACEO_RUNNER", runner)
    settings.cache_clear()
    return DagBag(REPOSITORY / "dags")


def described(bag: DagBag) -> dict[str, dict[str, Any]]:
    """What of each task must not depend on the runner."""
    assert bag.import_errors == {}
    return {
        f"{dag.dag_id}.{task.task_id}": {
            "step": getattr(task, "spec_name", type(task).__name__),
            **{name: getattr(task, name, None) for name in ("inputs", "outputs", "step_params", "outlets", "doc_md")},
            "upstream": sorted(task.upstream_task_ids),
            "retries": (task.retries, task.retry_delay),
            "links": [link.xcom_key for link in task.operator_extra_links],
            "result": task.do_xcom_push,
        }
        for dag in bag.dags.values()
        for task in dag.tasks
    }


def test_every_runner_builds_the_same_tasks(environment: pytest.MonkeyPatch) -> None:
    by_process, by_container, by_pod = (load(environment, name) for name in ("process", "docker", "kubernetes"))
    assert described(by_process) == described(by_container) == described(by_pod)
    kinds = [
        {type(task).__name__ for dag in bag.dags.values() for task in dag.tasks if isinstance(task, StepTask)}
        for bag in (by_process, by_container, by_pod)
    ]
    assert kinds == [{"StepOperator"}, {"StepOperator"}, {"PodOperator"}]


def test_pods_without_a_shared_home_are_refused_when_the_dag_is_read(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("TRACEO_HOME", "/var/lib/traceo")
    errors = load(environment, "kubernetes").import_errors
    assert errors, "Airflow shows import errors on its first page"
    assert all("TRACEO_HOME=/var/lib/traceo is a folder, which a pod does not see" in text for text in errors.values())
