"""How a step's container is created; that it runs is tested in tests/containers."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import MagicMock

import docker
import pytest

from components.actions.specs import ALERT, CORRELATE
from components.core.errors import ServiceError, TraceoError
from components.core.launch import launcher
from components.core.launch.docker import container_options, environment, lines, mounts
from components.core.settings import Settings, settings
from components.core.spec import Resources


@pytest.fixture(autouse=True)
def _own_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    for name in [name for name in os.environ if name.startswith(("TRACEO_", "AWS_", "MLFLOW_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("TRACEO_HOME", str(tmp_path / "home"))
    settings.cache_clear()
    yield
    settings.cache_clear()


def test_a_container_is_limited_to_what_its_spec_needs(tmp_path: Path) -> None:
    options = container_options(ALERT, {"lake": str(tmp_path / "home" / "lake")}, {})
    assert options["image"] == "localhost/traceo-actions:dev"
    assert options["nano_cpus"] == 500_000_000
    assert options["mem_limit"] == options["memswap_limit"] == "512m"
    assert options["cap_drop"] == ["ALL"]
    assert options["labels"]["traceo.step"] == "actions.alert"
    assert options["name"].startswith("traceo-actions-alert-")


def test_a_host_with_fewer_cores_than_the_spec_asks_for_gives_what_it_has(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The engine would refuse to create the container."""
    spec = dataclasses.replace(CORRELATE, resources=Resources(cpu=2, memory_mb=512))
    client = MagicMock()
    client.info.return_value = {"NCPU": 1, "SecurityOptions": ["name=rootless"]}
    client.containers.list.return_value = []
    client.containers.create.side_effect = docker.errors.ImageNotFound("no such image")
    monkeypatch.setattr(docker, "from_env", lambda: client)
    with pytest.raises(TraceoError, match="make images"):
        launcher("docker").run(spec, {"lake": str(tmp_path)}, {})
    created = client.containers.create.call_args.kwargs
    assert created["nano_cpus"] == 1_000_000_000
    assert created["user"] == "0:0"
    assert container_options(spec, {}, {}, cores=8)["nano_cpus"] == 2_000_000_000


def test_it_runs_the_one_command_line_on_absolute_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    options = container_options(CORRELATE, {"lake": "here/lake", "correlated": "s3://b/c.json"}, {"quiet_min": 10})
    assert options["command"] == [
        *("components.actions", "correlate", "--lake", str(tmp_path / "here/lake"), "--correlated", "s3://b/c.json"),
        *("--params", '{"quiet_min": 10}'),
    ]


def test_a_parameter_that_looks_like_shell_stays_one_argument() -> None:
    options = container_options(CORRELATE, {"lake": "/tmp/$(id); rm -rf x"}, {})
    assert "/tmp/$(id); rm -rf x" in options["command"]
    assert options["entrypoint"][:2] == ["/bin/sh", "-c"]
    assert "$(id)" not in options["entrypoint"][2]


def test_it_writes_as_the_caller_who_is_root_where_the_engine_is_his_own() -> None:
    assert container_options(CORRELATE, {}, {})["user"] == f"{os.getuid()}:{os.getgid()}"
    assert container_options(CORRELATE, {}, {}, rootless=True)["user"] == "0:0"


def test_two_attempts_of_one_run_are_known_as_such(tmp_path: Path) -> None:
    def label(place: str) -> str:
        found: str = container_options(CORRELATE, {"lake": str(tmp_path / place)}, {})["labels"]["traceo.run"]
        return found

    assert label("a") == label("a")
    assert label("a") != label("b")


def test_secrets_travel_in_the_environment_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TRACEO_ALERTMANAGER_TOKEN", "t0ken")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "k3y")
    monkeypatch.setenv("AWS_CA_BUNDLE", "/a/path/of/this/machine")
    settings.cache_clear()
    options = container_options(ALERT, {"lake": str(tmp_path)}, {})
    assert options["environment"]["TRACEO_ALERTMANAGER_TOKEN"] == "t0ken"
    assert options["environment"]["AWS_SECRET_ACCESS_KEY"] == "k3y"
    assert "AWS_CA_BUNDLE" not in options["environment"]
    shown = str({key: value for key, value in options.items() if key != "environment"})
    assert "t0ken" not in shown
    assert "k3y" not in shown


