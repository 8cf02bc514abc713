"""Compiling the pipelines to what Kubeflow is given, checked before it is written."""

from __future__ import annotations

import importlib
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml
from kfp import compiler

from components.core.errors import ParamsError, TraceoError
from kfp_pipelines.checks import pipeline_problems

#: Every pipeline and its module, where it stands under the module's name. kfp takes seconds to read one.
PIPELINES = {
    "traceo-training": "training",
    "traceo-scoring": "scoring",
    "traceo-logs": "logs",
    "traceo-notebooks": "notebooks",
}
#: Where `make pipelines` keeps them.
COMPILED = Path(__file__).parent / "compiled"


def compiled(name: str) -> str:
    """A pipeline as YAML: its graph, then what Kubernetes is asked for. TraceoError lists what a check found."""
    with tempfile.TemporaryDirectory() as folder:
        package = Path(folder, f"{name}.yaml")
        compiler.Compiler().compile(find_pipeline(name), str(package))
        text = package.read_text()
    if problems := pipeline_problems(text):
        raise TraceoError(f"pipeline {name} breaks its own rules: " + "; ".join(problems))
    return text


def write_compiled(folder: Path, names: Iterable[str] = tuple(PIPELINES)) -> list[Path]:
    """Write pipelines as `<folder>/<name>.yaml`; returns the paths."""
    folder.mkdir(parents=True, exist_ok=True)
    texts = {folder / f"{name}.yaml": compiled(name) for name in names}
    for path, text in texts.items():
        path.write_text(text)
    return list(texts)


def find_pipeline(name: str) -> Any:
    """The pipeline of this name; ParamsError tells which there are."""
    if name not in PIPELINES:
        raise ParamsError(f"no pipeline {name!r}; there are {', '.join(PIPELINES)}")
    return getattr(importlib.import_module(f"kfp_pipelines.{PIPELINES[name]}"), PIPELINES[name])


def without_caching(text: str) -> str:
    """A compiled pipeline whose tasks all run, whatever the cache holds; kfp's own switch reaches only the root."""
    documents = list(yaml.load_all(text, yaml.CSafeLoader))
    graphs = [documents[0]["root"], *documents[0]["components"].values()]
    for task in (task for graph in graphs for task in graph.get("dag", {}).get("tasks", {}).values()):
        task["cachingOptions"] = {}
    return yaml.dump_all(documents, Dumper=yaml.CSafeDumper)


def declared_parameters(text: str) -> dict[str, str]:
    """The parameters of a compiled pipeline with their Kubeflow types, such as STRING, LIST or STRUCT."""
    root = next(yaml.load_all(text, yaml.CSafeLoader))["root"]
    parameters = root.get("inputDefinitions", {}).get("parameters", {})
    return {name: definition["parameterType"] for name, definition in parameters.items()}
