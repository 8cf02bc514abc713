"""The model server's startup probe, run as it stands in the chart against the server itself."""

from __future__ import annotations

import io
import json
import urllib.request
from typing import Any

import pytest
from fastapi.testclient import TestClient

from components.core import tracking
from components.serving import server
from tests.infra.manifests import of_kind, read, ref, rendered


def verdict(status: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Any:
    """What the probe's program exits with when the server answers so; None is success."""
    found = next(o for o in of_kind(read(rendered()), "Deployment") if ref(o).endswith("model-server"))
    command = found["spec"]["template"]["spec"]["containers"][0]["startupProbe"]["exec"]["command"]
    assert command[:2] == ["python", "-c"]

    def answer(url: str, timeout: float) -> io.BytesIO:
        assert (url, timeout) == ("http://127.0.0.1:8081/status", 5)
        return io.BytesIO(json.dumps(status).encode())

    monkeypatch.setattr(urllib.request, "urlopen", answer)
    with pytest.raises(SystemExit) as ended:
        exec(command[2], {})
    return ended.value.code


def test_the_server_has_started_once_the_registry_was_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = {"ready": False}

    def models() -> dict[str, dict[str, str]]:
        if not asked["ready"]:
            raise ConnectionError("away")
        return {}

    monkeypatch.setattr(tracking, "registered_models", models)
    before = TestClient(server.application(poll_s=3600)).get("/status").json()
    assert verdict(before, monkeypatch) == "not asked yet"
    asked["ready"] = True
    follower = server.Follower([], 3600)
    follower.poll()
    assert verdict({**before, "registry_error": follower.error}, monkeypatch) is None
