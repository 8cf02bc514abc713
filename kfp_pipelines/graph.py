"""Reading a compiled pipeline: its tasks, where each input comes from, and the conditions a task stands behind."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import yaml


@dataclass(frozen=True)
class Task:
    """One task that runs a component function; `dag` is the component of the graph it stands in."""

    name: str
    dag: str
    body: dict[str, Any]
    function: str
    container: dict[str, Any]

    @property
    def is_cached(self) -> bool:
        return bool(self.body.get("cachingOptions", {}).get("enableCache"))


@dataclass(frozen=True)
class Source:
    """Where an input comes from: a constant, an argument of the pipeline, or another task's output."""

    kind: Literal["constant", "argument", "output"]
    value: Any
    task: Task | None = None


class Graph:
    """A compiled pipeline. Every sub-graph (condition, loop, exit handler) is entered from one task alone."""

    def __init__(self, text: str) -> None:
        documents = list(yaml.load_all(text, yaml.CSafeLoader))
        self.pipeline: dict[str, Any] = documents[0]
        self.platforms: dict[str, Any] = documents[1] if len(documents) > 1 else {}
        self._dags = {name: c["dag"] for name, c in self.pipeline["components"].items() if "dag" in c}
        self._dags["root"] = self.pipeline["root"]["dag"]
        self._entered = {
            body["componentRef"]["name"]: (dag, body)
            for dag, content in self._dags.items()
            for body in content["tasks"].values()
            if body["componentRef"]["name"] in self._dags
        }

    def tasks(self) -> Iterator[Task]:
        """Every task that runs a container, in the order of the file."""
        for dag, content in self._dags.items():
            for name, body in content["tasks"].items():
                if body["componentRef"]["name"] not in self._dags:
                    yield self._task(name, dag, body)

    def sources(self, task: Task, kind: str = "parameters") -> dict[str, Source]:
        """Where the inputs of a task come from; `kind` is parameters or artifacts."""
        given = task.body.get("inputs", {}).get(kind, {})
        return {name: self._source(task.dag, content) for name, content in given.items()}

    def conditions(self, task: Task) -> list[str]:
        """The conditions that must hold for a task to run, outermost last."""
        found, dag = [], task.dag
        while dag != "root":
            dag, body = self._entered[dag]
            if condition := body.get("triggerPolicy", {}).get("condition"):
                found.append(condition)
        return found

    def _task(self, name: str, dag: str, body: dict[str, Any]) -> Task:
        label = self.pipeline["components"][body["componentRef"]["name"]]["executorLabel"]
        container = self.pipeline["deploymentSpec"]["executors"][label]["container"]
        arguments = container["args"]
        return Task(name, dag, body, arguments[arguments.index("--function_to_execute") + 1], container)

    def _source(self, dag: str, content: dict[str, Any]) -> Source:
        if "runtimeValue" in content:
            return Source("constant", content["runtimeValue"]["constant"])
        if "taskFinalStatus" in content:
            return Source("argument", "status")
        if output := content.get("taskOutputParameter") or content.get("taskOutputArtifact"):
            producer, body = output["producerTask"], self._dags[dag]["tasks"][output["producerTask"]]
            key = output.get("outputParameterKey") or output.get("outputArtifactKey")
            return Source("output", key, self._task(producer, dag, body))
        name = content.get("componentInputParameter") or content["componentInputArtifact"]
        if dag == "root":
            return Source("argument", name)
        parent, entering = self._entered[dag]
        handed = {**entering["inputs"].get("parameters", {}), **entering["inputs"].get("artifacts", {})}
        # What a loop hands in anew for every item stands in no input of the loop.
        return self._source(parent, handed[name]) if name in handed else Source("argument", name)
