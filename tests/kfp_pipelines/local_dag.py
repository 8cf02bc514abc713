"""Runs a compiled pipeline on this machine, task by task, with kfp's own runners.

kfp.local (2.16) runs single tasks well and walks graphs badly: in a loop it replaces every upstream parameter by the
loop's item, it finds no condition on a named output, and it refuses exit handlers. So its task dispatcher is used
and the graph is walked here, as the API server does: dependencies first, skipped where a condition does not hold,
the exit task last, whatever happened.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from google.protobuf import json_format, struct_pb2
from kfp import local
from kfp.local import executor_output_utils, graph_utils, placeholder_utils, task_dispatcher, utils
from kfp.local.status import Status
from kfp.pipeline_spec import pipeline_spec_pb2

_CONDITION_INPUT = re.compile(r"inputs\.parameter_values\['([^']+)'\]")


class TaskFailed(Exception):
    """A task ended with an error."""


@dataclass
class LocalRun:
    """What ran: for each task its outputs, in the order in which they ended; and how the run ended."""

    tasks: dict[str, dict[str, Any]] = field(default_factory=dict)
    failure: str | None = None

    def outcome(self, task: str) -> str:
        return str(self.tasks[task]["Output"])

    def artifact(self, task: str, port: str) -> Path:
        return Path(self.tasks[task][port].path)


def run_pipeline(
    pipeline: Any, root: Path, arguments: Mapping[str, Any], *, runner: Any = None, cache: dict[str, Any] | None = None
) -> LocalRun:
    """Run a pipeline; artifacts go below `root`. `cache` is filled, and answers tasks that a run before it did."""
    runner = runner or local.SubprocessRunner(use_venv=False)
    local.init(runner, pipeline_root=str(root), workspace_root=str(root / "workspace"))
    walk = _Walk(pipeline.pipeline_spec, root, runner, {} if cache is None else cache)
    walk.run_root(dict(arguments))
    return walk.done


class _Walk:
    def __init__(self, spec: Any, root: Path, runner: Any, cache: dict[str, Any]) -> None:
        self.spec, self.root, self.runner, self.cache = spec, root, runner, cache
        self.components = dict(spec.components.items())
        executors = spec.deployment_spec["executors"].items()
        self.executors = {name: utils.struct_to_executor_spec(executor) for name, executor in executors}
        self.done = LocalRun()

    def run_root(self, arguments: dict[str, Any]) -> None:
        try:
            self.run_dag(self.spec.root, arguments, ())
        except TaskFailed as failure:
            self.done.failure = str(failure)
        for name, task in self.spec.root.dag.tasks.items():
            if _is_exit_task(task):
                self.run_exit_task(name, task)

    def run_dag(self, component: Any, arguments: dict[str, Any], path: tuple[str, ...]) -> None:
        definitions = component.input_definitions.parameters.items()
        defaults = {n: _python(d.default_value) for n, d in definitions if d.HasField("default_value")}
        arguments, outputs, tasks = {**defaults, **arguments}, {}, component.dag.tasks
        order = graph_utils.topological_sort_tasks(dict(tasks))
        skipped: set[str] = set()
        while order:
            name = order.pop()
            task = tasks[name]
            if _is_exit_task(task):
                continue
            inputs = _inputs(task, arguments, outputs)
            if skipped & set(task.dependent_tasks) or not _holds(task.trigger_policy.condition, inputs):
                skipped.add(name)
            elif task.WhichOneof("iterator"):
                iterator = task.parameter_iterator
                for index, item in enumerate(inputs[iterator.items.input_parameter]):
                    self.run_task(name, task, {**inputs, iterator.item_input: item}, (*path, f"{name}-{index}"))
            else:
                outputs[name] = self.run_task(name, task, inputs, path)

    def run_task(self, name: str, task: Any, inputs: dict[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
        component = self.components[task.component_ref.name]
        if component.WhichOneof("implementation") == "dag":
            self.run_dag(component, inputs, (*path, name))
            return {}
        arguments = {key: value for key, value in inputs.items() if not key.startswith("pipelinechannel--")}
        key = _cache_key(self.executors[component.executor_label], arguments)
        if task.caching_options.enable_cache and key in self.cache:
            return dict(self.cache[key])
        outputs, status = task_dispatcher.run_single_task_implementation(
            pipeline_resource_name="/".join(path) or "root",
            component_name=f"comp-{name}",
            component_spec=component,
            executor_spec=self.executors[component.executor_label],
            arguments=arguments,
            pipeline_root=str(self.root),
            runner=self.runner,
            raise_on_error=False,
            block_input_artifact=False,
            unique_pipeline_id=placeholder_utils.make_random_id(),
        )
        if status != Status.SUCCESS:
            raise TaskFailed(name)
        self.done.tasks[name] = outputs
        self.cache[key] = outputs
        return dict(outputs)

    def run_exit_task(self, name: str, task: Any) -> None:
        failed = {"error": {"message": f"task {self.done.failure} failed"}} if self.done.failure else {}
        status = {
            "state": "FAILED" if self.done.failure else "SUCCEEDED",
            "pipelineJobResourceName": "runs/local",
            "pipelineTaskName": "exit-handler-1",
            **failed,
        }
        self.run_task(name, task, {"status": status}, ())


def _cache_key(executor: Any, arguments: Mapping[str, Any]) -> str:
    """What Kubeflow compares: the image, the command, the parameters, and which artifacts go in."""
    shown = {name: getattr(value, "uri", value) for name, value in sorted(arguments.items())}
    return f"{executor.container} {json.dumps(shown, sort_keys=True)}"


def _is_exit_task(task: Any) -> bool:
    strategy = pipeline_spec_pb2.PipelineTaskSpec.TriggerPolicy.ALL_UPSTREAM_TASKS_COMPLETED
    return bool(task.trigger_policy.strategy == strategy)


def _inputs(task: Any, arguments: Mapping[str, Any], outputs: Mapping[str, Any]) -> dict[str, Any]:
    found = {}
    for name, given in task.inputs.parameters.items():
        match given.WhichOneof("kind"):
            case "runtime_value":
                found[name] = _python(given.runtime_value.constant)
            case "task_output_parameter":
                source = given.task_output_parameter
                found[name] = outputs.get(source.producer_task, {}).get(source.output_parameter_key)
            case "component_input_parameter":
                found[name] = arguments[given.component_input_parameter]
    for name, given in task.inputs.artifacts.items():
        if given.WhichOneof("kind") == "task_output_artifact":
            source = given.task_output_artifact
            found[name] = outputs.get(source.producer_task, {}).get(source.output_artifact_key)
        else:
            found[name] = arguments[given.component_input_artifact]
    return found


def _holds(condition: str, inputs: Mapping[str, Any]) -> bool:
    if not condition:
        return True
    expression = _CONDITION_INPUT.sub(lambda match: repr(inputs[match.group(1)]), condition)
    expression = re.sub(r"!(?=\()", " not ", expression).replace("&&", " and ").replace("||", " or ")
    return bool(eval(expression, {"__builtins__": {}}))


def _python(value: struct_pb2.Value) -> Any:
    if value.WhichOneof("kind") in ("struct_value", "list_value"):
        return json_format.MessageToDict(value)
    return executor_output_utils.pb2_value_to_python(value)
