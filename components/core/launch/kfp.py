"""A step as a Kubeflow Pipelines task. Imports no kfp: the wrappers in `kfp_pipelines` hand over plain things.

An artifact of a step is a file or folder with its sidecar beside it, and Kubeflow carries one path per artifact.
So a Kubeflow artifact is a directory that holds both: `<path>/model` and `<path>/model.meta.json`. The lake is
no artifact but a URI, which every task opens for itself.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple, Protocol

from components.core import storage
from components.core.errors import InputError, NotYetError, TraceoError
from components.core.lake import Lake
from components.core.launch.process import ProcessLauncher
from components.core.spec import Port, Spec, specs
from components.core.step import SIDECAR
from components.core.times import iso

#: What a task says of itself when its step names no outcome of its own: it is done, or there is too little data.
DONE, NOT_YET = "DONE", "NOT_YET"
logger = logging.getLogger("traceo.launch")


class Artifact(Protocol):
    """A Kubeflow artifact: a local path that Kubeflow copies to and from its store, and facts shown in its pages."""

    path: str
    metadata: dict[str, Any]


class FinalStatus(Protocol):
    """How a run ended, as Kubeflow tells it to an exit handler."""

    state: str
    pipeline_job_resource_name: str
    error_message: str | None


class Observation(NamedTuple):
    """What a run looks at: the instant, what stands for the data in cache keys, and when the run began."""

    as_of: str
    state: str
    started_at: str


def run_task(name: str, arguments: Mapping[str, Any]) -> str:
    """Run one step with a wrapper's arguments; returns its outcome.

    The outcome is the step's own (`PASS` of the gate), DONE, or NOT_YET where it found too little data: then its
    artifacts are empty, and what needs them must stand behind a condition. TraceoError where it failed.
    """
    spec = _find(name)
    uris = {port.name: uri for port in spec.ports if (uri := _uri(spec, port, arguments.get(port.name)))}
    try:
        summary = ProcessLauncher().run(spec, uris, _params(spec, arguments))
    except NotYetError as error:
        logger.warning("%s waits for more data: %s", name, error)
        return NOT_YET
    except TraceoError as error:
        # Kubeflow keeps no artifact of a failed task; what a notebook leaves behind is in MLflow as well.
        if run_id := error.links.get("mlflow_run_id"):
            logger.error("the page of %s is in MLflow: %s", name, _mlflow_page(run_id))
        raise
    for port in spec.outputs:
        if port.kind != "lake":
            arguments[port.name].metadata.update(_facts(uris[port.name], summary))
    return str(summary.get("outcome", DONE))


def observe(lake: str, tables: Sequence[str], models: Sequence[str]) -> Observation:
    """Look at the lake once, before everything else, so that all tasks of a run see the same.

    `as_of` is the watermark of the first of `tables` that has one. `state` changes whenever a partition of `tables`
    is added, late rows included, or another version of `models` takes charge; it never changes with time alone.
    InputError where the lake holds none of the tables.
    """
    opened = Lake(lake.rstrip("/"))
    watermarks = [watermark for table in tables if (watermark := opened.watermark(table))]
    if not watermarks:
        raise InputError(f"{lake}: none of {', '.join(tables)} has rows; ingest telemetry first (pipeline traceo-logs)")
    content = {
        "partitions": [p.uri.removeprefix(opened.uri) for table in tables for p in opened.partitions(table)],
        "champions": _champions(models),
    }
    state = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    return Observation(iso(watermarks[0]), state, datetime.now(UTC).isoformat(timespec="seconds"))


def write_report(status: FinalStatus, path: str) -> None:
    """Write how a run ended as Markdown, and log it."""
    run = status.pipeline_job_resource_name.rsplit("/", 1)[-1]
    logger.log(
        logging.INFO if status.state == "SUCCEEDED" else logging.ERROR,
        "run %s ended %s: %s", run, status.state, status.error_message or "nothing failed",
    )  # fmt: skip
    lines = [f"# {status.state}", "", f"run `{run.replace('`', '')}`"]
    # An indented block shows the message as it is, whatever signs it holds.
    lines += ["", *(f"    {line}" for line in (status.error_message or "").splitlines())]
    storage.write_bytes(path, "\n".join(lines).encode())


def artifact_uri(artifact: Artifact, port: Port) -> str:
    """Where the content of a port lies within its Kubeflow artifact."""
    return storage.join(artifact.path, port.file)


def _find(name: str) -> Spec:
    return next(spec for spec in specs(name.split(".")[0]) if spec.name == name)


def _uri(spec: Spec, port: Port, argument: Any) -> str | None:
    """A port's URI; None where an optional input was not wired, or where the step before left it out."""
    if argument is None or port.kind == "lake":
        return str(argument) if argument else None
    uri = artifact_uri(argument, port)
    left_out = port in spec.inputs and port.optional and not storage.exists(uri + SIDECAR)
    return None if left_out else uri


def _params(spec: Spec, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """What `params` holds, and the parameters that are arguments of their own."""
    given = arguments.get("params") or {}
    params: dict[str, Any] = json.loads(given) if isinstance(given, str) else dict(given)
    own = set(spec.params.model_fields) - {port.name for port in spec.ports}
    return params | {name: arguments[name] for name in own if arguments.get(name) is not None}


def _facts(uri: str, summary: Mapping[str, Any]) -> dict[str, Any]:
    """What Kubeflow's pages show of an artifact; nothing where an optional output was left out."""
    if not storage.exists(uri + SIDECAR):
        return {}
    sidecar = json.loads(storage.read_bytes(uri + SIDECAR))
    facts = {key: sidecar[key] for key in ("producer", "sha256", "rows") if key in sidecar}
    return facts | {key: value for key, value in summary.items() if isinstance(value, str | int | float)}


def _mlflow_page(run_id: str) -> str:
    from components.core import tracking

    return tracking.run_url(run_id) or f"run {run_id}"


def _champions(models: Sequence[str]) -> dict[str, str | None]:
    if not models:
        return {}
    from components.core import tracking

    registered = tracking.registered_models()
    return {model: registered.get(model, {}).get("champion") for model in models}
