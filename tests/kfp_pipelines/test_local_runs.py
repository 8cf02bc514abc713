"""The pipelines run: task by task with kfp's SubprocessRunner, with the same bytes as the process runner."""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from kfp import dsl

from components.core.lake import Lake
from components.core.launch.process import ProcessLauncher
from components.core.settings import settings
from components.core.times import Window
from kfp_pipelines.compilation import find_pipeline
from kfp_pipelines.component import find
from kfp_pipelines.observation import observe, report
from kfp_pipelines.steps.logs import logs_mine
from kfp_pipelines.tasks import observation, task
from tests.kfp_pipelines.local_dag import LocalRun, run_pipeline
from tests.world import artifact, copy_state, fingerprint

pytestmark = pytest.mark.filterwarnings("ignore:You may be attemping to run a task:RuntimeWarning")

ANCHOR = "2026-03-10T00:00:00Z"
INGEST = {"source": f"shop://?seed=3&anchor={ANCHOR}", "days": 3, "end": ANCHOR}
ANOMALY = {"folds": 1, "history_days": 3, "holdout_h": 6}
FORECASTING = {
    "origins": 3, "costly_series": 0, "candidates": ["seasonal_naive", "smoothing"], "workers": 1, "max_series": 6,
    "holdout_h": 6, "history_days": 2, "horizon_h": 24,
}  # fmt: skip
GATE = {"resamples": 200}
TRAINING = {
    "anomaly_train_params": ANOMALY, "forecasting_train_params": FORECASTING, "lifecycle_gate_params": GATE,
}  # fmt: skip


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A TRACEO_HOME for child processes."""
    for name in ("TRACEO_MODEL_SERVER_URL", "TRACEO_MLFLOW_URI", "TRACEO_LAKE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TRACEO_HOME", str(tmp_path / "home"))
    settings.cache_clear()
    yield tmp_path / "home"
    settings.cache_clear()


# --- quick --------------------------------------------------------------------------------------------------


@dsl.pipeline(name="mining")
def mining(lake: str) -> None:
    with dsl.ExitHandler(observation(report)):
        seen = observation(observe, lake=lake, tables=["logs"]).outputs
        task(logs_mine, lake=lake, state=seen["state"], as_of=seen["as_of"], params={"lookback_h": 2})


def test_a_run_works_and_a_second_one_on_the_same_data_does_nothing_again(home: Path, tmp_path: Path) -> None:
    lake, cache = Lake(str(home / "lake")), {}
    add_logs(lake, 0)
    first = run_pipeline(mining, tmp_path / "first", {"lake": lake.uri}, cache=cache)
    second = run_pipeline(mining, tmp_path / "second", {"lake": lake.uri}, cache=cache)
    add_logs(lake, 1)
    third = run_pipeline(mining, tmp_path / "third", {"lake": lake.uri}, cache=cache)
    assert list(first.tasks) == list(third.tasks) == ["observe", "logs-mine", "report"]
    assert list(second.tasks) == ["observe", "report"]
    assert first.outcome("logs-mine") == "DONE"
    mined = first.artifact("logs-mine", "mined")
    assert json.loads((mined / "mined.json").read_text())["lines"] == 12
    assert json.loads((mined / "mined.json.meta.json").read_text())["params"]["as_of"] == "2026-01-01T00:05:00Z"


def test_a_failed_run_is_reported(home: Path, tmp_path: Path) -> None:
    run = run_pipeline(mining, tmp_path / "run", {"lake": str(home / "lake")})
    assert run.failure == "observe"
    assert list(run.tasks) == ["report"]
    text = run.artifact("report", "report").read_text()
    assert text.startswith("# FAILED")
    assert "    task observe failed" in text


def add_logs(lake: Lake, index: int) -> None:
    window = Window(*(datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=5 * (index + i)) for i in (0, 1)))
    rows = {"service": "shop", "instance": "shop-1", "severity": "INFO", "body": "order accepted"}
    frame = pl.DataFrame({"timestamp": [window.start + timedelta(seconds=i) for i in range(12)]}).with_columns(
        pl.lit(value).alias(name) for name, value in rows.items()
    )
    lake.write_window("logs", frame, window, producer="test", params={})


# --- whole pipelines ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def ingested(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home after the log pipeline's steps, run by the process runner; kept as it is."""
    root = tmp_path_factory.mktemp("ingested")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRACEO_HOME", str(root))
        launch(root, "telemetry.ingest", INGEST)
        launch(root, "quality.validate", {})
        launch(root, "logs.mine", {"as_of": ANCHOR})
        launch(root, "features.build", {"as_of": ANCHOR})
    return root


