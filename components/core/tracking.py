"""MLflow: runs, models and aliases. The only module that imports mlflow.

A model is saved as a folder of plain data (JSON, NPZ, skops) and loaded by code that is already installed:
`loader_module` names a module of ours with `_load_pyfunc(path)`. Nothing that the registry holds is
unpickled or executed.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pandas as pd
import yaml

from components.core.errors import InputError, ServiceError
from components.core.settings import settings

# Keep a step that meets a dead server from hanging for minutes: three tries, ten seconds each.
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "3")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_ENABLE_ASYNC_TRACE_LOGGING", "false")

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
    """An MlflowClient on the configured tracking server."""
    import mlflow

    mlflow.set_tracking_uri(settings().tracking_uri)
    return mlflow.MlflowClient()


@contextmanager
def start_run(experiment: str, name: str, params: Mapping[str, Any], tags: Mapping[str, str] | None = None) -> Iterator[Any]:
    """A run in an experiment, its parameters logged; yields the `mlflow` module and closes the run."""
    import mlflow

    mlflow.set_tracking_uri(settings().tracking_uri)
    with _clear_errors():
        mlflow.set_experiment(experiment)
        with mlflow.start_run(run_name=name, tags=dict(tags or {})):
            mlflow.log_params({key: str(value)[:500] for key, value in params.items()})
            yield mlflow


def run_url(run_id: str) -> str | None:
    """The page of a run in the MLflow UI; None where tracking is a plain database."""
    uri = settings().tracking_uri
    if not uri.startswith("http"):
        return None
    return f"{uri.rstrip('/')}/#/experiments/{client().get_run(run_id).info.experiment_id}/runs/{run_id}"


def register(name: str, run_id: str, folder: Path, loader_module: str, tags: Mapping[str, str]) -> ModelVersion:
    """Log `folder` as a model on an existing run and register it as a new version of `name`."""
    import mlflow

    _check_loader(loader_module, str(folder))
    mlflow.set_tracking_uri(settings().tracking_uri)
    with _clear_errors(), mlflow.start_run(run_id=run_id):
        info = mlflow.pyfunc.log_model(
            name=name, loader_module=loader_module, data_path=str(folder), pip_requirements=["traceo"]
        )
        version = mlflow.register_model(info.model_uri, name, tags=dict(tags))
    return ModelVersion(name, str(version.version), run_id, (), dict(tags))


def versions(name: str) -> list[ModelVersion]:
    """Every version of a registered model, newest first; empty where the name is unknown."""
    found = client().search_model_versions(f"name = '{_quoted(name)}'")
    aliases = registered_models().get(name, {})
    by_version: dict[str, list[str]] = {}
    for alias, version in aliases.items():
        by_version.setdefault(version, []).append(alias)
    rows = [
        ModelVersion(name, str(v.version), v.run_id, tuple(sorted(by_version.get(str(v.version), []))), dict(v.tags))
        for v in found
    ]
    return sorted(rows, key=lambda row: -int(row.version))


def registered_models() -> dict[str, dict[str, str]]:
    """Every registered model with its aliases and the version each points to."""
    with _clear_errors():
        return {m.name: {a: str(v) for a, v in m.aliases.items()} for m in client().search_registered_models()}


def version_of(name: str, alias: str) -> str | None:
    """The version an alias points to; None where there is none."""
    return registered_models().get(name, {}).get(alias)


def set_alias(name: str, alias: str, version: str) -> None:
    with _clear_errors():
        client().set_registered_model_alias(name, alias, version)


def delete_alias(name: str, alias: str) -> None:
    with _clear_errors():
        client().delete_registered_model_alias(name, alias)


def download(name: str, version: str, destination: Path) -> Path:
    """Fetch a version's own data folder (what `register` was given) below `destination`; returns its path."""
    import mlflow

    mlflow.set_tracking_uri(settings().tracking_uri)
    with _clear_errors():
        root = Path(mlflow.artifacts.download_artifacts(f"models:/{name}/{version}", dst_path=str(destination)))
    return root / _flavor(root)["data"]


def load_model(name: str, version: str) -> Predictor:
    """Load one version through its loader module; InputError where that is not one of ours."""
    import tempfile

    with tempfile.TemporaryDirectory() as temporary:
        import mlflow

        mlflow.set_tracking_uri(settings().tracking_uri)
        with _clear_errors():
            root = Path(mlflow.artifacts.download_artifacts(f"models:/{name}/{version}", dst_path=temporary))
        flavor = _flavor(root)
        return load_folder(root / flavor["data"], flavor["loader_module"])


def load_folder(folder: Path, loader_module: str) -> Predictor:
    """Load a model folder with one of our loader modules."""
    import importlib

    _check_loader(loader_module, str(folder))
    model: Predictor = importlib.import_module(loader_module)._load_pyfunc(str(folder))
    return model


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
        raise ServiceError(f"MLflow at {settings().tracking_uri}: {str(error).splitlines()[0]}") from error
