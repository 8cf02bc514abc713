"""The compose file: valid, bound to this machine, without a password in it, and true to the code it starts."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from components.core.settings import REPOSITORY, Settings
from tests.infra.manifests import INFRA, read, rendered
from tests.infra.test_chart import parse

pytestmark = pytest.mark.xdist_group("airflow")
FILE = INFRA / "compose.yaml"
TEXT = FILE.read_text()
STACK: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = STACK["services"]
OURS = {name for name, service in SERVICES.items() if "TRACEO_IMAGE_PREFIX" in service["image"]}
EXAMPLE = dict(
    line.split("=", 1) for line in (INFRA / "compose/.env.example").read_text().splitlines() if "=" in line[:40]
    and not line.startswith("#")
)  # fmt: skip
#: Started once, they end.
ONCE = {"bucket", "airflow-migrate"}


def environment(service: dict[str, Any]) -> dict[str, str]:
    return {name: str(value) for name, value in service.get("environment", {}).items()}


def podman_compose(env_file: Path) -> subprocess.CompletedProcess[str]:
    folder = REPOSITORY / ".tools/podman-compose"
    if not (folder / "podman_compose.py").exists():
        pytest.skip("podman-compose is not there: infra/lint/tools.sh fetches it")
    command = [
        sys.executable,
        str(folder / "podman_compose.py"),
        "--env-file",
        str(env_file),
        "-f",
        str(FILE),
        "config",
    ]
    # It asks Podman for its version first; the check needs none.
    stand_in = env_file.parent / "podman"
    stand_in.write_text("#!/bin/sh\necho podman version 5.0.0\n")
    stand_in.chmod(0o755)
    env = {"PATH": f"{env_file.parent}{os.pathsep}{os.environ['PATH']}", "HOME": str(env_file.parent)}
    return subprocess.run(command, capture_output=True, text=True, env=env, cwd=env_file.parent)


def test_the_file_keeps_the_compose_specification() -> None:
    schema = REPOSITORY / ".tools/compose-spec.json"
    if not schema.exists():
        pytest.skip("the specification's schema is not there: infra/lint/tools.sh fetches it")
    # The package's schema is older than the key `name`.
    stack = {key: value for key, value in STACK.items() if key != "name"}
    jsonschema.Draft201909Validator(json.loads(schema.read_text())).validate(stack)


def test_a_filled_in_example_is_enough(tmp_path: Path) -> None:
    env_file = tmp_path / "env"
    env_file.write_text("".join(f"{name}={value or 'x1'}\n" for name, value in EXAMPLE.items()))
    done = podman_compose(env_file)
    assert done.returncode == 0, done.stderr
    stack = yaml.safe_load(done.stdout)
    assert stack["services"]["console"]["image"] == "localhost/traceo-actions:dev"
    assert "${" not in done.stdout.replace("$${", "")


@pytest.mark.parametrize("name", sorted(name for name, value in EXAMPLE.items() if not value))
def test_what_is_not_filled_in_is_asked_for_by_name(name: str, tmp_path: Path) -> None:
    env_file = tmp_path / "env"
    env_file.write_text("".join(f"{n}={'' if n == name else v or 'x1'}\n" for n, v in EXAMPLE.items()))
    done = podman_compose(env_file)
    assert done.returncode != 0
    assert f"required variable {name} is missing a value" in done.stderr


def test_the_example_has_what_the_file_requires_and_no_secret() -> None:
    required = set(re.findall(r"\$\{(\w+):\?", TEXT))
    assert {name for name, value in EXAMPLE.items() if not value} == required
    assert set(EXAMPLE) - required == {"TRACEO_IMAGE_PREFIX", "TRACEO_IMAGE_TAG"}


def test_no_secret_has_a_value() -> None:
    for name, service in SERVICES.items():
        for variable, value in environment(service).items():
            if re.search(r"PASSWORD$|SECRET|TOKEN$|_KEY$|CONN$|STORE_URI$", variable) and value != "aws://":
                assert ":?" in value, f"{name}: {variable}"


def test_ports_are_this_machines_alone() -> None:
    published = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert len(published) == 5
    assert [port for port in published if not port.startswith("127.0.0.1:")] == []


def test_images_are_pinned() -> None:
    tags = {name: re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", s["image"]).rsplit(":", 1)[-1] for name, s in SERVICES.items()}
    assert [name for name, tag in tags.items() if tag in ("latest", "") or "/" in tag] == []


def test_every_setting_is_one_that_the_code_reads() -> None:
    known = {f"TRACEO_{name.upper()}" for name in Settings.model_fields}
    named = {variable for service in SERVICES.values() for variable in environment(service)}
    assert {name for name in named if name.startswith("TRACEO_")} <= known


def test_addresses_are_those_of_services_and_the_ports_they_listen_on() -> None:
    listens = {
        **{"mlflow": {"5000"}, "s3": {"9000"}, "postgresql": {"5432"}, "redis": {"6379"}, "model-server": {"8081"}},
        **{"airflow-api-server": {"8080"}, "kafka": {"9092", "9093"}},
    }
    assert set(listens) <= set(SERVICES)
    for service in SERVICES.values():
        for variable, value in environment(service).items():
            plain = re.sub(r"\$\{\w+:[?-][^}]*\}", "", value)
            for host, port in re.findall(r"(?://|@|^)([a-z][a-z0-9-]+):(\d+)", plain):
                assert port in listens.get(host, ()), f"{variable}={value}"


def test_what_others_wait_for_says_when_it_is_healthy() -> None:
    for name, service in SERVICES.items():
        if name not in ONCE:
            assert "healthcheck" in service, name
        for other, wait in service.get("depends_on", {}).items():
            expected = "service_completed_successfully" if other in ONCE else "service_healthy"
            assert wait["condition"] == expected, f"{name} waits for {other}"


def test_our_own_containers_can_write_nowhere_and_have_no_rights() -> None:
    assert len(OURS) == 10
    for name in OURS:
        service = SERVICES[name]
        assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"]), name
        assert "privileged" not in service
    sockets = [name for name, s in SERVICES.items() for v in s.get("volumes", []) if "docker.sock" in v]
    assert sockets == ["airflow-scheduler"]


def test_volumes_and_files_are_there() -> None:
    mounts = [v.split(":")[0] for s in SERVICES.values() for v in s.get("volumes", []) if not v.startswith("$")]
    assert {mount for mount in mounts if not mount.startswith(".")} == set(STACK["volumes"])
    assert [mount for mount in mounts if mount.startswith(".") and not (INFRA / mount).is_file()] == []


def test_every_command_can_be_parsed_by_what_it_starts() -> None:
    # The images' entry point is `python -m`.
    commands = [s["command"] for name, s in SERVICES.items() if name in OURS and "entrypoint" not in s]
    commands += [
        s["healthcheck"]["test"][3:] for s in SERVICES.values() if "jobs" in s.get("healthcheck", {}).get("test", [])
    ]
    assert len(commands) == 9
    for command in commands:
        parse(["python", "-m", *command])


def test_feast_is_configured_as_in_the_chart() -> None:
    charts = next(o["data"] for o in read(rendered()) if "feature_store.yaml" in o.get("data", {}))
    own = yaml.safe_load((INFRA / "compose/feature_store.yaml").read_text())
    assert own == yaml.safe_load(charts["feature_store.yaml"])
