"""The model server's image answers for a champion that steps trained and promoted."""

from __future__ import annotations

import os
import socket
import time
from typing import Any

import httpx
import pytest

from infra.images.build import reference
from tests.world import World

pytestmark = pytest.mark.containers


def test_the_image_serves_the_champion(engine: Any, world: World) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    container = engine.containers.create(
        reference("serving"),
        ["components.serving.server"],
        network_mode="host",
        user=f"{os.getuid()}:{os.getgid()}",
        volumes=[f"{world.root}:{world.root}"],
        environment={"TRACEO_HOME": str(world.root), "TRACEO_MODEL_SERVER_PORT": str(port)},
    )
    try:
        container.start()
        assert _ready(f"http://127.0.0.1:{port}", container), container.logs().decode()[-2000:]
    finally:
        container.remove(force=True)


def _ready(address: str, container: Any) -> bool:
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline:
        try:
            if httpx.get(f"{address}/v2/models/traceo-anomaly/ready").status_code == 200:
                return True
        except httpx.TransportError:
            container.reload()
            if container.status == "exited":
                return False
        time.sleep(0.1)
    return False
