"""The pod of every step as the Kubernetes API receives it: of each task of `dags/`, and of steps that no DAG has.

`python -m tests.core.golden_pods` writes them anew to `golden/pods`; read the difference before you commit it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import yaml

from components.core.settings import REPOSITORY, settings
from tests.core.cluster import Cluster, Life, cluster

FOLDER = Path(__file__).parent / "golden" / "pods"
#: What must stand in no pod.
SECRETS = {
    "TRACEO_ALERTMANAGER_TOKEN": "token-7f3a",
    "TRACEO_KFP_TOKEN": "token-c215",
    "TRACEO_LOG_RECEIVER_TOKEN": "token-08be",
    "TRACEO_MODEL_SERVER_URL": "http://scorer:password-91bc@models:8081",
    "AWS_SECRET_ACCESS_KEY": "key-44d0",
}
GIVEN = {
    "TRACEO_RUNNER": "kubernetes",
    "TRACEO_HOME": "s3://traceo",
    "TRACEO_POD_NAMESPACE": "traceo",
    "TRACEO_MLFLOW_URI": "http://mlflow:5000",
    "TRACEO_ALERTMANAGER_URL": "http://alertmanager:9093",
    "TRACEO_IMAGE_PREFIX": "registry.example/traceo-",
    "TRACEO_IMAGE_TAG": "1.0.0",
    **SECRETS,
}


def render() -> dict[str, dict[str, Any]]:
    """Every pod by the name of its file: `<dag>.<task>` or, for a step that no DAG has, `<step>`."""
    with TemporaryDirectory() as folder, cluster(Path(folder)) as api, _environment(api):
        from airflow.dag_processing.dagbag import DagBag

        bag = DagBag(REPOSITORY / "dags")
        assert bag.import_errors == {}
        tasks = {f"{dag_id}.{task.task_id}": task for dag_id, dag in bag.dags.items() for task in dag.tasks}
        steps = {name: task for name, task in tasks.items() if hasattr(task, "spec_name")}
        steps.update(_unscheduled({task.spec_name for task in steps.values()}))
        return {name: _pod(task, api) for name, task in sorted(steps.items())}


@contextmanager
def _environment(api: Cluster) -> Iterator[None]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TRACEO_")}
    given = {**kept, **GIVEN, "AIRFLOW_CONN_KUBERNETES_DEFAULT": api.connection}
    # Whether an optional input is there is asked of the store, and there is none behind s3://traceo.
    with patch.dict(os.environ, given, clear=True), patch("components.core.storage.exists", return_value=True):
        settings.cache_clear()
        yield
    settings.cache_clear()


def _unscheduled(scheduled: set[str]) -> dict[str, Any]:
    from airflow.sdk import DAG, BaseOperator

    from components.core.launch.airflow import step
    from components.core.spec import specs

    with DAG("unscheduled", schedule=None):
        before = BaseOperator(task_id="before")
        return {
            spec.name: step(spec, uses={port.name: before for port in spec.inputs if port.kind != "lake"})
            for spec in specs()
            if spec.name not in scheduled
        }


def _pod(task: Any, api: Cluster) -> dict[str, Any]:
    from components.core.errors import ServiceError
    from tests.core.driving import execute

    api.clear()
    api.lives = [Life(refused=(403, "seen enough"))]
    try:
        execute(task)
    except ServiceError:
        [pod] = api.created
    pod["metadata"]["name"] = re.sub(r"-[a-z0-9]{8}$", "-00000000", pod["metadata"]["name"])
    return pod


def text(pod: Mapping[str, Any]) -> str:
    return yaml.safe_dump(dict(pod), sort_keys=True, width=120)


def main() -> None:
    pods = render()
    FOLDER.mkdir(parents=True, exist_ok=True)
    for path in FOLDER.glob("*.yaml"):
        path.unlink()
    for name, pod in pods.items():
        (FOLDER / f"{name}.yaml").write_text(text(pod))


if __name__ == "__main__":
    main()
