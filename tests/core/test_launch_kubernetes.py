"""Steps as pods, against an emulated Kubernetes API: how they run, end, fail, are killed and are tried again."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowSkipException

from components.actions.specs import CORRELATE
from components.core.errors import InputError, ServiceError, TraceoError
from components.core.launch.airflow import step
from components.core.launch.kubernetes import PodOperator
from components.core.launch.process import ProcessLauncher
from components.core.settings import settings
from tests.core.cluster import Cluster, Life, cluster, waiting
from tests.core.driving import context, dag, execute

pytestmark = pytest.mark.xdist_group("airflow")

FAILURE = ('traceo links: {"report": "HOME/runs/x.html"}', "error: cell 3 raised ValueError: no rows")


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with cluster(tmp_path_factory.mktemp("cluster")) as running:
        yield running


@pytest.fixture
def kubernetes(api: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    """An empty cluster that TRACEO_RUNNER=kubernetes uses, and a home on a shared volume."""
    api.clear()
    given = {"RUNNER": "kubernetes", "HOME": str(tmp_path), "POD_HOME_CLAIM": "home", "POD_NAMESPACE": "traceo"}
    for name, value in {**given, "MLFLOW_URI": "http://mlflow:5000"}.items():
        monkeypatch.setenv(f"TRACEO_{name}", value)
    monkeypatch.setenv("AIRFLOW_CONN_KUBERNETES_DEFAULT", api.connection)
    settings.cache_clear()
    yield api
    settings.cache_clear()


def task(**params: Any) -> PodOperator:
    with dag():
        made = step(CORRELATE, **params)
    assert isinstance(made, PodOperator)
    return made


def test_a_pod_runs_the_command_and_the_task_returns_the_summary(kubernetes: Cluster, tmp_path: Path) -> None:
    """The command that stands in the pod is run for real, and writes what the process runner writes."""
    kubernetes.lives = [Life(real=True)]
    made = task()
    assert execute(made) == {"incidents": 0, "reason": "the lake is empty"}
    uris = {"lake": str(tmp_path / "lake"), "correlated": str(tmp_path / "by_process.json")}
    ProcessLauncher().run(CORRELATE, uris, {})
    in_pod = Path(made.outputs["correlated"])
    assert in_pod.read_bytes() == (tmp_path / "by_process.json").read_bytes()
    assert made.do_xcom_push, "Airflow hands the summary to the tasks that follow"
    assert [*kubernetes.pods] == [], "a pod that succeeded is deleted"


def test_the_log_of_the_pod_is_the_log_of_the_task(kubernetes: Cluster, capsys: pytest.CaptureFixture[str]) -> None:
    kubernetes.lives = [Life(lines=("half way there", "error: no"), exit_code=1)]
    with pytest.raises(TraceoError):
        execute(task())
    logged = capsys.readouterr().out.splitlines()
    assert len([line for line in logged if "] half way there" in line]) == 1


def test_a_summary_outlives_the_log(kubernetes: Cluster) -> None:
    kubernetes.lives = [Life(real=True, ended_long_ago=True)]
    assert execute(task()) == {"incidents": 0, "reason": "the lake is empty"}


def test_a_pod_that_writes_elsewhere_is_found_out(kubernetes: Cluster) -> None:
    kubernetes.lives = [Life(lines=("{}",))]
    with pytest.raises(InputError, match=r"correlated\.json\.meta\.json is not there; Airflow and the pod must reach"):
        execute(task())


@pytest.mark.parametrize(
    ("life", "message"),
    [
        (Life(("error: no such column 'x'",), exit_code=2), "ended with exit code 2: error: no such column 'x'"),
        (
            Life(("working",), exit_code=137, reason="OOMKilled"),
            r"ended with exit code 137: working \(pod .*: OOMKilled: the limit is 1024Mi\)",
        ),
        (
            Life(exit_code=137, end={"reason": "Evicted", "message": "The node was low on resource: memory."}),
            r"ended with exit code 137 \(pod .*: Evicted: The node was low on resource: memory\.\)",
        ),
        (
            Life(exit_code=143, end={"reason": "DeadlineExceeded", "message": "Pod was active too long"}),
            r"ended with exit code 143 \(pod .*: DeadlineExceeded: Pod was active too long\)",
        ),
        (
            Life(stuck={"phase": "Failed", "reason": "Evicted", "message": "The node had condition: [DiskPressure]"}),
            r"did not run to its end \(pod .*: Evicted: The node had condition: \[DiskPressure\]\)",
        ),
        (Life(("working",), vanishes=True), r"did not run to its end \(pod .*: it is gone, deleted or lost with its"),
    ],
    ids=["error", "out of memory", "evicted", "deadline", "evicted before it began", "gone"],
)
def test_the_reason_stands_in_the_error(kubernetes: Cluster, life: Life, message: str) -> None:
    kubernetes.lives = [life]
    with pytest.raises(TraceoError, match=rf"^actions\.correlate {message}"):
        execute(task())
    assert len(kubernetes.pods) == (0 if life.vanishes else 1), "a pod that failed is kept"


@pytest.mark.parametrize("reason", ["InvalidImageName", "ErrImagePull"])
def test_a_pod_that_cannot_start_is_no_evidence(kubernetes: Cluster, reason: str) -> None:
    """It would start once its image is there, beside the retry."""
    kubernetes.lives = [Life(stuck=waiting(reason, "localhost/traceo-actions:dev: not found"))]
    with pytest.raises(
        TraceoError, match=rf"did not run to its end .*{reason}: localhost/traceo-actions:dev: not found"
    ):
        execute(task())
    assert kubernetes.pods == {}


def test_a_pod_that_is_never_scheduled_tells_why(kubernetes: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes fit"}
    kubernetes.lives = [Life(stuck={"phase": "Pending", "conditions": [condition]})]
    made = task()
    made.schedule_timeout_seconds = 0
    with pytest.raises(TraceoError, match="Unschedulable: 0/3 nodes fit"):
        execute(made)
    assert kubernetes.pods == {}


def test_a_refused_pod_tells_why(kubernetes: Cluster) -> None:
    kubernetes.lives = [Life(refused=(403, "pods is forbidden: User cannot create resource"))]
    with pytest.raises(ServiceError, match=r"no pod was made: .* answered 403: pods is forbidden: User cannot create"):
        execute(task())


def test_too_little_data_skips_the_task(kubernetes: Cluster) -> None:
    kubernetes.lives = [Life(("error: two hours so far",), exit_code=3)]
    with pytest.raises(AirflowSkipException, match=r"^two hours so far$"):
        execute(task())
    assert kubernetes.pods == {}, "waiting for data is no failure, so nothing is kept"


def test_a_failure_leaves_its_links(kubernetes: Cluster, tmp_path: Path) -> None:
    kubernetes.lives = [Life(tuple(line.replace("HOME", str(tmp_path)) for line in FAILURE), exit_code=1)]
    made = task()
    with pytest.raises(TraceoError, match="cell 3 raised ValueError"):
        execute(made)
    assert made.links == {"report": "http://127.0.0.1:8082/files/runs/x.html"}


def test_a_retry_after_a_killed_pod_starts_a_new_one(kubernetes: Cluster) -> None:
    kubernetes.lives = [Life(("working",), exit_code=137, reason="OOMKilled"), Life(real=True)]
    first = context(task())
    with pytest.raises(TraceoError, match="OOMKilled"):
        execute(task(), first)
    second = {**context(task(), try_number=2), "task_state_store": first["task_state_store"]}
    assert execute(task(), second) == {"incidents": 0, "reason": "the lake is empty"}
    assert len(kubernetes.created) == 2
    [kept] = kubernetes.pods.values()
    assert kept["metadata"]["labels"]["try_number"] == "1"


def test_a_worker_that_comes_back_follows_the_pod_that_runs(kubernetes: Cluster) -> None:
    kubernetes.lives = [Life(real=True)]
    lost = context(task())
    interrupted = task()
    interrupted.await_pod_start = interrupted.post_complete_action = _die
    with pytest.raises(SystemExit):
        execute(interrupted, lost)
    assert execute(task(), {**context(task(), try_number=2), "task_state_store": lost["task_state_store"]})
    assert len(kubernetes.created) == 1


def _die(**_: Any) -> None:
    raise SystemExit("the worker is gone")


def test_killing_the_task_deletes_the_pod(kubernetes: Cluster) -> None:
    kubernetes.lives = [Life(("working",), hangs=True)]
    made, failures = task(), []

    def run() -> None:
        try:
            execute(made)
        except TraceoError as error:
            failures.append(str(error))

    thread = threading.Thread(target=run)
    thread.start()
    assert kubernetes.followed.wait(timeout=30)
    made.on_kill()
    thread.join(timeout=30)
    assert not thread.is_alive()
    assert kubernetes.pods == {}
    assert "did not run to its end" in failures[0]
