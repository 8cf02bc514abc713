"""What belongs to one embedded stack: its home, its ports, its services and their environment."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from components.core.errors import InputError, SettingsError
from components.core.settings import REPOSITORY, Settings, without_credentials
from components.core.times import floor, iso

ROOT = REPOSITORY / ".traceo"
#: Marks every process of a stack, so that none is missed when it is stopped.
MARK = "TRACEO_STACK"


@dataclass(frozen=True)
class Service:
    """One server of the stack: its name in supervisord, its page and its health check."""

    name: str
    title: str
    url: str
    health: str


@dataclass(frozen=True)
class Stack:
    """A stack of processes that share one home folder."""

    home: Path
    source: str
    settings: Settings

    @property
    def runtime(self) -> Path:
        """A short folder for the control socket: the system allows socket paths of about 100 characters."""
        digest = hashlib.sha256(str(self.home).encode()).hexdigest()[:10]
        return Path(tempfile.gettempdir()) / f"traceo-{os.getuid()}-{digest}"

    @property
    def socket(self) -> Path:
        return self.runtime / "supervisor.sock"

    @property
    def services(self) -> list[Service]:
        at, ports = f"http://{self.settings.host}", self.settings
        airflow = f"{at}:{ports.airflow_port}"
        return [
            Service("console", "Traceo console", f"{at}:{ports.console_port}/", "healthz"),
            Service("airflow", "Airflow", f"{airflow}/", "api/v2/monitor/health"),
            Service("mlflow", "MLflow", f"{at}:{ports.mlflow_port}/", "health"),
            Service("model-server", "Model server", f"{at}:{ports.model_server_port}/", "v2/health/live"),
            Service("log-receiver", "Log receiver", f"{at}:{ports.log_receiver_port}/", "healthz"),
        ]

    @property
    def ports(self) -> dict[str, int]:
        """Port by the variable that changes it."""
        names = ("airflow_port", "mlflow_port", "model_server_port", "console_port", "log_receiver_port")
        return {f"TRACEO_{name.upper()}": getattr(self.settings, name) for name in names}

    @property
    def password_file(self) -> Path:
        return self.home / "airflow" / "passwords.json"

    def password(self) -> str:
        """Airflow's password of the user `admin`; made once, readable by this user alone."""
        if not self.password_file.exists():
            _write_private(self.password_file, json.dumps({"admin": secrets.token_urlsafe(12)}))
        passwords: dict[str, str] = json.loads(self.password_file.read_text())
        return passwords["admin"]

    def environment(self) -> dict[str, str]:
        """The environment of every process of the stack."""
        home, ports = str(self.home), self.settings
        at = f"http://{ports.host}"
        self.password()
        return {
            **os.environ,
            MARK: home,
            # Otherwise setproctitle (Airflow) overwrites the process's environment, and with it the mark.
            "SPT_NOENV": "1",
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
            "PYTHONUNBUFFERED": "1",
            "TRACEO_HOME": home,
            "TRACEO_SOURCE": self.source,
            "TRACEO_PYTHON": sys.executable,
            "TRACEO_RUNTIME": str(self.runtime),
            "TRACEO_REPOSITORY": str(REPOSITORY),
            "TRACEO_HOST": ports.host,
            **{name: str(port) for name, port in self.ports.items()},
            "TRACEO_MLFLOW_URI": f"{at}:{ports.mlflow_port}",
            "TRACEO_MODEL_SERVER_URL": f"{at}:{ports.model_server_port}",
            **_quiet(),
            **self._airflow(),
        }

    def _airflow(self) -> dict[str, str]:
        folder, port = self.home / "airflow", self.settings.airflow_port
        base = f"http://{self.settings.host}:{port}"
        options = {
            "CORE__DAGS_FOLDER": str(REPOSITORY / "dags"),
            "CORE__LOAD_EXAMPLES": "False",
            "CORE__EXECUTOR": "LocalExecutor",
            "CORE__PARALLELISM": str(max(2, os.cpu_count() or 2)),
            "CORE__EXECUTION_API_SERVER_URL": f"{base}/execution/",
            "CORE__FERNET_KEY": _secret(folder / "fernet.key"),
            "CORE__SIMPLE_AUTH_MANAGER_USERS": "admin:admin",
            "CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(self.password_file),
            "DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{folder}/airflow.db",
            "API__BASE_URL": base,
            "API__HOST": self.settings.host,
            "API__PORT": str(port),
            "API__WORKERS": "1",
            "API__SECRET_KEY": _secret(folder / "session.key"),
            "API_AUTH__JWT_SECRET": _secret(folder / "jwt.key"),
            "LOGGING__LOGGING_LEVEL": "INFO",
            "USAGE_DATA_COLLECTION__ENABLED": "False",
            "DAG_PROCESSOR__REFRESH_INTERVAL": "300",
        }
        return {"AIRFLOW_HOME": str(folder), **{f"AIRFLOW__{name}": value for name, value in options.items()}}

    def remember(self) -> None:
        """Note which stack is the current one, for `traceo status`."""
        content = {"home": str(self.home), "source": self.source, "host": self.settings.host, "ports": self.ports}
        for place in (ROOT / "current.json", self.home / "stack.json"):
            # A source may hold credentials.
            _write_private(place, json.dumps(content, indent=1))


