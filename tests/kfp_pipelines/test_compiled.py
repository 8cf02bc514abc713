"""The pipelines as Kubeflow gets them: in sync, complete, and caught by a named check when they break a rule."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.cli.__main__ import main
from components.core.launch.kfp import NOT_YET
from components.core.spec import specs
from kfp_pipelines import compilation
from kfp_pipelines.caching import UNCACHED
from kfp_pipelines.checks import pipeline_problems
from kfp_pipelines.compilation import COMPILED, PIPELINES, compiled, declared_parameters
from kfp_pipelines.graph import Graph, Task

NAMES = list(PIPELINES)
each = pytest.mark.parametrize("name", NAMES)
TEXTS = {name: (COMPILED / f"{name}.yaml").read_text() for name in NAMES}


@cache
def tasks(name: str) -> dict[str, Task]:
    return {task.name: task for task in Graph(TEXTS[name]).tasks()}


@each
def test_the_committed_pipeline_is_the_compiled_one(name: str) -> None:
    """Where this fails: `make pipelines`, read the difference, commit it."""
    assert compiled(name) == TEXTS[name]


def test_every_committed_pipeline_exists() -> None:
    assert {path.stem for path in COMPILED.glob("*.yaml")} == set(NAMES)


@each
def test_every_rule_is_kept(name: str) -> None:
    assert pipeline_problems(TEXTS[name]) == []


def test_every_step_has_its_task() -> None:
    used = {task.function for name in NAMES for task in tasks(name).values()}
    steps = {spec.name.replace(".", "_") for spec in specs()}
    assert steps - used == set()
    assert used - steps == {"observe", "refuse_domain", "report"}


def test_the_uncached_steps_exist() -> None:
    assert set(UNCACHED) <= {spec.name for spec in specs()}


@each
def test_a_run_is_reported_however_it_ends(name: str) -> None:
    report = tasks(name)["report"]
    assert report.body["triggerPolicy"]["strategy"] == "ALL_UPSTREAM_TASKS_COMPLETED"
    assert report.dag == "root"
    assert all(task.dag != "root" for task in tasks(name).values() if task.name != "report")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("features-online", "anomaly-score"),
        ("anomaly-score", "actions-correlate"),
        ("forecasting-predict", "actions-correlate"),
        ("logs-mine", "actions-correlate"),
        ("actions-correlate", "rootcause-diagnose"),
        ("rootcause-diagnose", "actions-alert"),
    ],
)
def test_scoring_has_the_order_of_its_dag(before: str, after: str) -> None:
    assert before in tasks("traceo-scoring")[after].body["dependentTasks"]


@pytest.mark.parametrize(
    ("task", "conditions"),
    [
        ("features-training-set", []),
        ("anomaly-train", ["domains-loop-item'] == 'anomaly'"]),
        ("lifecycle-gate", [f"!= '{NOT_YET}'", "== 'anomaly'"]),
        ("lifecycle-promote", ["lifecycle-gate-Output'] == 'PASS'", f"!= '{NOT_YET}'", "== 'anomaly'"]),
        ("lifecycle-promote-2", ["!(inputs.parameter_values['pipelinechannel--lifecycle-gate", "", ""]),
        ("refuse-domain", ["!("]),
    ],
)
def test_conditions_of_the_training(task: str, conditions: list[str]) -> None:
    graph = Graph(TEXTS["traceo-training"])
    found = graph.conditions(tasks("traceo-training")[task])
    assert len(found) == len(conditions)
    assert all(part in condition for part, condition in zip(conditions, found, strict=True))


def test_models_are_trained_in_a_loop_over_the_domains() -> None:
    """One iteration per domain, side by side; the training set is built once, before."""
    pipeline = Graph(TEXTS["traceo-training"]).pipeline
    [loop] = [
        body
        for component in pipeline["components"].values()
        for body in component.get("dag", {}).get("tasks", {}).values()
        if "parameterIterator" in body
    ]
    items = loop["parameterIterator"]["items"]["inputParameter"]
    assert loop["inputs"]["parameters"][items] == {"componentInputParameter": "pipelinechannel--domains"}
    assert "iteratorPolicy" not in loop, "iterations must not wait for one another"
    inside = pipeline["components"][loop["componentRef"]["name"]]["dag"]["tasks"]
    assert "features-training-set" not in inside


def test_notebooks_wait_for_what_they_read_and_for_one_another_never() -> None:
    waits = {n: t.body["dependentTasks"] for n, t in tasks("traceo-notebooks").items() if n.startswith("notebook-")}
    assert waits.pop("notebook-reading-drift") == ["observe", "quality-drift"]
    assert len(waits) >= 4
    assert {tuple(names) for names in waits.values()} == {("observe",)}


def test_every_task_gets_settings_and_secrets_by_reference() -> None:
    for name in NAMES:
        graph = Graph(TEXTS[name])
        executors = graph.platforms["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
        assert set(executors) == set(graph.pipeline["deploymentSpec"]["executors"])
        for executor in executors.values():
            assert [entry["secretName"] for entry in executor["secretAsEnv"]] == ["traceo-secrets"]
            assert [entry["configMapName"] for entry in executor["configMapAsEnv"]] == ["traceo-settings"]


def test_parameters_of_a_pipeline_are_those_of_its_steps() -> None:
    known = {spec.name.replace(".", "_") + "_params" for spec in specs()}
    for name in NAMES:
        declared = declared_parameters(TEXTS[name])
        assert set(declared) - known <= {"lake", "domains"}
        assert {declared[key] for key in known & set(declared)} == {"STRUCT"}


# --- mutations ----------------------------------------------------------------------------------------------


def changed(name: str, task: str, change: Any) -> list[str]:
    """What the checks say of a pipeline in which one task was changed."""
    documents = list(yaml.load_all(TEXTS[name], yaml.CSafeLoader))
    for component in documents[0]["components"].values():
        for key, body in component.get("dag", {}).get("tasks", {}).items():
            if key == task:
                change(body, documents[0])
    return pipeline_problems(yaml.dump_all(documents, Dumper=yaml.CSafeDumper))


def _clock(body: dict[str, Any], _: Any) -> None:
    body["inputs"]["parameters"]["as_of"] = {"runtimeValue": {"constant": "{{$.pipeline_job_create_time_utc}}"}}


def _started_at(body: dict[str, Any], _: Any) -> None:
    body["inputs"]["parameters"]["state"]["taskOutputParameter"]["outputParameterKey"] = "started_at"


def _blind(body: dict[str, Any], _: Any) -> None:
    body["inputs"]["parameters"]["state"] = {"runtimeValue": {"constant": "always the same"}}


def _cached(body: dict[str, Any], _: Any) -> None:
    body["cachingOptions"] = {"enableCache": True}


def _memory(_: Any, pipeline: dict[str, Any]) -> None:
    pipeline["deploymentSpec"]["executors"]["exec-logs-mine"]["container"]["resources"]["resourceMemoryLimit"] = "9Gi"


def _unknown_param(body: dict[str, Any], _: Any) -> None:
    body["inputs"]["parameters"]["params"] = {"runtimeValue": {"constant": {"lookback_hours": 3}}}


def _placeholder(body: dict[str, Any], _: Any) -> None:
    constant = {"model": "{{$.inputs.parameters['pipelinechannel--observe-as_of']}}"}
    body["inputs"]["parameters"]["params"] = {"runtimeValue": {"constant": constant}}


def _unguarded(body: dict[str, Any], _: Any) -> None:
    del body["triggerPolicy"]


def _secret(_: Any, pipeline: dict[str, Any]) -> None:
    container = pipeline["deploymentSpec"]["executors"]["exec-logs-mine"]["container"]
    container["args"].append("--password=hunter2")


def _path(_: Any, pipeline: dict[str, Any]) -> None:
    pipeline["root"]["inputDefinitions"]["parameters"]["lake"]["defaultValue"] = "/home/me/lake"


@pytest.mark.parametrize(
    ("name", "task", "change", "problem"),
    [
        ("traceo-logs", "logs-mine", _clock, "cache-key: logs-mine: input 'as_of' is the clock"),
        ("traceo-logs", "logs-mine", _started_at, "cache-key: logs-mine: input 'state' is the clock"),
        ("traceo-logs", "logs-mine", _blind, "cache-key: logs-mine: input 'state' must be what observe saw"),
        ("traceo-logs", "telemetry-ingest", _cached, "cache-key: telemetry-ingest: caching is True, but must be False"),
        ("traceo-notebooks", "notebook-reading-drift", _cached, "cache-key: notebook-reading-drift: caching is True"),
        ("traceo-notebooks", "notebook-reading-drift", _unknown_param, "params: notebook-reading-drift: notebook.r"),
        ("traceo-logs", "observe", _cached, "cache-key: observe: caching is True"),
        ("traceo-logs", "logs-mine", _memory, "resources: logs-mine: limits ('1000m', '9Gi')"),
        ("traceo-logs", "logs-mine", _unknown_param, "params: logs-mine: logs.mine: parameter 'lookback_hours'"),
        ("traceo-training", "lifecycle-fetch", _placeholder, "params: lifecycle-fetch: "),
        ("traceo-training", "condition-4", _unguarded, "guard: lifecycle-register: needs anomaly-train"),
        ("traceo-logs", "logs-mine", _secret, "secret: a line holds one"),
        ("traceo-logs", "logs-mine", _path, "machine-path: defaultValue: /home/me/lake"),
    ],
)
def test_a_broken_rule_is_named(name: str, task: str, change: Any, problem: str) -> None:
    found = changed(name, task, change)
    assert any(text.startswith(problem) for text in found), found


def test_a_broken_pipeline_is_neither_written_nor_submitted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(compilation, "pipeline_problems", lambda _: ["cache-key: x: the clock"])
    assert main(["pipelines", "compile", "traceo-logs", "--output", str(tmp_path / "out")]) == 1
    assert "error: pipeline traceo-logs breaks its own rules: cache-key: x: the clock" in capsys.readouterr().err
    assert list((tmp_path / "out").glob("*")) == []


# --- the command --------------------------------------------------------------------------------------------


def test_compile_writes_the_pipelines_that_were_asked_for(tmp_path: Path) -> None:
    assert main(["pipelines", "compile", "traceo-logs", "--output", str(tmp_path / "new")]) == 0
    assert {path.name: path.read_text() for path in (tmp_path / "new").iterdir()} == {
        "traceo-logs.yaml": TEXTS["traceo-logs"]
    }


def test_an_unknown_pipeline_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["pipelines", "compile", "traceo-x", "--output", str(tmp_path)]) == 2
    assert (
        "no pipeline 'traceo-x'; there are traceo-training, traceo-scoring, traceo-logs, traceo-n"
        in capsys.readouterr().err
    )
