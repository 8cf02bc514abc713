"""What the DAG files wire: schedules, retries, and that every step gets the inputs its Spec asks for."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

os.environ.setdefault("AIRFLOW__CORE__LOAD_EXAMPLES", "False")
os.environ.setdefault("AIRFLOW__CORE__UNIT_TEST_MODE", "False")

from airflow.dag_processing.dagbag import DagBag
from airflow.sdk import DAG

from components.core.launch.airflow import CHALLENGER, CHAMPION, DRIFT, LAKE
from components.core.launch.task import StepTask
from components.core.settings import REPOSITORY
from components.core.spec import Port, specs
from components.notebook import specs as notebook_specs

pytestmark = pytest.mark.xdist_group("airflow")

FOLDER = REPOSITORY / "dags"
IDS = (
    "traceo_drift",
    "traceo_ingest",
    "traceo_logs",
    "traceo_notebooks",
    "traceo_retrain",
    "traceo_rollout",
    "traceo_score",
)


@pytest.fixture(scope="module")
def dags() -> dict[str, DAG]:
    bag = DagBag(FOLDER)
    assert bag.import_errors == {}
    return bag.dags


def steps(dag: DAG) -> dict[str, StepTask]:
    return {task.task_id: task for task in dag.tasks if isinstance(task, StepTask)}


def test_every_file_is_one_dag(dags: dict[str, DAG]) -> None:
    assert sorted(dags) == sorted(IDS) == sorted(path.stem for path in FOLDER.glob("*.py"))


@pytest.mark.parametrize("name", IDS)
def test_the_habits_of_every_dag(dags: dict[str, DAG], name: str) -> None:
    dag = dags[name]
    assert dag.catchup is False
    assert dag.max_active_runs == 1
    assert dag.tags == {"traceo"}
    assert dag.doc_md
    assert all(task.retries >= 2 for task in dag.tasks)
    assert len((FOLDER / f"{name}.py").read_text().splitlines()) <= 60


@pytest.mark.parametrize("name", IDS)
def test_every_step_gets_its_inputs(dags: dict[str, DAG], name: str) -> None:
    known = {spec.name: spec for spec in specs()}
    for task in steps(dags[name]).values():
        spec = known[task.spec_name]
        needed = {port.name for port in spec.inputs if not port.optional}
        assert needed <= set(task.inputs), f"{task.task_id} lacks {needed - set(task.inputs)}"
        assert set(task.outputs) == {port.name for port in spec.outputs}
        assert set(task.step_params) <= set(spec.params.model_fields)
        upstream_outputs = {
            uri for upstream in task.upstream_list if hasattr(upstream, "outputs") for uri in upstream.outputs.values()
        }
        assert {uri for uri in task.inputs.values() if "/runs/" in uri} <= upstream_outputs


def test_notebooks_are_scheduled_as_they_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is malformed is not found, and one that needs what no task makes is left to other DAGs."""
    found = {spec.step: spec for spec in notebook_specs.SPECS}
    foreign = Port("labels", "table", "what no task of this DAG makes")
    needy = replace(found["exploring_the_lake"], name="notebook.needy", inputs=(foreign,))
    monkeypatch.setattr(notebook_specs, "SPECS", [found["reading_drift"], needy])
    bag = DagBag(FOLDER / "traceo_notebooks.py")
    assert bag.import_errors == {}
    assert set(steps(bag.dags["traceo_notebooks"])) == {"quality_drift", "notebook_reading_drift"}


def test_every_step_is_scheduled_somewhere(dags: dict[str, DAG]) -> None:
    scheduled = {task.spec_name for dag in dags.values() for task in steps(dag).values()}
    assert scheduled == {spec.name for spec in specs()}


@pytest.mark.parametrize(
    ("name", "edges"),
    [
        ("traceo_ingest", [("telemetry_ingest", "quality_validate"), ("quality_validate", "features_build")]),
        ("traceo_score", [("anomaly_score", "actions_correlate"), ("actions_correlate", "rootcause_diagnose")]),
        ("traceo_score", [("logs_mine", "actions_correlate"), ("rootcause_diagnose", "actions_alert")]),
        ("traceo_retrain", [("features_training_set", "anomaly_train"), ("anomaly_train", "register_anomaly")]),
        ("traceo_rollout", [("fetch_anomaly", "anomaly_evaluate"), ("gate_anomaly", "promote_anomaly")]),
    ],
)
def test_order_within_a_dag(dags: dict[str, DAG], name: str, edges: list[tuple[str, str]]) -> None:
    for before, after in edges:
        assert after in dags[name].get_task(before).downstream_task_ids


def test_assets_connect_the_dags(dags: dict[str, DAG]) -> None:
    told = {asset for dag in dags.values() for task in dag.tasks for asset in task.outlets}
    assert told == {LAKE, CHALLENGER, CHAMPION, DRIFT}
    assert LAKE in dags["traceo_ingest"].get_task("features_build").outlets
    assert CHALLENGER in dags["traceo_retrain"].get_task("register_forecasting").outlets
    assert CHAMPION in dags["traceo_rollout"].get_task("promote_forecasting").outlets


def test_reading_a_dag_file_loads_no_platform() -> None:
    """Airflow reads the files again and again; MLflow or Feast in them would cost seconds each time."""
    code = f"import runpy, sys; runpy.run_path({str(FOLDER / 'traceo_score.py')!r}); print(' '.join(sys.modules))"
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    loaded = {name.split(".")[0] for name in done.stdout.split()}
    platforms = {"mlflow", "feast", "great_expectations", "evidently", "prophet", "sklearn", "kserve", "kubernetes"}
    assert loaded & platforms == set()


def test_dag_files_read_no_environment_and_hold_no_algorithm() -> None:
    for path in FOLDER.glob("*.py"):
        text = Path(path).read_text()
        assert not any(word in text for word in ("os.environ", "getenv", "import polars", "import pandas", "SELECT "))
