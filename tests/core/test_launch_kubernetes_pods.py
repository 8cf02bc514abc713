"""The pod of every step: as reviewed, valid for Kubernetes, held to its Spec; and each check catches its mutation."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from typing import Any

import pytest

from components.core.errors import ParamsError
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
