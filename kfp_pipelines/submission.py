"""Submitting a compiled pipeline to a Kubeflow Pipelines API server (v2beta1), and waiting for its run."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import tempfile
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import kfp_server_api
import urllib3
from kfp.client import Client

from components.core import step
from components.core.errors import ParamsError, ServiceError, TraceoError
from components.core.settings import without_credentials
from components.core.spec import specs
from kfp_pipelines.compilation import compiled, declared_parameters, without_caching

_ENDED = {"SUCCEEDED", "SKIPPED", "FAILED", "CANCELED"}
_JSON_TYPES = {"STRUCT": dict, "LIST": list, "NUMBER_INTEGER": int, "NUMBER_DOUBLE": float, "BOOLEAN": bool}


@dataclass(frozen=True)
class Run:
    """A run that the server accepted."""

    run_id: str
    url: str
    state: str


class Server:
    """One Kubeflow Pipelines API server. Every method raises ServiceError where it does not do what it was asked."""

    def __init__(self, host: str, token: str | None, namespace: str | None = None) -> None:
        self._host = host.rstrip("/")
        self._namespace = namespace
        with self._named_errors("connect"):
            _ask_health(self._host, token)
            self._client = Client(host=self._host, existing_token=token, namespace=namespace or "kubeflow")

    def submit(
        self,
        name: str,
        arguments: Mapping[str, Any],
        *,
        experiment: str,
        service_account: str | None = None,
        use_cache: bool = True,
    ) -> Run:
        """Upload the pipeline unless this very content is there already, and start a run of it."""
        text = compiled(name) if use_cache else without_caching(compiled(name))
        with self._named_errors(f"submit {name}"), tempfile.TemporaryDirectory() as folder:
            package = Path(folder, f"{name}.yaml")
            package.write_text(text)
            place = self._client.create_experiment(experiment, namespace=self._namespace)
            started = self._client.run_pipeline(
                place.experiment_id,
                name,
                params=dict(arguments),
                service_account=service_account,
                **self._upload(name, package),
            )
        return Run(started.run_id, f"{self._shown}/#/runs/details/{started.run_id}", started.state or "PENDING")

    def wait(self, run: Run, *, timeout_s: float, poll_s: float = 5.0) -> None:
        """Return once the run succeeded; TraceoError where it ended otherwise or not in time."""
        deadline = time.monotonic() + timeout_s
        while True:
            with self._named_errors(f"follow run {run.run_id}"):
                current = self._client.get_run(run.run_id)
            if current.state in _ENDED:
                break
            if time.monotonic() > deadline:
                raise TraceoError(f"run {run.run_id} is {current.state} after {timeout_s:g} s and goes on: {run.url}")
            time.sleep(poll_s)
        if current.state != "SUCCEEDED":
            reason = current.error.message if current.error else "; ".join(_failed_tasks(current)) or "no reason given"
            raise TraceoError(f"run {run.run_id} ended {current.state}: {reason}; see {run.url}")

    def _upload(self, name: str, package: Path) -> dict[str, str]:
        """The ids of the pipeline and of the version with this content; a version is named by its content."""
        version = hashlib.sha256(package.read_bytes()).hexdigest()[:12]
        pipeline_id = self._client.get_pipeline_id(name)
        if pipeline_id is None:
            pipeline_id = self._client.upload_pipeline(str(package), name, namespace=self._namespace).pipeline_id
        newest_first = {"page_size": 100, "sort_by": "created_at desc"}
        versions = self._client.list_pipeline_versions(pipeline_id, **newest_first).pipeline_versions or []
        known = [v.pipeline_version_id for v in versions if v.display_name == version]
        if not known:
            made = self._client.upload_pipeline_version(str(package), version, pipeline_id=pipeline_id)
            known = [made.pipeline_version_id]
        return {"pipeline_id": pipeline_id, "version_id": known[0]}

    @property
    def _shown(self) -> str:
        return without_credentials(self._host)

    @contextlib.contextmanager
    def _named_errors(self, doing: str) -> Iterator[None]:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")  # the client warns of servers older than v2
            try:
                yield
            except kfp_server_api.ApiException as error:
                message = f"{self._shown} answered HTTP {error.status} to the request to {doing}: {_reason(error)}"
            except httpx.HTTPStatusError as error:
                message = f"{self._shown} answered HTTP {error.response.status_code} to the request to {doing}"
            except (httpx.HTTPError, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
                message = f"{self._shown} gave no answer to the request to {doing}: {str(error)[:300]}"
            else:
                return
        raise ServiceError(f"{message}; is --host a Kubeflow Pipelines API, and TRACEO_KFP_TOKEN valid?") from None


def parse_arguments(name: str, given: Sequence[str]) -> dict[str, Any]:
    """`key=value` pairs as the pipeline's arguments; ParamsError names the one that is unknown or malformed.

    What is no text is JSON. A parameter `<domain>_<step>_params` holds the step's parameters and is checked as such.
    """
    declared = declared_parameters(compiled(name))
    arguments: dict[str, Any] = {}
    for pair in given:
        key, equals, value = pair.partition("=")
        if not equals or key not in declared:
            raise ParamsError(f"--param {pair!r}: write KEY=VALUE; {name} takes {', '.join(declared)}")
        arguments[key] = value if declared[key] == "STRING" else _from_json(key, value, declared[key])
    for spec in specs():
        step.parse_params(spec, arguments.get(spec.name.replace(".", "_") + "_params", {}))
    return arguments


def _ask_health(host: str, token: str | None) -> None:
    # The client would ask five times over half a minute, and log every refusal.
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    httpx.get(f"{host}/apis/v2beta1/healthz", headers=headers, timeout=30).raise_for_status().json()


def _from_json(key: str, value: str, kind: str) -> Any:
    expected = _JSON_TYPES[kind]
    try:
        content = json.loads(value)
    except ValueError:
        content = None
    if not isinstance(content, expected):
        raise ParamsError(f"--param {key}={value!r}: must be JSON of type {expected.__name__}")
    return content


def _failed_tasks(run: Any) -> list[str]:
    details = (run.run_details.task_details if run.run_details else None) or []
    return [f"task {task.display_name} {task.state}" for task in details if task.state == "FAILED"]


def _reason(error: Any) -> str:
    try:
        return str(json.loads(error.body)["message"])[:300]
    except (ValueError, KeyError, TypeError):
        return str(error.reason or error.body)[:300]
