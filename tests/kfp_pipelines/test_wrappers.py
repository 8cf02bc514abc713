"""Every wrapper says the same as its Spec; what differs is named by the check that finds it."""

import dataclasses
import importlib
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from kfp import dsl
from pydantic import Field

from components.core.errors import InputError
from components.core.settings import settings
from components.core.spec import Port, Spec, domains, specs
from kfp_pipelines import wrappers
from kfp_pipelines.checks import wrapper_problems
from kfp_pipelines.component import component, find

SPECS = specs()
GATE = find("lifecycle.gate")
each = pytest.mark.parametrize("spec", SPECS, ids=[spec.name for spec in SPECS])


def wrapper(spec: Spec) -> Any:
    return getattr(importlib.import_module(f"kfp_pipelines.steps.{spec.domain}"), wrappers.function_name(spec))


@each
def test_a_wrapper_says_the_same_as_its_spec(spec: Spec) -> None:
    assert list(wrapper_problems(wrapper(spec), spec)) == []


@pytest.mark.parametrize("domain", domains())
def test_the_wrappers_are_generated_from_the_specs_of_today(domain: str) -> None:
    """Where this fails: `make pipelines`, and commit what it wrote."""
    path = wrappers.FOLDER / f"{domain}.py"
    assert (path.read_text() if path.exists() else "") == (wrappers.source_of(domain) if specs(domain) else "")


def test_writing_removes_what_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wrappers, "FOLDER", tmp_path)
    (tmp_path / "retired.py").write_text("")
    wrappers.write()
    assert {path.stem for path in tmp_path.glob("*.py")} == {"__init__", *(spec.domain for spec in SPECS)}


# --- mutations: a Spec that moved on without its wrapper ----------------------------------------------------


class WithInstant(GATE.params):  # type: ignore[name-defined,misc]
    decided_at: datetime | None = Field(default=None, description="when")


MUTATIONS = {
    "a port was renamed": (
        {"outputs": (Port("judgement", "json", "x"),)},
        "wrapper-ports: lifecycle.gate: 'judgement' is None, the Spec says system.Artifact",
    ),
    "a port became optional": (
        {"inputs": (dataclasses.replace(GATE.inputs[0], optional=True), *GATE.inputs[1:])},
        "wrapper-ports: lifecycle.gate: 'evaluation' is ('system.Artifact', False), "
        "the Spec says ('system.Artifact', True)",
    ),
    "a port became a table": (
        {"outputs": (Port("verdict", "table", "x"),)},
        "wrapper-ports: lifecycle.gate: 'verdict' is system.Artifact, the Spec says system.Dataset",
    ),
    "the step reads the lake": (
        {"inputs": (*GATE.inputs, Port("lake", "lake", "x"))},
        "wrapper-params: lifecycle.gate: 'lake' is None, the Spec says ('String', False)",
    ),
    "a parameter that is an instant came": (
        {"params": WithInstant},
        "wrapper-params: lifecycle.gate: 'decided_at' is None, the Spec says ('String', True)",
    ),
}


@pytest.mark.parametrize(("change", "problem"), MUTATIONS.values(), ids=list(MUTATIONS))
def test_a_spec_that_moved_on_is_noticed(change: dict[str, Any], problem: str) -> None:
    found = list(wrapper_problems(wrapper(GATE), dataclasses.replace(GATE, **change)))
    assert problem in found


def test_a_wrong_image_is_noticed() -> None:
    found = list(wrapper_problems(wrapper(GATE), dataclasses.replace(GATE, name="anomaly.gate")))
    assert found == [
        "wrapper-image: anomaly.gate: localhost/traceo-lifecycle:dev, but the step's image is "
        "localhost/traceo-anomaly:dev"
    ]


def test_a_wrapper_whose_step_is_gone_is_named() -> None:
    with pytest.raises(InputError, match=r"no step 'notebook\.mine', though .*; run make pipelines"):
        component("notebook.mine")(_without_params)


def test_work_within_a_wrapper_is_noticed() -> None:
    found = list(wrapper_problems(component("lifecycle.gate")(_busy), GATE))
    assert found == ["wrapper-body: lifecycle.gate: 7 lines; the work belongs into the step"]


def test_a_wrapper_without_params_is_noticed() -> None:
    found = list(wrapper_problems(component("lifecycle.gate")(_without_params), GATE))
    assert found == ["wrapper-params: lifecycle.gate: 'params' is None, the Spec says ('Dict', True)"]


def test_the_images_follow_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRACEO_IMAGE_PREFIX", "registry.example.org/traceo-")
    monkeypatch.setenv("TRACEO_IMAGE_TAG", "1.2.3")
    settings.cache_clear()
    made = component("lifecycle.gate")(_without_params)
    settings.cache_clear()
    image = made.component_spec.implementation.container.image
    assert image == "registry.example.org/traceo-lifecycle:1.2.3"


def _busy(
    evaluation: dsl.Input[dsl.Artifact],
    candidates: dsl.Input[dsl.Artifact],
    verdict: dsl.Output[dsl.Artifact],
    params: dict = {},  # noqa: B006
) -> str:
    """Does something of its own."""
    from components.core.launch.kfp import run_task

    if params:
        params = dict(params)
        params["alpha"] = 0.5

    return run_task("lifecycle.gate", locals())


def _without_params(
    evaluation: dsl.Input[dsl.Artifact],
    candidates: dsl.Input[dsl.Artifact],
    verdict: dsl.Output[dsl.Artifact],
) -> str:
    from components.core.launch.kfp import run_task

    return run_task("lifecycle.gate", locals())
