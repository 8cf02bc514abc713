"""A Kubernetes API server for the tests of the pod runner: kmock's emulator, and pods whose life follows the requests.

No clock is involved: a pod runs once it is created and ends when its log has been read to the end.
"""

from __future__ import annotations

import asyncio
import copy
import json
import logging
import os
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml
from kmock import KubernetesEmulator, KubernetesError, Server, resource, subresource

# Its lines come from a thread of its own, after pytest has closed what they would be written to.
logging.getLogger("aiohttp.access").setLevel(logging.WARNING)

POD = resource("v1/pods")
BEGAN = "2026-01-01T00:00:00Z"
#: What a kubelet keeps of a failed container's log as its termination message.
_KEPT_LINES, _KEPT_BYTES = 80, 2048


@dataclass
class Life:
    """What becomes of a pod: the lines it prints, then its exit code; or a status in which it stays or dies."""

    lines: tuple[str, ...] = ()
    exit_code: int = 0
    reason: str = ""
    #: The pod's status from the beginning, where its container never runs.
    stuck: Mapping[str, Any] | None = None
    #: The provider reads no log of a container that ended two minutes ago, as after a worker's absence.
    ended_long_ago: bool = False
    #: Laid over the status at the end, such as {"reason": "Evicted"}.
    end: Mapping[str, Any] = field(default_factory=dict)
    #: Runs the pod's own command instead of printing `lines`.
    real: bool = False
    #: Prints `lines`, then hangs until the pod is deleted.
    hangs: bool = False
    #: Prints `lines`, then vanishes as a pod does whose node is gone.
    vanishes: bool = False
    #: What the API answers to the pod's creation instead of making it: a status and a message.
    refused: tuple[int, str] | None = None


class Cluster:
    """One API server; `lives` are used up one per pod created, the last one for all that follow."""

    def __init__(self, emulator: KubernetesEmulator, kubeconfig: Path) -> None:
        self.emulator, self.kubeconfig = emulator, kubeconfig
        self.lives: list[Life] = [Life()]
        self.created: list[dict[str, Any]] = []
        self.deleted: list[str] = []
        #: Set once the log of a pod that hangs is being followed.
        self.followed = threading.Event()
        self._current: dict[str, Life] = {}
        self._released = asyncio.Event()
        emulator.resources["v1/events"] = {}
        emulator.resources["v1/pods"] = {}
        emulator["create", POD] << self._create
        emulator["list", POD] << self._list
        emulator["delete", POD] << self._delete
        emulator["fetch", POD, subresource("log")] << self._log

    @property
    def connection(self) -> str:
        """An Airflow connection to this cluster, as a value of AIRFLOW_CONN_KUBERNETES_DEFAULT."""
        return json.dumps({"conn_type": "kubernetes", "extra": {"kube_config_path": str(self.kubeconfig)}})

    @property
    def pods(self) -> dict[str, dict[str, Any]]:
        """The pods that are there, by name."""
        found = ((name, kept) for (kind, _, name), kept in self.emulator.objects.items() if kind == POD)
        return {name: dict(kept.last.raw) for name, kept in found if not kept.deleted}

    def clear(self) -> None:
        """Forget every pod and every request."""
        self.lives, self.created, self.deleted = [Life()], [], []
        self.followed.clear()
        self._released.clear()
        self._current.clear()
        self.emulator.objects.clear()

    def _create(self, request: Any) -> Any:
        life = self.lives.pop(0) if len(self.lives) > 1 else self.lives[0]
        name = request.data["metadata"]["name"]
        kept = self.emulator.objects[POD, request.namespace, name]
        self.created.append(copy.deepcopy(request.data))
        if life.refused:
            kept.delete()
            raise KubernetesError(status=life.refused[0], reason="Refused", message=life.refused[1])
        self._current[name] = life
        kept["status"] = dict(life.stuck) if life.stuck else _running()
        return kept.last.raw

    def _list(self, request: Any) -> Any:
        wanted = [part for part in request.params.get("labelSelector", "").split(",") if part]
        items = [pod for pod in self.pods.values() if all(_matches(pod, part) for part in wanted)]
        return {"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": items}

    def _delete(self, request: Any) -> Any:
        self.deleted.append(request.name)
        self._released.set()
        return self.emulator.objects[POD, request.namespace, request.name].last.raw

    async def _log(self, request: Any) -> AsyncIterator[bytes]:
        life = self._current[request.name]
        kept = self.emulator.objects[POD, request.namespace, request.name]
        lines, code = list(life.lines), life.exit_code
        if life.real:
            lines, code = await asyncio.to_thread(_run, dict(kept.last.raw)["spec"]["containers"][0])
        yield b""
        for line in lines:
            yield f"{BEGAN} {line}\n".encode()
        if life.hangs:
            self.followed.set()
            await self._released.wait()
        elif life.vanishes:
            kept.delete()
        else:
            kept["status"] = {**_terminated(code, life, lines), **life.end}