@pytest.mark.slow
def test_the_log_pipeline_writes_the_lake_of_the_process_runner(ingested: Path, home: Path, tmp_path: Path) -> None:
    cache: dict[str, Any] = {}
    arguments = {"lake": str(home / "lake"), "telemetry_ingest_params": INGEST}
    run = run_pipeline(find_pipeline("traceo-logs"), tmp_path / "run", arguments, cache=cache)
    assert run.failure is None
    assert fingerprint(home / "lake") == fingerprint(ingested / "lake")
    for name, port in (("telemetry.ingest", "ingested"), ("logs.mine", "mined"), ("features.build", "built")):
        same_artifact(run, name, port, ingested)
    again = run_pipeline(find_pipeline("traceo-logs"), tmp_path / "again", arguments, cache=cache)
    # What outside holds is looked at again.
    assert set(again.tasks) == {"logs-collect", "telemetry-ingest", "quality-validate", "observe", "report"}


@pytest.mark.slow
def test_training_and_scoring_make_the_artifacts_of_the_process_runner(
    ingested: Path, home: Path, tmp_path: Path
) -> None:
    copy_state(ingested, home)
    reference = tmp_path / "reference"
    copy_state(ingested, reference)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRACEO_HOME", str(reference))
        now = {"as_of": ANCHOR}
        launch(reference, "features.training_set", now)
        launch(reference, "anomaly.train", {**now, **ANOMALY}, features="features.training_set")
        launch(reference, "forecasting.train", {**now, **FORECASTING})
    cache: dict[str, Any] = {}
    arguments = {"lake": str(home / "lake"), **TRAINING}
    run = run_pipeline(find_pipeline("traceo-training"), tmp_path / "run", arguments, cache=cache)
    assert run.failure is None
    same_artifact(run, "features.training_set", "training_set", reference)
    for domain in ("anomaly", "forecasting"):
        for port in ("model", "holdout"):
            same_artifact(run, f"{domain}.train", port, reference)
    decisions = {name: run.artifact(name, "promotion") for name in run.tasks if name.startswith("lifecycle-promote")}
    assert len(decisions) == 2
    again = run_pipeline(find_pipeline("traceo-training"), tmp_path / "again", arguments, cache=cache)
    assert not {"features-training-set", "anomaly-train", "forecasting-train"} & set(again.tasks)
    assert {"lifecycle-gate", "lifecycle-gate-2"} <= set(again.tasks)
    scored = run_pipeline(
        find_pipeline("traceo-scoring"), tmp_path / "scored", {"lake": str(home / "lake")}, cache=cache
    )
    assert scored.failure is None
    assert scored.outcome("actions-alert") == "DONE"
    idle = run_pipeline(find_pipeline("traceo-scoring"), tmp_path / "idle", {"lake": str(home / "lake")}, cache=cache)
    assert list(idle.tasks) == ["observe", "actions-alert", "report"]


@pytest.mark.slow
def test_too_little_data_trains_nothing_and_is_no_failure(home: Path, tmp_path: Path) -> None:
    lake = Lake(str(home / "lake"))
    start = datetime(2026, 1, 1, tzinfo=UTC)
    window = Window(start, start + timedelta(minutes=30))
    times = [start + timedelta(minutes=5 * i) for i in range(6)]
    facts = {"service": "a", "metric": "m", "mean": 1.0, "min": 1.0, "max": 1.0, "last": 1.0, "count": 10}
    features = pl.DataFrame({"timestamp": times, "event_timestamp": times}).with_columns(
        pl.lit(value).alias(name) for name, value in facts.items()
    )
    metrics = {"service": "a", "instance": "i", "metric": "m", "value": 1.0}
    raw = pl.DataFrame({"timestamp": times}).with_columns(pl.lit(v).alias(n) for n, v in metrics.items())
    lake.write_window("features", features, window, producer="test", params={})
    lake.write_window("metrics", raw, window, producer="test", params={})
    arguments = {"lake": lake.uri, "domains": ["anomaly"]}
    run = run_pipeline(find_pipeline("traceo-training"), tmp_path / "run", arguments)
    assert run.failure is None
    assert run.outcome("anomaly-train") == "NOT_YET"
    assert list(run.tasks) == ["observe", "features-training-set", "anomaly-train", "report"]


def launch(home: Path, name: str, params: Mapping[str, Any], features: str | None = None) -> None:
    """Run one step by the process runner, its artifacts below `<home>/runs/<name>`."""
    spec = find(name)
    uris = {
        port.name: str(home / "lake" if port.kind == "lake" else artifact(home / "runs" / name, port))
        for port in spec.ports
        if port.kind == "lake" or port in spec.outputs
    }
    if features:
        uris["training_set"] = str(home / "runs" / features / "training_set.parquet")
    ProcessLauncher().run(spec, uris, params)


def same_artifact(run: LocalRun, name: str, port: str, home: Path) -> None:
    """The bytes of a task's artifact are those that the process runner wrote, and so are the sidecars' hashes."""
    ours = fingerprint(run.artifact(name.replace(".", "-").replace("_", "-"), port))
    theirs = fingerprint(home / "runs" / name)
    assert ours == {key: value for key, value in theirs.items() if key.split("/")[0].split(".")[0] == port}
