"""`traceo pipelines submit` against a server that answers like Kubeflow Pipelines."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from components.cli.__main__ import main
from components.core.errors import ParamsError, ServiceError, TraceoError
from components.core.settings import settings
from kfp_pipelines.compilation import COMPILED
from kfp_pipelines.graph import Graph
from kfp_pipelines.submission import Run, Server, parse_arguments
from tests.kfp_pipelines.kfp_server import State, serving

NAME = "traceo-logs"


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """kfp reads ~/.config/kfp when its client is made."""
    monkeypatch.setattr("kfp.client.Client._LOCAL_KFP_CONTEXT", str(tmp_path / "context.json"))
    settings.cache_clear()
    yield
    settings.cache_clear()


def submit(host: str, *more: str) -> int:
    return main(["pipelines", "submit", NAME, "--host", host, *more])


def test_a_pipeline_is_uploaded_and_run(capsys: pytest.CaptureFixture[str]) -> None:
    state = State()
    with serving(state) as host:
        given = ["--param", "lake=s3://b/lake", "--param", 'logs_mine_params={"lookback_h": 3}', "--experiment", "e"]
        assert submit(host, *given, "--service-account", "traceo-pipelines") == 0
    [pipeline], [run], [experiment] = state.pipelines.values(), state.runs, state.experiments
    [version] = state.versions[pipeline["pipeline_id"]]
    assert (pipeline["display_name"], experiment["display_name"]) == (NAME, "e")
    assert version["text"] == (COMPILED / f"{NAME}.yaml").read_text()
    assert run["pipeline_version_reference"] == {"pipeline_id": "pipeline-1", "pipeline_version_id": "version-1"}
    assert run["runtime_config"]["parameters"] == {"lake": "s3://b/lake", "logs_mine_params": {"lookback_h": 3}}
    assert run["service_account"] == "traceo-pipelines"
    assert run["experiment_id"] == experiment["experiment_id"]
    assert capsys.readouterr().out == f"{NAME} run run-1: {host}/#/runs/details/run-1\n"


def test_the_same_pipeline_is_uploaded_once() -> None:
    state = State()
    with serving(state) as host:
        assert submit(host) == submit(host) == 0
    assert len(state.pipelines) == len(state.versions["pipeline-1"]) == 1
    assert len(state.runs) == 2
    assert state.runs[0]["service_account"] == "traceo-step"


def test_without_cache_another_version_runs_in_which_no_task_is_cached() -> None:
    state = State()
    with serving(state) as host:
        assert submit(host) == submit(host, "--no-cache") == 0
    cached = [[task.name for task in Graph(v["text"]).tasks() if task.is_cached] for v in state.versions["pipeline-1"]]
    assert cached == [["features-build", "logs-mine"], []]
    assert state.runs[1]["pipeline_version_reference"]["pipeline_version_id"] == "version-2"


def test_the_token_comes_from_the_environment_and_is_never_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TRACEO_KFP_TOKEN", "hunter2")
    state = State(token="hunter2", run_states=["SUCCEEDED"])
    with serving(state) as host:
        assert submit(host, "--wait") == 0
    assert state.seen_tokens == {"hunter2"}
    assert "hunter2" not in "".join(capsys.readouterr())


def test_a_refused_token_is_told_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    with serving(State(token="hunter2")) as host:
        assert submit(host) == 1
    error = capsys.readouterr().err
    assert f"error: {host} answered HTTP 401 to the request to connect" in error
    assert error.count("\n") == 1


def test_a_host_that_is_no_kubeflow_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with serving(State()) as host:
        assert submit(f"{host}/other") == 1
    assert "answered HTTP 404 to the request to connect; is --host a Kubeflow" in capsys.readouterr().err


def test_a_host_that_is_down_is_told_without_its_credentials(capsys: pytest.CaptureFixture[str]) -> None:
    with serving(State()) as host:
        pass
    assert submit(host.replace("//", "//me:hunter2@")) == 1
    error = capsys.readouterr().err
    assert f"error: {host} gave no answer to the request to connect: " in error
    assert "hunter2" not in error


def test_waiting_returns_when_the_run_succeeded() -> None:
    state = State()
    with serving(state) as host:
        server = Server(host, None)
        server.wait(server.submit(NAME, {}, experiment="e"), timeout_s=60, poll_s=0)
    assert state.looks == 3


@pytest.mark.parametrize(
    ("states", "problem"),
    [
        (["RUNNING", "FAILED"], r"run run-1 ended FAILED: task logs-mine failed; see http://127"),
        (["CANCELED"], "run run-1 ended CANCELED"),
    ],
)
def test_a_run_that_did_not_succeed_is_an_error(states: list[str], problem: str) -> None:
    state = State(run_states=states, run_error={"message": "task logs-mine failed"})
    with serving(state) as host:
        server = Server(host, None)
        run = server.submit(NAME, {}, experiment="e")
        with pytest.raises(TraceoError, match=problem):
            server.wait(run, timeout_s=60, poll_s=0)


def test_a_run_that_takes_too_long_is_named() -> None:
    with serving(State(run_states=["RUNNING"])) as host:
        server = Server(host, None)
        with pytest.raises(TraceoError, match=r"run run-1 is RUNNING after 0 s and goes on: http"):
            server.wait(server.submit(NAME, {}, experiment="e"), timeout_s=0, poll_s=0)


def test_a_server_that_goes_away_half_way_is_told_with_the_run() -> None:
    with serving(State(run_states=["RUNNING"], vanish_after=2)) as host:
        server = Server(host, None)
        run = server.submit(NAME, {}, experiment="e")
        with pytest.raises(ServiceError, match=f"{host} gave no answer to the request to follow run run-1"):
            server.wait(run, timeout_s=60, poll_s=0)
    with pytest.raises(ServiceError, match="gave no answer to the request to follow run run-1"):
        server.wait(Run("run-1", "", "RUNNING"), timeout_s=60, poll_s=0)


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ("lake", r"--param 'lake': write KEY=VALUE; traceo-logs takes lake, logs_collect_params, logs_mine_params"),
        ("x=1", r"--param 'x=1': write KEY=VALUE; traceo-logs takes"),
        ("logs_mine_params=1", "--param logs_mine_params='1': must be JSON of type dict"),
        ("logs_mine_params={", "must be JSON of type dict"),
        ('logs_mine_params={"lookback_days": 1}', r"logs\.mine: parameter 'lookback_days'"),
        ('logs_mine_params={"lookback_h": -1}', r"logs\.mine: parameter 'lookback_h'"),
    ],
)
def test_a_wrong_argument_is_refused_before_anything_is_sent(given: str, problem: str) -> None:
    with pytest.raises(ParamsError, match=problem):
        parse_arguments(NAME, [given])


def test_arguments_have_the_pipelines_types() -> None:
    given = ['domains=["forecasting"]', "lake=s3://b/a=b"]
    assert parse_arguments("traceo-training", given) == {"domains": ["forecasting"], "lake": "s3://b/a=b"}
