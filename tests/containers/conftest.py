"""A container engine for these tests: Podman's service on a socket of its own, or what DOCKER_HOST names."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import docker
import pytest

Inside = Callable[..., str]


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A client of the engine; DOCKER_HOST names it to what the tests start."""
    if "DOCKER_HOST" in os.environ:
        yield docker.from_env()
        return
    if not shutil.which("podman"):
        pytest.skip("no podman on the PATH and no DOCKER_HOST")
    folder = tmp_path_factory.mktemp("podman")
    address = f"unix://{folder / 'podman.sock'}"
    environment = {"CONTAINERS_CONF": str(_configuration(folder)), **os.environ}
    with (folder / "service.log").open("w") as log:
        service = subprocess.Popen(["podman", "system", "service", "--time", "0", address], env=environment, stderr=log)
    os.environ["DOCKER_HOST"] = address
    try:
        yield _answering(service, folder / "service.log")
    finally:
        del os.environ["DOCKER_HOST"]
        service.terminate()
        service.wait(timeout=20)


def _configuration(folder: Path) -> Path:
    """Podman asks for more open files than this process may have itself; its containers get what there is."""
    wanted = {"nofile": (resource.RLIMIT_NOFILE, 1_048_576), "nproc": (resource.RLIMIT_NPROC, 32_768)}
    given = []
    for name, (limit, most) in wanted.items():
        hard = resource.getrlimit(limit)[1]
        value = most if hard == resource.RLIM_INFINITY else min(hard, most)
        given.append(f'"{name}={value}:{value}"')
    path = folder / "containers.conf"
    path.write_text(f"[containers]\ndefault_ulimits = [{', '.join(given)}]\n")
    return path


def _answering(service: subprocess.Popen[bytes], log: Path) -> Any:
    deadline = time.monotonic() + 120  # an engine that builds answers late
    while service.poll() is None and time.monotonic() < deadline:
        try:
            return docker.from_env()
        except docker.errors.DockerException:
            time.sleep(0.05)
    raise AssertionError(f"podman system service does not answer: {log.read_text()}")


@pytest.fixture(scope="session")
def inside(engine: Any) -> Inside:
    """Runs a container to its end and returns its output; AssertionError with the output where it fails."""

    def run(image: str, command: list[str], **options: Any) -> str:
        options = {"network_mode": "none", **options}
        try:
            container = engine.containers.create(image, command, **options)
        except docker.errors.ImageNotFound:
            raise AssertionError(f"there is no image {image}; run make images") from None
        try:
            container.start()
            code = container.wait()["StatusCode"]
            output: str = container.logs().decode(errors="replace")
        finally:
            container.remove(force=True)
        assert code == 0, output
        return output

    return run
