"""MLflow: runs, models and aliases. The only module that imports mlflow.

A model is saved as a folder of plain data (JSON, NPZ, skops) and loaded by code that is already installed:
`loader_module` names a module of ours with `_load_pyfunc(path)`. Nothing that the registry holds is
unpickled or executed.
"""

from __future__ import annotations

import importlib
import logging
import os
import sys
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import pandas as pd
import yaml

from components.core.errors import InputError, ServiceError
from components.core.settings import settings, without_credentials

# Keep a step that meets a dead server from hanging for minutes: three tries, ten seconds each.
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "3")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_ENABLE_ASYNC_TRACE_LOGGING", "false")
# A step's stdout belongs to its summary, its log to its own lines.
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
# MLflow asks git for a run's commit and warns in ten lines where there is no git, as in an image.
os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")

_LOADERS = "components."
logging.getLogger("mlflow").setLevel(logging.WARNING)


class Predictor(Protocol):
    """A loaded model: a frame in, a frame out."""

    def predict(self, model_input: pd.DataFrame) -> pd.DataFrame: ...


@dataclass(frozen=True)
class ModelVersion:
    """One version in the registry."""

    name: str
    version: str
    run_id: str
    aliases: tuple[str, ...]
    tags: Mapping[str, str]


def client() -> Any:
    """An MlflowClient on the configured tracking server; what it raises is MLflow's own."""
    return _mlflow().MlflowClient()


@contextmanager
def start_run(
    experiment: str, name: str, params: Mapping[str, Any], tags: Mapping[str, str] | None = None
) -> Iterator[Any]:
    """A run in an experiment, its parameters logged; yields the `mlflow` module and closes the run."""
    mlflow = _mlflow()
    with _clear_errors():
        _set_experiment(mlflow, experiment)
        with mlflow.start_run(run_name=name, tags=dict(tags or {})):
            mlflow.log_params({key: str(value)[:500] for key, value in params.items()})
            yield mlflow


def run_url(run_id: str) -> str | None:
    """The page of a run in the MLflow UI; None where tracking is a plain database or the server is away."""
    uri = settings().tracking_uri
    if not uri.startswith("http"):
        return None
    try:
        with _clear_errors():
            experiment = client().get_run(run_id).info.experiment_id
    except ServiceError:
        return None
    page = (settings().mlflow_page or without_credentials(uri)).rstrip("/")
    return f"{page}/#/experiments/{experiment}/runs/{run_id}"


def attach(run_id: str, file: Path, folder: str) -> None:
    """Store a file as an artifact of a run, below `folder`; a file of the same name is replaced."""
    with _clear_errors():
        client().log_artifact(run_id, str(file), folder)


def fetch_attached(run_id: str, path: str, destination: Path) -> Path:
    """Fetch one artifact of a run below `destination`; returns its local path."""
    mlflow = _mlflow()
    with _clear_errors():
        fetched = mlflow.artifacts.download_artifacts(run_id=run_id, artifact_path=path, dst_path=str(destination))
    return Path(fetched)


def register(name: str, run_id: str, folder: Path, loader_module: str, tags: Mapping[str, str]) -> ModelVersion:
    """Log `folder` as a model of an existing run and register it as a new version of `name`.

    The tags come with the version in one call: a version without them is never seen.
    """
    _check_loader(loader_module, str(folder))
    mlflow = _mlflow()
    with _clear_errors():
        # Not start_run(run_id=…): that would reopen a finished run and change its end time.
        mlflow.set_experiment(experiment_id=client().get_run(run_id).info.experiment_id)
        info = mlflow.models.Model.log(
            artifact_path=None,
            name=name,
            flavor=mlflow.pyfunc,
            run_id=run_id,
            loader_module=loader_module,
            data_path=str(folder),
            pip_requirements=["traceo"],
        )
        version = mlflow.register_model(info.model_uri, name, tags=dict(tags))
    return ModelVersion(name, str(version.version), run_id, (), dict(tags))


def versions(name: str) -> list[ModelVersion]:
    """Every version of a registered model, newest first; empty where the name is unknown."""
    aliases = registered_models().get(name, {})
    with _clear_errors():
        found = client().search_model_versions(f"name = '{_quoted(name)}'")
    rows = [
        ModelVersion(name, str(v.version), v.run_id, _aliases_of(str(v.version), aliases), dict(v.tags)) for v in found
    ]
    return sorted(rows, key=lambda row: -int(row.version))


