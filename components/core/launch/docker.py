"""Runs a step as a container, through the socket of Docker or Podman (`DOCKER_HOST`); the only importer of docker."""

from __future__ import annotations

import codecs
import contextlib
import hashlib
import json
import logging
import math
import os
import uuid
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from components.core.errors import ServiceError, TraceoError
from components.core.launch.given import given
from components.core.launch.images import image_of
from components.core.launch.outcome import Outcome
from components.core.launch.process import command
from components.core.settings import Settings, settings
from components.core.spec import Spec

#: On every container, with the step's name; what a crash of the launching side left is found by it.
LABEL = "traceo.step"
_RUN_LABEL = "traceo.run"
_READ = ("catalog", "feature_repo", "notebooks", "source")
_PLACES = ("home", "lake", *_READ)
#: What boto3 and MLflow read beside our own settings.
_CREDENTIALS = (
    *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_REGION", "AWS_DEFAULT_REGION"),
    *("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "MLFLOW_S3_ENDPOINT_URL"),
    *("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN"),
)
#: Both streams as one, as a process writes them: a log line cannot come after the summary that was printed after it.
_ENTRYPOINT = ["/bin/sh", "-c", 'exec python -m "$0" "$@" 2>&1']
_KILLED = 137
logger = logging.getLogger("traceo.launch")


class DockerLauncher:
    """Starts the step's image with the state of this machine mounted at the same paths, and follows its output."""

    def __init__(self) -> None:
        self._container: Any = None
        self._stopped = False

    def run(self, spec: Spec, uris: Mapping[str, str], params: Mapping[str, Any]) -> dict[str, Any]:
        """Run one step; returns its summary. TraceoError carries the step's own last line where it failed.

        ServiceError where no Docker or Podman answers, NotYetError where the step found too little data so far.
        A container that was killed is a TraceoError that names its memory limit; a second run repairs what it left.
        """
        with _engine() as client:
            engine = client.info()
            cores = engine.get("NCPU") or math.inf
            options = container_options(spec, uris, params, rootless=_is_rootless(engine), cores=cores)
            _remove_leftovers(client, options["labels"])
            self._container = client.containers.create(**options)
            try:
                outcome = Outcome(spec)
                code = self._follow(outcome)
                return outcome.settle(code) if code != _KILLED else self._killed(spec, outcome)
            finally:
                # Not by the engine itself: Podman's automatic removal races with reading the last lines.
                self._container.remove(force=True)

    def stop(self) -> None:
        """Kill the step's container, or the one that is about to start."""
        self._stopped = True
        if self._container:
            _kill(self._container)

    def _follow(self, outcome: Outcome) -> int:
        self._container.start()
        if self._stopped:
            _kill(self._container)
        for line in lines(self._container.logs(stream=True, follow=True)):
            outcome.follow(line)
        code: int = self._container.wait()["StatusCode"]
        return code

    def _killed(self, spec: Spec, outcome: Outcome) -> dict[str, Any]:
        why = f"killed from outside, or for more than its {spec.resources.memory_mb} MiB of memory (its Spec's limit)"
        raise outcome.failure(_KILLED, "stopped" if self._stopped else why)


def container_options(
    spec: Spec,
    uris: Mapping[str, str],
    params: Mapping[str, Any],
    *,
    rootless: bool = False,
    cores: float = math.inf,
) -> dict[str, Any]:
    """How the step's container is created, in the words of `docker.containers.create`.

    rootless: the engine runs as this user, who is root inside its containers. cores: how many the engine has; it
    refuses a container that is promised more.
    """
    found = settings()
    absolute = {name: _absolute(uri) for name, uri in uris.items()}
    run = json.dumps([spec.name, absolute], sort_keys=True)
    memory = f"{spec.resources.memory_mb}m"
    return {
        "image": image_of(spec),
        "entrypoint": _ENTRYPOINT,
        "command": [f"components.{spec.domain}", *command(spec, absolute, params)],
        "name": f"traceo-{spec.domain}-{spec.step}-{uuid.uuid4().hex[:8]}",
        "labels": {LABEL: spec.name, _RUN_LABEL: hashlib.sha256(run.encode()).hexdigest()[:16]},
        "environment": environment(found),
        "volumes": [f"{path}:{path}:{mode}" for path, mode in mounts(found, absolute).items()],
        "user": "0:0" if rootless else f"{os.getuid()}:{os.getgid()}",
        "network_mode": found.docker_network,
        "nano_cpus": round(min(spec.resources.cpu, cores) * 1e9),
        "mem_limit": memory,
        "memswap_limit": memory,
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges"],
    }


def environment(found: Settings) -> dict[str, str]:
    """The settings that were given, paths made absolute, and the credentials of S3 and MLflow."""
    values = {name: _text(getattr(found, name)) for name in given(found) if getattr(found, name) is not None}
    values |= {name: _absolute(values[name]) for name in _PLACES if name in values}
    own = {f"TRACEO_{name.upper()}": value for name, value in values.items()}
    return own | {name: os.environ[name] for name in _CREDENTIALS if name in os.environ}


def mounts(found: Settings, uris: Mapping[str, str]) -> dict[str, str]:
    """Which folders and files of this machine the container sees, at the same path, and whether it may write there.

    The state and the artifacts for writing; what the user has of his own (a source, notebooks, …) for reading.
    """
    tracking = [str(Path(found.artifact_location).parent)] if found.artifact_location else []
    read = [getattr(found, name) for name in _READ if name in found.model_fields_set]
    mounted: dict[str, str] = {}
    for place in filter(_is_local, [found.home, found.lake_uri, *tracking]):
        _mount(mounted, Path(_absolute(place)), "rw")
    for uri in filter(_is_local, uris.values()):
        # A folder is put in its place by renaming: it is the one above that is written.
        if not _is_below(Path(uri), mounted):
            _mount(mounted, Path(uri).parent, "rw")
    for place in filter(_is_local, read):
        _mount(mounted, Path(_absolute(place)), "ro")
    return mounted


def _mount(mounted: dict[str, str], path: Path, mode: str) -> None:
    if mode == "rw":
        path.mkdir(parents=True, exist_ok=True)
    # MLflow's database names real paths, where a home may be a symbolic link.
    for known in (path, path.resolve()):
        if not _is_below(known, mounted):
            mounted[str(known)] = mode


def _is_below(path: Path, mounted: Mapping[str, str]) -> bool:
    return any(path.is_relative_to(other) for other in mounted)


def _is_local(uri: str) -> bool:
    return "://" not in uri or uri.startswith("file://")


def lines(chunks: Iterable[bytes]) -> Iterator[str]:
    """Whole lines of a stream that arrives in pieces; bytes that are no UTF-8 are replaced."""
    decoder, rest = codecs.getincrementaldecoder("utf-8")("replace"), ""
    for chunk in chunks:
        *whole, rest = (rest + decoder.decode(chunk)).split("\n")
        yield from whole
    if rest:
        yield rest


def _absolute(uri: str) -> str:
    return str(Path(uri.removeprefix("file://")).absolute()) if _is_local(uri) else uri


def _text(value: Any) -> str:
    return value.get_secret_value() if isinstance(value, SecretStr) else str(value)


@contextlib.contextmanager
def _engine() -> Iterator[Any]:
    """A client on the engine's socket; what goes wrong there becomes a ServiceError that says what to do."""
    import docker
    import requests

    where = os.environ.get("DOCKER_HOST", "the default socket")
    try:
        with contextlib.closing(docker.from_env()) as client:
            yield client
    except docker.errors.ImageNotFound as error:
        raise TraceoError(f"{error.explanation or error}; build the images with `make images`") from None
    except (docker.errors.DockerException, requests.RequestException) as error:
        reason = getattr(error, "explanation", None) or error
        raise ServiceError(
            f"the container engine at {where} (DOCKER_HOST) could not do it: {reason}; is it running"
            " (Podman: `podman system service`)?"
        ) from None


def _is_rootless(engine: Mapping[str, Any]) -> bool:
    return any("rootless" in option for option in engine.get("SecurityOptions") or ())


def _remove_leftovers(client: Any, labels: Mapping[str, str]) -> None:
    """Remove containers that write the same artifacts: a launching side that died left its container running."""
    for container in client.containers.list(all=True, filters={"label": f"{_RUN_LABEL}={labels[_RUN_LABEL]}"}):
        logger.warning("removing container %s, which an earlier attempt left", container.name)
        container.remove(force=True)


def _kill(container: Any) -> None:
    import docker

    # It has not started yet, or has ended: there is nothing to kill.
    with contextlib.suppress(docker.errors.APIError):
        container.kill()
