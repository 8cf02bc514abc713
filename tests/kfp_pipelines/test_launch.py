"""A step behind a Kubeflow wrapper: its artifacts, its outcome, what a run looks at, how it is reported."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from components.core import tracking
from components.core.errors import InputError, NotYetError, TraceoError
from components.core.lake import Lake
from components.core.launch import kfp as launch
from components.core.launch.process import ProcessLauncher
from components.core.schema import TABLES
from components.core.spec import Spec
from components.core.step import StepIO, parse_params
from components.core.times import Window

START = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class Artifact:
    path: str
    metadata: dict[str, Any] = field(default_factory=dict)


@dataclass
class Status:
    state: str
    error_message: str | None = None
    pipeline_job_resource_name: str = "namespaces/traceo/runs/4711"


@pytest.fixture
def launched(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[dict[str, Any]]]:
    """What the launcher was asked to run; outputs are written, the summary is what `summary` holds."""
    calls: list[dict[str, Any]] = []

    def run(_self: Any, spec: Spec, uris: dict[str, str], params: dict[str, Any]) -> dict[str, Any]:
        calls.append({"spec": spec.name, "uris": uris, "params": params})
        io = StepIO(spec, uris, parse_params(spec, params))
        for port in spec.outputs:
            if port.kind == "json":
                io.write_json(port.name, {})
        summary = {"outcome": "PASS", "reason": "better", "counts": [1]} if spec.name == "lifecycle.gate" else {}
        io.finish(summary)
        return summary

    monkeypatch.setattr(ProcessLauncher, "run", run)
    return calls


def gate(tmp_path: Path, **more: Any) -> dict[str, Any]:
    return {name: Artifact(str(tmp_path / name)) for name in ("evaluation", "candidates", "verdict")} | more


def test_an_artifact_is_a_directory_with_the_file_and_its_sidecar(tmp_path: Path, launched: list[Any]) -> None:
    arguments = gate(tmp_path, params={"alpha": 0.1})
    assert launch.run_task("lifecycle.gate", arguments) == "PASS"
    assert launched[0]["params"] == {"alpha": 0.1}
    assert sorted(path.name for path in (tmp_path / "verdict").iterdir()) == ["verdict.json", "verdict.json.meta.json"]
    assert arguments["verdict"].metadata["producer"] == "lifecycle.gate"
    assert arguments["verdict"].metadata["reason"] == "better"
    assert "counts" not in arguments["verdict"].metadata


def test_parameters_may_come_as_json_text(tmp_path: Path, launched: list[Any]) -> None:
    launch.run_task("lifecycle.gate", gate(tmp_path, params='{"alpha": 0.1, "seed": 3.0}'))
    assert launched[0]["params"] == {"alpha": 0.1, "seed": 3.0}


def test_instants_are_arguments_of_their_own(tmp_path: Path, launched: list[Any]) -> None:
    arguments = {"lake": "s3://b/lake", "state": "x", "as_of": "2026-01-01T00:00:00Z", "params": {"hold_min": 10}}
    launch.run_task("actions.alert", {**arguments, "alerted": Artifact(str(tmp_path / "alerted"))})
    assert launched[0]["params"] == {"hold_min": 10, "as_of": "2026-01-01T00:00:00Z"}
    assert launched[0]["uris"]["lake"] == "s3://b/lake"


@pytest.mark.parametrize("left_out", [True, False])
def test_an_optional_input_that_was_left_out_is_not_given(tmp_path: Path, launched: list[Any], left_out: bool) -> None:
    names = ("champion", "challenger", "holdout", "evaluation")
    arguments = {name: Artifact(str(tmp_path / name)) for name in names}
    if not left_out:
        (tmp_path / "champion").mkdir()
        (tmp_path / "champion" / "champion.meta.json").write_text("{}")
    launch.run_task("anomaly.evaluate", arguments)
    assert ("champion" in launched[0]["uris"]) is not left_out


def test_too_little_data_is_an_outcome_and_no_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def wait(*_: Any) -> dict[str, Any]:
        raise NotYetError("no series has 60 rows yet")

    monkeypatch.setattr(ProcessLauncher, "run", wait)
    assert launch.run_task("lifecycle.gate", gate(tmp_path)) == launch.NOT_YET


def test_a_failed_step_fails_its_task(tmp_path: Path) -> None:
    with pytest.raises(TraceoError, match=r"lifecycle\.gate ended with exit code 2: .*parameter 'no_such'"):
        launch.run_task("lifecycle.gate", gate(tmp_path, params={"no_such": 1}))


def test_a_failed_notebook_says_where_its_page_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Kubeflow keeps no artifact of a failed task."""

    def fail(*_: Any) -> dict[str, Any]:
        raise TraceoError("cell 4: ValueError: no", links={"report": "x", "mlflow_run_id": "abc"})

    monkeypatch.setattr(ProcessLauncher, "run", fail)
    monkeypatch.setattr(tracking, "run_url", lambda run_id: f"https://mlflow.example.org/{run_id}")
    with pytest.raises(TraceoError, match="cell 4"):
        launch.run_task("lifecycle.gate", gate(tmp_path))
    assert "the page of lifecycle.gate is in MLflow: https://mlflow.example.org/abc" in caplog.text