def registered_models() -> dict[str, dict[str, str]]:
    """Every registered model with its aliases and the version each points to."""
    with _clear_errors():
        return {
            m.name: {a: str(v) for a, v in m.aliases.items()}
            for m in client().search_registered_models(max_results=1000)
        }


def version_of(name: str, alias: str) -> str | None:
    """The version an alias points to; None where there is none."""
    return registered_models().get(name, {}).get(alias)


def set_alias(name: str, alias: str, version: str) -> None:
    """Point an alias at a version; it leaves the version it pointed to before."""
    with _clear_errors():
        client().set_registered_model_alias(name, alias, version)


def delete_alias(name: str, alias: str) -> None:
    """Remove an alias; nothing happens where there is none."""
    with _clear_errors():
        client().delete_registered_model_alias(name, alias)


def tag_version(name: str, version: str, key: str, value: str) -> None:
    """Set one tag of a version."""
    with _clear_errors():
        client().set_model_version_tag(name, version, key, value)


def download(name: str, version: str, destination: Path) -> Path:
    """Fetch a version's own data folder (what `register` was given) below `destination`; returns its path."""
    root = _download(name, version, destination)
    return root / _flavor(root)["data"]


def load_model(name: str, version: str) -> Predictor:
    """Load one version through its loader module; InputError where that is not one of ours.

    The files are gone when this returns: `_load_pyfunc` must have read them all.
    """
    with tempfile.TemporaryDirectory() as temporary:
        root = _download(name, version, Path(temporary))
        flavor = _flavor(root)
        return load_folder(root / flavor["data"], flavor["loader_module"])


def load_folder(folder: Path, loader_module: str) -> Predictor:
    """Load a model folder with one of our loader modules."""
    _check_loader(loader_module, str(folder))
    model: Predictor = importlib.import_module(loader_module)._load_pyfunc(str(folder))
    return model


def _mlflow() -> Any:
    import mlflow

    _leave_feast_out()
    mlflow.set_tracking_uri(settings().tracking_uri)
    return mlflow


@lru_cache(maxsize=1)
def _leave_feast_out() -> None:
    # Feast hooks a header provider into MLflow, and with it all of Feast: 5 to 15 s in every process that talks
    # to a server. None in sys.modules is the import system's own way to refuse a module; MLflow goes on without.
    plugin = "feast.infra.data_sources.mlflow.auth"
    if plugin in sys.modules:
        return
    sys.modules[plugin] = None  # type: ignore[assignment]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            importlib.import_module("mlflow.tracking.request_header.registry")
    finally:
        del sys.modules[plugin]


def _set_experiment(mlflow: Any, name: str) -> None:
    # Without a server MLflow would keep artifacts in the working directory; ours stand beside the database.
    location = settings().artifact_location
    if location and mlflow.get_experiment_by_name(name) is None:
        try:
            mlflow.create_experiment(name, artifact_location=location)
        except mlflow.exceptions.MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":  # two first runs at once
                raise
    mlflow.set_experiment(name)


def _download(name: str, version: str, destination: Path) -> Path:
    mlflow = _mlflow()
    with _clear_errors():
        return Path(mlflow.artifacts.download_artifacts(f"models:/{name}/{version}", dst_path=str(destination)))


def _aliases_of(version: str, aliases: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(sorted(alias for alias, pointed in aliases.items() if pointed == version))


def _flavor(root: Path) -> dict[str, str]:
    flavor: dict[str, str] = yaml.safe_load((root / "MLmodel").read_text())["flavors"]["python_function"]
    _check_loader(flavor.get("loader_module", ""), str(root))
    return flavor


def _check_loader(loader_module: str, where: str) -> None:
    if not loader_module.startswith(_LOADERS):
        raise InputError(f"{where}: loader {loader_module!r} is not ours; only modules below {_LOADERS}* load a model")


def _quoted(name: str) -> str:
    return name.replace("'", "")


@contextmanager
def _clear_errors() -> Iterator[None]:
    import mlflow

    try:
        yield
    except mlflow.exceptions.MlflowException as error:
        raise ServiceError(
            f"MLflow at {without_credentials(settings().tracking_uri)}: {str(error).splitlines()[0]}"
        ) from error