def new_stack(source: str, home: Path | None, settings: Settings) -> Stack:
    """The stack for a source; without `home` each source has its own below `.traceo`, so that none mix.

    The built-in shop's story is anchored at its first start and keeps that anchor.
    """
    home = (home or ROOT / _slug(source)).resolve()
    known = _known(home)
    if known and _without_anchor(known["source"]) != _without_anchor(source):
        raise SettingsError(
            f"{home} holds what was learnt from {without_credentials(known['source'])}, not from "
            f"{without_credentials(source)}; "
            "name another --home or run `make clean`"
        )
    return Stack(home, known["source"] if known else _resolved(source), settings)


def current_stack(home: Path | None) -> Stack:
    """The stack that was started last, or the one in `home`; SettingsError where there is none."""
    known = _known(home.resolve()) if home else _read(ROOT / "current.json")
    if not known:
        raise SettingsError("no stack was started here yet; start one with `make run`")
    fields = {name.removeprefix("TRACEO_").lower(): port for name, port in known["ports"].items()}
    settings = Settings(host=known["host"], **fields)
    return Stack(Path(known["home"]), known["source"], settings)


def _known(home: Path) -> dict[str, Any] | None:
    return _read(home / "stack.json")


def _read(path: Path) -> dict[str, Any] | None:
    try:
        content: dict[str, Any] = json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        return None
    return content


def _resolved(source: str) -> str:
    if source.startswith("shop://"):
        if "anchor=" in source:
            return source
        anchor = iso(floor(datetime.now(UTC), timedelta(minutes=5)))
        return f"{source}{'&' if '?' in source else '?'}anchor={anchor}"
    if "://" in source:
        return source
    if not Path(source).is_dir():
        raise InputError(f"SOURCE={source}: no such directory; give a directory, http://host:9090 or shop://")
    return str(Path(source).resolve())


def _without_anchor(source: object) -> str:
    text = str(source)
    if not text.startswith("shop://"):
        return text if "://" in text else str(Path(text).resolve())
    query = [part for part in urlsplit(text).query.split("&") if part and not part.startswith("anchor=")]
    return "shop://?" + "&".join(sorted(query))


def _slug(source: str) -> str:
    if source.rstrip("/?") == "shop:":
        return "shop"
    stem = "".join(c if c.isalnum() else "-" for c in source.rstrip("/").rsplit("/", 1)[-1])[:24].strip("-")
    return f"{stem or 'source'}-{hashlib.sha256(_without_anchor(source).encode()).hexdigest()[:8]}"


def _secret(path: Path) -> str:
    if not path.exists():
        import base64

        _write_private(path, base64.urlsafe_b64encode(secrets.token_bytes(32)).decode())
    return path.read_text()


def _write_private(path: Path, content: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(content)


def _quiet() -> Mapping[str, str]:
    """Nothing of the stack calls home."""
    return {
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "DO_NOT_TRACK": "1",
        "GX_ANALYTICS_ENABLED": "false",
        "FEAST_USAGE": "False",
        "SCARF_ANALYTICS": "false",
        "GIT_PYTHON_REFRESH": "quiet",
    }
