"""A home of its own for Feast's state."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from components.core.settings import settings


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """TRACEO_HOME in the test's own folder."""
    monkeypatch.setenv("TRACEO_HOME", str(tmp_path / "home"))
    settings.cache_clear()
    yield tmp_path / "home"
    settings.cache_clear()


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[str]:
    """A real Redis with a password on a free port; its connection string."""
    if shutil.which("redis-server") is None:
        pytest.skip("no redis-server; install Debian's redis-server")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    configuration = tmp_path / "redis.conf"
    configuration.write_text(f'bind 127.0.0.1\nport {port}\nsave ""\nrequirepass secret\ndir {tmp_path}\n')
    with subprocess.Popen(["redis-server", str(configuration)], stdout=subprocess.DEVNULL) as server:
        try:
            _wait_for(port)
            yield f"127.0.0.1:{port},password=secret"
        finally:
            server.terminate()


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + 20
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            assert time.monotonic() < deadline, "redis-server does not answer"
            time.sleep(0.05)