@contextmanager
def cluster(folder: Path) -> Iterator[Cluster]:
    """Serve the API on a free port of 127.0.0.1, in a thread, for as long as the block lasts."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="kubernetes-api")
    thread.start()

    def call(work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, loop).result(timeout=30)

    emulator = KubernetesEmulator()
    server = Server(emulator)
    try:
        call(emulator.__aenter__())
        call(server.__aenter__())
        yield Cluster(emulator, _kubeconfig(folder, str(server.url)))
    finally:
        call(server.__aexit__(None, None, None))
        call(emulator.__aexit__(None, None, None))
        loop.call_soon_threadsafe(loop.stop)
        thread.join(timeout=30)
        loop.close()


def _kubeconfig(folder: Path, url: str) -> Path:
    path = folder / "kubeconfig.yaml"
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "test",
        "clusters": [{"name": "test", "cluster": {"server": url}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
        "users": [{"name": "test", "user": {}}],
    }
    path.write_text(yaml.safe_dump(content))
    return path


def _running() -> dict[str, Any]:
    state = {"running": {"startedAt": BEGAN}}
    return {"phase": "Running", "startTime": BEGAN, "containerStatuses": [_container(state)]}


def _terminated(code: int, life: Life, lines: list[str]) -> dict[str, Any]:
    at = BEGAN if life.ended_long_ago else datetime.now(UTC).isoformat()
    ended = {"exitCode": code, "reason": life.reason or ("Error" if code else "Completed"), "finishedAt": at}
    if code:
        ended["message"] = "\n".join(lines[-_KEPT_LINES:])[-_KEPT_BYTES:]
    phase = "Failed" if code else "Succeeded"
    return {"phase": phase, "startTime": BEGAN, "containerStatuses": [_container({"terminated": ended})]}


def waiting(reason: str, message: str) -> dict[str, Any]:
    """The status of a pod whose container cannot start."""
    state = {"waiting": {"reason": reason, "message": message}}
    return {"phase": "Pending", "startTime": BEGAN, "containerStatuses": [_container(state)]}


def _container(state: Mapping[str, Any]) -> dict[str, Any]:
    return {"name": "step", "image": "i", "imageID": "i", "ready": False, "restartCount": 0, "state": dict(state)}


def _run(container: Mapping[str, Any]) -> tuple[list[str], int]:
    """Run a container's command here as a process, with the environment that stands in the pod."""
    given = {item["name"]: item["value"] for item in container["env"] if "value" in item}
    program, *rest = [*container["command"], *container["args"]]
    assert program == "python"
    environment = {**{k: v for k, v in os.environ.items() if not k.startswith("TRACEO_")}, **given}
    done = subprocess.run([sys.executable, *rest], env=environment, capture_output=True, text=True, check=False)
    return (
        done.stderr + done.stdout if not done.returncode else done.stdout + done.stderr
    ).splitlines(), done.returncode


def _matches(pod: Mapping[str, Any], part: str) -> bool:
    labels = pod["metadata"].get("labels", {})
    if part.startswith("!"):
        return part[1:] not in labels
    if "!=" in part:
        key, value = part.split("!=")
        return labels.get(key) != value
    key, value = part.split("=")
    return labels.get(key) == value
