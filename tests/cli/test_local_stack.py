"""The local stack's layout: one home per source, private passwords, clear words about ports."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from components.cli import __main__ as cli
from components.cli.local import layout, processes, summary
from components.cli.local.airflow import Run
from components.cli.local.layout import MARK, Stack, new_stack
from components.core.errors import InputError, SettingsError
from components.core.settings import Settings


@pytest.fixture(autouse=True)
def _own_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stack that runs beside the tests stays the current one."""
    monkeypatch.setattr(layout, "ROOT", tmp_path / "root")


@pytest.fixture
def stack(tmp_path: Path) -> Stack:
    return new_stack("shop://?seed=2", tmp_path / "home", Settings())


def test_each_source_has_a_home_of_its_own(tmp_path: Path) -> None:
    homes = [
        new_stack(source, None, Settings()).home.name for source in ("shop://", "http://127.0.0.1:9090", str(tmp_path))
    ]
    assert homes[0] == "shop"
    assert len(set(homes)) == 3
    assert all(home.replace("-", "").isalnum() for home in homes)


def test_the_shop_keeps_the_anchor_of_its_first_start(stack: Stack) -> None:
    assert stack.source.startswith("shop://?seed=2&anchor=20")
    stack.remember()
    assert new_stack("shop://?seed=2", stack.home, Settings()).source == stack.source


def test_a_home_is_not_mixed_with_another_source(stack: Stack) -> None:
    stack.remember()
    with pytest.raises(SettingsError, match=r"holds what was learnt from shop://\?seed=2"):
        new_stack("shop://?seed=3", stack.home, Settings())


def test_a_directory_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"SOURCE=.*nowhere: no such directory"):
        new_stack(str(tmp_path / "nowhere"), tmp_path / "home", Settings())


def test_secrets_are_private_and_made_once(stack: Stack) -> None:
    environment = stack.environment()
    assert stack.password() == json.loads(stack.password_file.read_text())["admin"]
    private = [stack.password_file, *stack.home.joinpath("airflow").glob("*.key")]
    assert len(private) == 4
    assert all(path.stat().st_mode & 0o077 == 0 for path in private)
    assert stack.environment() == environment


def test_credentials_of_a_source_are_private_and_never_shown(tmp_path: Path) -> None:
    stack = new_stack("http://me:s3cret@prometheus:9090", tmp_path / "home", Settings())
    stack.remember()
    assert stack.environment()["TRACEO_SOURCE"] == stack.source
    assert (stack.home / "stack.json").stat().st_mode & 0o077 == 0
    shown = summary.describe(stack, [])
    assert "http://prometheus:9090 " in shown
    with pytest.raises(SettingsError) as refused:
        new_stack("http://me:0ther@prometheus:9090", stack.home, Settings())
    assert "s3cret" not in shown + str(refused.value)
    assert "0ther" not in str(refused.value)


def test_everything_listens_on_this_machine_alone(stack: Stack) -> None:
    environment = stack.environment()
    assert environment["AIRFLOW__API__HOST"] == environment["TRACEO_HOST"] == "127.0.0.1"
    config = processes.CONFIG.read_text()
    assert "0.0.0.0" not in config
    assert config.count("--host %(ENV_TRACEO_HOST)s") == 2


def test_a_taken_port_is_named_with_its_variable(tmp_path: Path) -> None:
    servers = [socket.create_server(("127.0.0.1", 0)) for _ in range(5)]
    free, port = [server.getsockname()[1] for server in servers[1:]], servers[0].getsockname()[1]
    for server in servers[1:]:
        server.close()
    ports = dict(zip(("airflow_port", "model_server_port", "console_port", "log_receiver_port"), free, strict=True))
    with servers[0]:
        stack = new_stack("shop://", tmp_path, Settings(mlflow_port=port, **ports))
        with pytest.raises(SettingsError, match=rf"port {port} on 127.0.0.1: .*TRACEO_MLFLOW_PORT={port + 100}"):
            processes.check_ports(stack)


def test_leftovers_are_found_by_their_mark_and_ended(stack: Stack) -> None:
    environment = {**os.environ, MARK: str(stack.home)}
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], env=environment) as left:
        assert [process.pid for process in processes.marked(stack)] == [left.pid]
        assert processes.end_leftovers(stack) == 1
        assert processes.marked(stack) == []


def test_a_home_is_held_by_one_run_at_a_time(stack: Stack) -> None:
    with processes.claim(stack), pytest.raises(SettingsError, match="another `make run` keeps it running"):
        processes.claim(stack)
    processes.claim(stack).close()


def test_the_control_socket_fits_however_deep_the_home_is(tmp_path: Path) -> None:
    stack = Stack(tmp_path / ("deep/" * 30), "shop://", Settings())
    assert len(str(stack.socket)) < 100


def test_status_of_nothing_says_how_to_start(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["status"]) == 2
    assert "start one with `make run`" in capsys.readouterr().err


def test_status_of_a_stopped_stack_is_plain(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    stack.remember()
    assert cli.main(["status", "--json", "--home", str(stack.home)]) == 1
    assert json.loads(capsys.readouterr().out)["running"] is False


def test_the_summary_of_an_empty_lake_is_readable(stack: Stack) -> None:
    text = summary.describe(stack, [Run("traceo_ingest", "r", "success", {"a": "success"}, {"a": 1.5})])
    assert text.splitlines()[0] == "Traceo is ready"
    assert "not scored yet" in text
    assert "ingest.a" in text


def test_an_unknown_step_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["run", "anomaly"]) == 2
    assert "no step 'anomaly'; the domains with steps are actions, anomaly" in capsys.readouterr().err
