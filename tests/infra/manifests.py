"""Kubernetes objects as plain mappings: rendered by helm or kustomize, read for the checks."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import pytest
import yaml

from components.core.settings import REPOSITORY, Settings
from components.core.spec import specs

INFRA = REPOSITORY / "infra"
CHART = INFRA / "kubernetes" / "chart"
Object = dict[str, Any]


def tool(name: str) -> str:
    """The path of a tool from infra/lint/tools.sh or the PATH; the test is skipped where there is none."""
    found = shutil.which(name, path=f"{REPOSITORY / '.tools/bin'}{os.pathsep}{os.environ.get('PATH', '')}")
    if not found:
        pytest.skip(f"{name} is not installed: infra/lint/tools.sh fetches it")
    return found


def read(text: str) -> list[Object]:
    """The objects of a stream of YAML documents."""
    return [found for found in yaml.safe_load_all(text) if found]


@lru_cache
def rendered(values: str = "", *options: str) -> str:
    """The chart as `helm template` gives it; `values` names a file of the chart's folder."""
    files = ["--values", str(CHART / values)] if values else []
    command = [tool("helm"), "template", "traceo", str(CHART), "--namespace", "traceo", *files, *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=_home())
    assert done.returncode == 0, done.stderr
    return done.stdout


def _home() -> dict[str, str]:
    # Helm looks for plugins and repositories of the user; the checks must not depend on them.
    return {"PATH": os.environ["PATH"], "HOME": "/nonexistent"}


@lru_cache
def kustomized(folder: str) -> str:
    """What `kubectl kustomize` makes of a folder below infra/."""
    command = [tool("kubectl"), "kustomize", str(INFRA / folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=_home())
    assert done.returncode == 0, done.stderr
    return done.stdout


@dataclass(frozen=True)
class Pod:
    """A pod that some object makes: who makes it, its labels and its spec."""

    owner: str
    labels: Mapping[str, str]
    spec: Object

    @property
    def containers(self) -> list[Object]:
        return self.spec["containers"]

    @property
    def every_container(self) -> list[Object]:
        return [*self.spec.get("initContainers", []), *self.containers]

    def ports(self) -> dict[str, int]:
        """Port numbers by name."""
        return {p["name"]: p["containerPort"] for c in self.containers for p in c.get("ports", []) if "name" in p}


def ref(found: Object) -> str:
    return f"{found['kind']}/{found['metadata']['name']}"


def of_kind(objects: list[Object], *kinds: str) -> list[Object]:
    return [found for found in objects if found["kind"] in kinds]


def pods(objects: list[Object]) -> Iterator[Pod]:
    """The pods of workloads, of InferenceServices, and the one that Airflow's executor makes from its template."""
    for found in of_kind(objects, "Deployment", "StatefulSet", "Job"):
        template = found["spec"]["template"]
        yield Pod(ref(found), template["metadata"]["labels"], template["spec"])
    for found in of_kind(objects, "InferenceService"):
        for predictor in predictors(found):
            yield Pod(ref(found), predictor["labels"], predictor)
    for found in of_kind(objects, "ConfigMap"):
        for content in found["data"].values():
            if content.startswith("apiVersion: v1\nkind: Pod\n"):
                pod = yaml.safe_load(content)
                yield Pod(f"Pod of {ref(found)}", pod["metadata"]["labels"], pod["spec"])


def predictors(service: Object) -> list[Object]:
    """The predictor of an InferenceService and those of its canaries."""
    return [service["spec"]["predictor"], *(one["predictor"] for one in service["spec"].get("canary", []))]


def step_pods() -> list[Mapping[str, str]]:
    """The labels of the pods that Airflow starts for steps."""
    from components.core.launch.pods import labels

    return [labels(spec, Settings()) for spec in specs()]


def selects(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Whether a label selector matches; an empty one matches everything."""
    assert set(selector) <= {"matchLabels"}, f"selector {selector} is beyond what the checks read"
    return selector.get("matchLabels", {}).items() <= labels.items()