def test_the_environment_is_what_was_given_and_the_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TRACEO_RUNNER", "docker")
    found = Settings(home="state", model_server_url="http://127.0.0.1:8081", catalog="my.yaml")
    assert environment(found) == {
        "TRACEO_CATALOG": str(tmp_path / "my.yaml"),
        "TRACEO_HOME": str(tmp_path / "state"),
        "TRACEO_MODEL_SERVER_URL": "http://127.0.0.1:8081",
    }


def test_what_only_servers_and_launchers_read_reaches_no_step() -> None:
    every = {name: field.get_default() for name, field in Settings.model_fields.items()}
    filled = {name: "x" if value is None else value for name, value in every.items()}
    found = Settings(**{**filled, "allowed_hosts": "*", "home": "s3://b/home"})
    assert environment(found).keys() == {
        *(f"TRACEO_{name}" for name in ("HOME", "LAKE", "SOURCE", "CATALOG", "NOTEBOOKS", "FEATURE_REPO")),
        *(f"TRACEO_{name}" for name in ("LOG_SPOOL", "LOG_FILES")),
        *(f"TRACEO_{name}" for name in ("MLFLOW_URI", "MLFLOW_PAGE", "MODEL_SERVER_URL", "ONLINE_STORE")),
        *(
            f"TRACEO_{name}"
            for name in ("ALERTMANAGER_URL", "ALERTMANAGER_TOKEN", "HOST", "CONSOLE_PAGE", "CONSOLE_PORT")
        ),
    }


def test_the_state_is_mounted_where_it_is_and_files_of_the_users_for_reading(tmp_path: Path) -> None:
    found = Settings(
        home=str(tmp_path / "home"),
        lake=str(tmp_path / "lake"),
        mlflow_uri=f"sqlite:///{tmp_path}/tracking/mlflow.db",
        source=str(tmp_path / "telemetry"),
        catalog=str(tmp_path / "home" / "catalog.yaml"),
    )
    uris = {"lake": str(tmp_path / "lake"), "alerted": str(tmp_path / "out" / "alerted.json"), "report": "s3://b/r"}
    assert mounts(found, uris) == {
        str(tmp_path / "home"): "rw",
        str(tmp_path / "lake"): "rw",
        str(tmp_path / "out"): "rw",
        str(tmp_path / "tracking"): "rw",
        str(tmp_path / "telemetry"): "ro",
    }
    assert (tmp_path / "out").is_dir()


def test_a_home_that_is_a_link_is_mounted_under_both_names(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "home").symlink_to(tmp_path / "disk")
    assert mounts(Settings(home=str(tmp_path / "home")), {}) == {
        str(tmp_path / "home"): "rw",
        str(tmp_path / "disk"): "rw",
    }


def test_state_on_s3_needs_no_mount() -> None:
    found = Settings(home="s3://bucket/home", mlflow_uri="http://mlflow:5000", source="http://prometheus:9090")
    assert mounts(found, {"lake": "s3://bucket/home/lake"}) == {}


def test_lines_are_whole_however_the_stream_is_cut() -> None:
    text = "first\nzwölf\n\n" + "x" * 100_000 + "\nlast"
    data = text.encode()
    pieces = [data[start : start + 7] for start in range(0, len(data), 7)]
    assert list(lines(pieces)) == text.split("\n")
    assert list(lines([b"\xff\n"])) == ["\ufffd"]


def test_an_engine_that_does_not_answer_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    with pytest.raises(ServiceError, match=r"engine at unix://.*none\.sock \(DOCKER_HOST\) could not do it.*podman"):
        launcher("docker").run(CORRELATE, {"lake": str(tmp_path)}, {})