# --- observe -----------------------------------------------------------------------------------------------


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    made = Lake(str(tmp_path / "lake"))
    write(made, START)
    return made


def rows(start: datetime) -> pl.DataFrame:
    return pl.DataFrame({"timestamp": [start], "service": ["a"], "instance": ["i"], "metric": ["m"], "value": [1.0]})


def write(lake: Lake, start: datetime) -> None:
    window = Window(start, start + timedelta(minutes=5))
    lake.write_window("metrics", rows(start), window, producer="test", params={})


def test_a_run_looks_at_the_watermark(lake: Lake) -> None:
    assert launch.observe(lake.uri, ["logs", "metrics"], []).as_of == "2026-01-01T00:05:00Z"


def test_the_state_changes_with_the_data_and_with_nothing_else(lake: Lake) -> None:
    seen = [launch.observe(lake.uri, ["metrics"], []).state for _ in range(2)]
    assert seen[0] == seen[1]
    lake.write_late("metrics", rows(START + timedelta(seconds=7)), producer="test", params={})
    seen.append(launch.observe(lake.uri, ["metrics"], []).state)
    write(lake, START + timedelta(minutes=5))
    seen.append(launch.observe(lake.uri, ["metrics"], []).state)
    assert len({*seen}) == 3
    assert launch.observe(lake.uri, ["metrics"], []).as_of == "2026-01-01T00:10:00Z"


def test_what_a_run_itself_writes_is_not_part_of_its_state(lake: Lake) -> None:
    before = launch.observe(lake.uri, ["metrics"], []).state
    lake.write_snapshot("alerts", TABLES["alerts"].empty(), START, producer="test", params={})
    assert launch.observe(lake.uri, ["metrics"], []).state == before


def test_the_state_does_not_depend_on_how_the_lake_is_written(lake: Lake) -> None:
    assert launch.observe(f"{lake.uri}/", ["metrics"], []).state == launch.observe(lake.uri, ["metrics"], []).state


def test_another_champion_is_another_state(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracking, "registered_models", lambda: {"traceo-anomaly": {"champion": "1"}})
    first = launch.observe(lake.uri, ["metrics"], ["traceo-anomaly"]).state
    monkeypatch.setattr(tracking, "registered_models", lambda: {"traceo-anomaly": {"champion": "2"}})
    assert launch.observe(lake.uri, ["metrics"], ["traceo-anomaly"]).state != first


def test_an_empty_lake_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"/lake: none of metrics, logs has rows; ingest telemetry first"):
        launch.observe(str(tmp_path / "lake"), ["metrics", "logs"], [])


# --- report ------------------------------------------------------------------------------------------------


def test_a_report_shows_the_message_as_it_is(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    message = "task x failed\n# <script>alert(1)</script>\n[a](b)"
    launch.write_report(Status("FAILED", message), str(tmp_path / "report"))
    lines = (tmp_path / "report").read_text().splitlines()
    assert lines[:3] == ["# FAILED", "", "run `4711`"]
    # Four spaces: Markdown shows the line as it is.
    assert lines[-3:] == [f"    {line}" for line in message.splitlines()]
    assert "run 4711 ended FAILED: task x failed" in caplog.text


def test_a_report_of_success(tmp_path: Path) -> None:
    launch.write_report(Status("SUCCEEDED"), str(tmp_path / "report"))
    assert (tmp_path / "report").read_text().startswith("# SUCCEEDED")


def test_the_kfp_launcher_imports_no_kfp() -> None:
    code = "import components.core.launch.kfp, sys; print(json.dumps([m for m in sys.modules if m.startswith('kfp')]))"
    done = subprocess.run([sys.executable, "-c", f"import json; {code}"], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []
