"""The steps: one per notebook, looked up by its name, all of them the same function."""

from __future__ import annotations

import json
import logging
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl

from components.core import storage, tracking
from components.core.errors import InputError, NotYetError, ServiceError, TraceoError
from components.core.spec import Params, Port
from components.core.step import StepFunction, StepIO
from components.notebook import execution, page
from components.notebook.execution import Executed, Failure
from components.notebook.specs import REPORT, Notebook, notebook

EXPERIMENT = "traceo-notebooks"
logger = logging.getLogger("traceo.notebook")


def __getattr__(name: str) -> StepFunction:
    try:
        return step_of(notebook(name))
    except InputError as error:
        raise AttributeError(str(error)) from None


def step_of(chosen: Notebook) -> StepFunction:
    """The step that runs this notebook."""

    def run(io: StepIO, params: Params) -> Mapping[str, Any]:
        return run_notebook(chosen, io, params)

    run.__doc__ = f"{chosen.spec.title}."
    return run


def run_notebook(chosen: Notebook, io: StepIO, params: Params) -> dict[str, Any]:
    """Execute a notebook, keep its report, then write its outputs; a failure carries the links to what was kept."""
    inputs = _checked_inputs(chosen, io)
    with tempfile.TemporaryDirectory(prefix="traceo-notebook-") as place:
        folder = Path(place)
        values = {**inputs, **_staged(chosen, io, folder), **params.model_dump(mode="json")}
        executed = execution.execute(chosen, values, folder)
        links = _kept(chosen, io, params, executed, folder)
        try:
            if executed.failure:
                raise _error(chosen, io, executed.failure)
            found = _write_outputs(chosen, io, folder)
        except TraceoError as error:
            error.links |= links
            raise
    return {**found, **links}


def _checked_inputs(chosen: Notebook, io: StepIO) -> dict[str, str]:
    """The URIs of the inputs that were given, each read once so that what is wrong with it is said before the start."""
    uris = {}
    for port in chosen.spec.inputs:
        if not io.has(port.name):
            # Left out: the notebook sees an empty path.
            uris[port.name] = ""
            continue
        match port.kind:
            case "table":
                io.read_table(port.name)
            case "json":
                io.read_json(port.name)
            case "folder":
                io.meta(port.name)
        uris[port.name] = _absolute(io.uri(port.name))
    return uris


def _absolute(uri: str) -> str:
    return uri if "://" in uri else str(Path(uri).absolute())


def _staged(chosen: Notebook, io: StepIO, folder: Path) -> dict[str, str]:
    """Where the notebook writes its outputs: within its working folder, so that nothing half-made leaves it."""
    names = {}
    for port in chosen.spec.outputs:
        if port == REPORT:
            continue
        names[port.name] = _absolute(io.uri(port.name)) if port.kind == "lake" else port.file
        if port.kind == "folder":
            (folder / port.name).mkdir()
    return names


def _kept(chosen: Notebook, io: StepIO, params: Params, executed: Executed, folder: Path) -> dict[str, str]:
    """Keep the executed notebook and its page, in the report and in an MLflow run; returns the links to both."""
    local = folder / ".report"
    page.write(executed, chosen, local)
    with io.write_folder(REPORT.name) as target:
        shutil.copytree(local, target, dirs_exist_ok=True)
    links = {"report": storage.join(io.uri(REPORT.name), "index.html")}
    try:
        run_id = _logged(chosen, params, executed.failure, folder)
    except ServiceError as error:
        if not executed.failure:
            error.links |= links
            raise
        # The cell's error is what the reader must see.
        logger.warning("the report is not in MLflow: %s", error)
        return links
    return {**links, "mlflow_run_id": run_id}


def _logged(chosen: Notebook, params: Params, failure: Failure | None, folder: Path) -> str:
    tags = {"notebook": chosen.name, **({"error": str(failure)} if failure else {})}
    with tracking.start_run(EXPERIMENT, chosen.spec.name, params.model_dump(mode="json"), tags) as mlflow:
        run_id: str = mlflow.active_run().info.run_id
        mlflow.log_artifacts(str(folder / ".report"), "report")
        if failure:
            mlflow.end_run("FAILED")
            return run_id
        for port in chosen.spec.outputs:
            path = folder / port.file
            if port.kind == "json" and path.exists():
                mlflow.log_metrics({k: float(v) for k, v in _figures(path).items() if isinstance(v, int | float)})
    return run_id


def _write_outputs(chosen: Notebook, io: StepIO, folder: Path) -> dict[str, Any]:
    """Make artifacts of what the notebook wrote; returns the plain values of its JSON outputs, for the summary."""
    found: dict[str, Any] = {}
    for port in (port for port in chosen.spec.outputs if port != REPORT and port.kind != "lake"):
        path = folder / port.file
        if not path.exists():
            if not port.optional:
                how = "write_table" if port.kind == "table" else "write_json"
                raise TraceoError(f"{chosen.spec.name} ended without its output; call {how}({port.name}, …) in a cell")
            continue
        _write(io, port, path)
        if port.kind == "json":
            found |= _figures(path)
    return found


def _write(io: StepIO, port: Port, path: Path) -> None:
    match port.kind:
        case "table":
            io.write_table(port.name, pl.read_parquet(path))
        case "json":
            io.write_json(port.name, json.loads(path.read_text()))
        case "folder":
            with io.write_folder(port.name) as target:
                shutil.copytree(path, target, dirs_exist_ok=True)


def _figures(path: Path) -> dict[str, Any]:
    """The plain values at the top of a JSON object."""
    content = json.loads(path.read_text())
    plain = content.items() if isinstance(content, dict) else ()
    return {key: value for key, value in plain if value is None or isinstance(value, str | int | float | bool)}


def _error(chosen: Notebook, io: StepIO, failure: Failure) -> TraceoError:
    message = f"{chosen.spec.name}: {failure}"
    if failure.error == NotYetError.__name__:
        return NotYetError(message)
    if failure.error == pl.exceptions.ComputeError.__name__:
        # Polars does not say which file of a scan is damaged.
        for port in (port for port in chosen.spec.inputs if port.kind == "lake" and io.has(port.name)):
            for file in io.lake(port.name).damaged():
                return InputError(f"{file}: {message}; remove it with its sidecar and ingest its window again")
    return TraceoError(message)
