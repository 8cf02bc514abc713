"""Starting, watching and stopping the stack's processes; supervisord (a kept process manager) does the work."""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import signal
import socket
import subprocess
import sys
import time
import xmlrpc.client
from pathlib import Path
from typing import IO, Any

import httpx
import psutil
from supervisor.xmlrpc import SupervisorTransport

from components.cli.local.layout import MARK, Service, Stack
from components.core.errors import ServiceError, SettingsError
from components.core.settings import REPOSITORY

CONFIG = REPOSITORY / "infra/local/supervisord.conf"
AIRFLOW_PROGRAMS = ("airflow-api-server", "airflow-dag-processor", "airflow-scheduler", "airflow-triggerer")
_PR_SET_PDEATHSIG = 1
_STOP_TIMEOUT_S = 30


def claim(stack: Stack) -> IO[str]:
    """Hold the stack's home until the file is closed or this process ends, however.

    SettingsError where another `make run` holds it: either would take the other's processes for leftovers.
    """
    stack.home.mkdir(parents=True, exist_ok=True)
    held = (stack.home / "lock").open("w")
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        held.close()
        raise SettingsError(f"{stack.home}: another `make run` keeps it running; stop that one with Ctrl-C") from None
    return held


def marked(stack: Stack) -> list[psutil.Process]:
    """Every live process of this stack except this one."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and process.environ().get(MARK) == str(stack.home):
                found.append(process)
        except psutil.Error:
            continue
    return found


def end_leftovers(stack: Stack) -> int:
    """Kill what an earlier stack of this home left behind (after a kill -9 of `make run`); returns how many."""
    left = marked(stack)
    for process in left:
        _kill(process)
    psutil.wait_procs(left, timeout=10)
    return len(left)


def check_ports(stack: Stack) -> None:
    """SettingsError, naming the port and the variable that changes it, where a port is taken."""
    for variable, port in stack.ports.items():
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((stack.settings.host, port))
            except OSError as error:
                raise SettingsError(
                    f"port {port} on {stack.settings.host}: {error.strerror}; "
                    f"choose another, e.g. make run {variable}={port + 100}"
                ) from None


def start_supervisor(stack: Stack, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    """Start supervisord and the services that need no migration; it ends when this process dies, however."""
    (stack.home / "logs").mkdir(parents=True, exist_ok=True)
    (stack.home / "mlflow").mkdir(exist_ok=True)
    stack.runtime.mkdir(mode=0o700, exist_ok=True)
    if stack.runtime.stat().st_uid != os.getuid():
        raise SettingsError(f"{stack.runtime} belongs to another user; remove it or set TMPDIR")
    supervisor = subprocess.Popen(
        [sys.executable, "-m", "supervisor.supervisord", "--nodaemon", "--configuration", str(CONFIG)],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=_die_with_parent if sys.platform == "linux" else None,
    )
    _wait_for_socket(stack, supervisor)
    return supervisor


def migrate(stack: Stack, environment: dict[str, str]) -> None:
    """Bring Airflow's database to the installed version; quick where it is there already."""
    import importlib.metadata

    stamp = stack.home / "airflow" / "migrated"
    version = importlib.metadata.version("apache-airflow")
    if stamp.exists() and stamp.read_text() == version:
        return
    log = stack.home / "logs" / "airflow-migrate.log"
    with log.open("wb") as output:
        done = subprocess.run(
            [sys.executable, "-m", "airflow", "db", "migrate"],
            env=environment,
            stdout=output,
            stderr=output,
            check=False,
        )
    if done.returncode:
        raise ServiceError(f"airflow db migrate failed with exit code {done.returncode}; see {log}")
    stamp.write_text(version)


def start_airflow(stack: Stack) -> None:
    """Start Airflow's processes, once its database is migrated."""
    for program in AIRFLOW_PROGRAMS:
        _rpc(stack).supervisor.startProcess(program, False)


def states(stack: Stack) -> dict[str, str]:
    """State of every process by name, as supervisord says it (RUNNING, BACKOFF, …); empty where it is not up."""
    try:
        return {str(p["name"]): str(p["statename"]) for p in _rpc(stack).supervisor.getAllProcessInfo()}
    except (OSError, xmlrpc.client.Error):
        return {}


def healthy(service: Service) -> bool:
    """Whether a service answers its health check."""
    try:
        return httpx.get(service.url + service.health, timeout=3).status_code == 200
    except httpx.HTTPError:
        return False


def stop(stack: Stack, supervisor: subprocess.Popen[bytes] | None) -> None:
    """Stop every process of the stack: politely through supervisord, then whatever is left by force."""
    if supervisor and supervisor.poll() is None:
        # All at once: supervisord on its own would stop one after the other.
        with contextlib.suppress(OSError, xmlrpc.client.Error):
            _rpc(stack).supervisor.stopAllProcesses(False)
        supervisor.send_signal(signal.SIGTERM)
        try:
            supervisor.wait(timeout=_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            supervisor.kill()
    end_leftovers(stack)
    stack.socket.unlink(missing_ok=True)


def _wait_for_socket(stack: Stack, supervisor: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 20
    while not states(stack):
        if supervisor.poll() is not None or time.monotonic() > deadline:
            raise ServiceError(f"supervisord did not start; see {stack.home / 'logs' / 'supervisord.log'}")
        time.sleep(0.1)


def _rpc(stack: Stack) -> Any:
    transport = SupervisorTransport(None, None, f"unix://{stack.socket}")
    return xmlrpc.client.ServerProxy("http://localhost", transport=transport)


def _kill(process: psutil.Process) -> None:
    try:
        process.kill()
    except psutil.Error:
        return


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def log_tail(stack: Stack, service: str, lines: int = 5) -> str:
    """The last lines a service wrote, for an error message."""
    path: Path = stack.home / "logs" / f"{service}.log"
    try:
        return "\n".join(path.read_text(errors="replace").splitlines()[-lines:])
    except FileNotFoundError:
        return ""
