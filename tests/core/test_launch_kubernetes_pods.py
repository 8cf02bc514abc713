"""The pod of every step: as reviewed, valid for Kubernetes, held to its Spec; and each check catches its mutation."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import SecretStr

from components.core.errors import ParamsError, SettingsError
from components.core.launch import pods as making
from components.core.settings import Settings
from components.core.spec import specs
from tests.core import pod_checks
from tests.core.golden_pods import FOLDER, SECRETS, render

pytestmark = pytest.mark.xdist_group("airflow")

Pods = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def pods() -> Pods:
    return render()


def test_every_step_has_a_pod(pods: Pods) -> None:
    assert {pod["metadata"]["labels"]["step"] for pod in pods.values()} == {spec.name for spec in specs()}
    assert sorted(pods) == sorted(path.stem for path in FOLDER.glob("*.yaml")), "run `make goldens`"


@pytest.mark.parametrize("check", pod_checks.CHECKS, ids=lambda check: check.__name__)
def test_every_pod_passes(pods: Pods, check: Callable[[str, Any], None]) -> None:
    for name, pod in pods.items():
        check(name, pod)


def _misspell(pod: Any, container: Any) -> None:
    container["resource"] = container.pop("resources")


def _drop_resources(pod: Any, container: Any) -> None:
    del container["resources"]


def _halve_memory(pod: Any, container: Any) -> None:
    container["resources"]["limits"]["memory"] = "512Mi"


def _inline_a_secret(pod: Any, container: Any) -> None:
    container["env"].append({"name": "AWS_SECRET_ACCESS_KEY", "value": SECRETS["AWS_SECRET_ACCESS_KEY"]})


def _run_as_root(pod: Any, container: Any) -> None:
    pod["spec"]["securityContext"]["runAsUser"] = 0


def _allow_writes(pod: Any, container: Any) -> None:
    container["securityContext"]["readOnlyRootFilesystem"] = False


def _rename_a_parameter(pod: Any, container: Any) -> None:
    container["args"][-1] = '{"decided": "2026-03-01T00:00:00Z"}'


def _rename_a_port(pod: Any, container: Any) -> None:
    container["args"][1] = "--judgement"


def _change_the_account(pod: Any, container: Any) -> None:
    pod["spec"]["serviceAccountName"] = "default"


@pytest.mark.parametrize(
    ("mutate", "check", "message"),
    [
        (_misspell, pod_checks.schema, "('resource' was unexpected)"),
        (
            _drop_resources,
            pod_checks.resources,
            "resources are None, its Spec says {'cpu': '1000m', 'memory': '1024Mi'}",
        ),
        (_halve_memory, pod_checks.resources, "'memory': '512Mi'"),
        (_inline_a_secret, pod_checks.no_secret, "the value of AWS_SECRET_ACCESS_KEY stands in the pod"),
        (_run_as_root, pod_checks.restricted, "lacks non-root"),
        (_allow_writes, pod_checks.restricted, "lacks read-only root"),
        (_rename_a_parameter, pod_checks.command, "parameter 'decided'"),
        (_rename_a_port, pod_checks.command, "not {'--judgement':"),
        (_change_the_account, pod_checks.golden, "run `make goldens` and read the difference"),
    ],
    ids=lambda value: value.__name__.lstrip("_") if callable(value) else "",
)
def test_a_mutation_is_caught(
    pods: Pods, mutate: Callable[[Any, Any], None], check: Callable[[str, Any], None], message: str
) -> None:
    name = "traceo_rollout.promote_anomaly"
    mutant = copy.deepcopy(pods[name])
    mutate(mutant, mutant["spec"]["containers"][0])
    with pytest.raises((AssertionError, ParamsError), match=re.escape(message)):
        check(name, mutant)


def test_labels_and_names_are_made_safe() -> None:
    labels = making.labels(specs("anomaly")[0], Settings(image_tag="v" * 80 + "_"))
    assert all(re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?", value) for value in labels.values())


def test_run_and_dag_are_labels(pods: Pods) -> None:
    labels = pods["traceo_rollout.promote_anomaly"]["metadata"]["labels"]
    assert (labels["dag_id"], labels["task_id"]) == ("traceo_rollout", "promote_anomaly")
    assert re.fullmatch(r"manual__2026-01-01T[0-9]+-[0-9a-f]{9}", labels["run_id"]), "a colon is no part of a label"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"home": "/var/traceo"}, "TRACEO_HOME=/var/traceo is a folder, which a pod does not see"),
        ({"lake": "/var/lake"}, "TRACEO_LAKE=/var/lake is a folder, which a pod does not see"),
        ({"home": "/var/traceo", "pod_home_claim": "home", "lake": "/var/lake"}, "TRACEO_LAKE=/var/lake is a folder"),
        ({"pod_home_claim": "home"}, "must be an absolute path for that, not s3://traceo"),
        ({"home": "traceo", "pod_home_claim": "home"}, "must be an absolute path for that, not traceo"),
        ({"mlflow_uri": None}, "TRACEO_MLFLOW_URI= names no server, and pods share no database file"),
        ({"mlflow_uri": "sqlite:////m.db"}, "TRACEO_MLFLOW_URI=sqlite:////m.db names no server"),
        ({"mlflow_uri": "postgresql://u:p@db/mlflow"}, "TRACEO_MLFLOW_URI=postgresql://db/mlflow names no server"),
    ],
)
def test_what_a_pod_could_not_reach_is_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=re.escape(message)):
        making.check(Settings(**{"home": "s3://traceo", "mlflow_uri": "http://mlflow:5000", **given}))


def test_a_shared_volume_is_mounted_at_home() -> None:
    found = Settings(home="/var/traceo", lake="/var/traceo/a/lake", pod_home_claim="c", mlflow_uri="http://mlflow:5000")
    making.check(found)
    assert [(mount.name, mount.mount_path) for mount in making.mounts(found)] == [
        ("scratch", "/tmp"),
        ("home", "/var/traceo"),
    ]
    assert making.volumes(found)[1].persistent_volume_claim.claim_name == "c"


def test_settings_of_the_launching_side_stay_there() -> None:
    found = Settings(
        **{"runner": "kubernetes", "image_tag": "1", "pod_secret": "s", "docker_network": "n", "home": "s3://traceo"},
        **{"kfp_token": SecretStr("k"), "log_receiver_token": SecretStr("l"), "allowed_hosts": "*"},
        console_page="https://c",
    )
    assert [variable.name for variable in making.environment(found)] == ["HOME", "TRACEO_CONSOLE_PAGE", "TRACEO_HOME"]
