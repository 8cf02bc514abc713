"""train → evaluate → predict on a small lake of features."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest

from components.core import step, tracking
from components.core.errors import InputError
from components.core.lake import Lake
from components.core.settings import settings
from components.core.times import Window
from components.forecasting import leads, steps, trained
from components.forecasting.specs import EVALUATE, MODEL_NAME, PREDICT, TRAIN, TrainParams
from tests.forecasting.conftest import START, filling_disk, seasonal

DAYS = 30
AS_OF = START + timedelta(days=DAYS)
QUICK = {
    "as_of": AS_OF.isoformat(),
    "origins": 4,
    "costly_series": 0,
    "workers": 1,
    "candidates": ["seasonal_drift", "seasonal_naive", "smoothing"],
}


def features(values: dict[tuple[str, str], np.ndarray]) -> pl.DataFrame:
    """Five-minute features from hourly values."""
    frames = []
    for (service, metric), hourly in values.items():
        times = [START + timedelta(minutes=5 * i) for i in range(len(hourly) * 12)]
        mean = np.repeat(hourly, 12)
        frames.append(pl.DataFrame({"timestamp": times, "service": service, "metric": metric, "mean": mean}))
    rows = pl.concat(frames).with_columns(pl.col("timestamp").cast(pl.Datetime("us", "UTC")))
    end = (pl.col("timestamp") + pl.duration(minutes=5)).alias("event_timestamp")
    return rows.with_columns(end, *[pl.col("mean").alias(name) for name in ("min", "max", "last")], count=pl.lit(10))


def fill(lake: Lake, values: dict[tuple[str, str], np.ndarray]) -> None:
    rows = features(values)
    for day in Window(START, AS_OF).split_by_day():
        part = rows.filter(pl.col("timestamp") >= day.start, pl.col("timestamp") < day.end)
        lake.write_window("features", part, day, producer="test", params={})


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, _migrated_database: Path) -> Path:
    """One lake and one training for the whole file."""
    root = tmp_path_factory.mktemp("home")
    (root / "mlflow").mkdir()
    shutil.copy(_migrated_database, root / "mlflow" / "mlflow.db")
    values = {
        ("store", "disk_usage_percent"): filling_disk(),
        ("store", "cpu_utilization"): seasonal(),
        ("store", "metric_7"): np.full(720, 3.0),
    }
    fill(Lake(str(root / "lake")), values)
    return root


@pytest.fixture
def home(shared: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("TRACEO_HOME", str(shared))
    monkeypatch.delenv("TRACEO_MODEL_SERVER_URL", raising=False)
    monkeypatch.delenv("TRACEO_MLFLOW_URI", raising=False)
    settings.cache_clear()
    if not (shared / "model").exists():
        step.run(TRAIN, uris(shared, TRAIN), QUICK)
    yield shared
    if tracking.version_of(MODEL_NAME, "champion"):
        tracking.delete_alias(MODEL_NAME, "champion")
    for table in ("forecasts", "risks"):
        shutil.rmtree(shared / "lake" / table, ignore_errors=True)
    settings.cache_clear()


def uris(home: Path, spec: step.Spec, **changes: str) -> dict[str, str]:
    suffix = {"table": ".parquet", "json": ".json", "folder": "", "lake": ""}
    return {port.name: str(home / f"{port.name}{suffix[port.kind]}") for port in spec.ports} | changes


def promote(home: Path) -> str:
    run_id = json.loads((home / "training.json").read_text())["run_id"]
    version = tracking.register(MODEL_NAME, run_id, home / "model", trained.LOADER, {})
    tracking.set_alias(MODEL_NAME, "champion", version.version)
    return run_id


def test_train_evaluate_predict(home: Path) -> None:
    run_id = promote(home)
    parent = tracking.client().get_run(run_id)
    assert parent.data.metrics["auto.mase_vs_seasonal_naive"] < 1.0
    children = tracking.client().search_runs([parent.info.experiment_id], f"tags.mlflow.parentRunId = '{run_id}'")
    assert {run.info.run_name for run in children} == {"auto", "seasonal_drift", "seasonal_naive", "smoothing"}
    pictures = {one.path for one in tracking.client().list_artifacts(run_id)}
    # No series here passes its limit, so there are no lead times to draw.
    assert pictures == {"error_by_horizon.png", "candidates.png"}

    holdout = pl.read_parquet(home / "holdout.parquet")
    assert holdout.filter("held_out")["timestamp"].min() == AS_OF - timedelta(hours=48)
    step.run(EVALUATE, uris(home, EVALUATE, challenger=str(home / "model"), champion=str(home / "none")), {})
    rows = {row["unit"]: row for row in json.loads((home / "evaluation.json").read_text())["rows"]}
    # The constant series cannot be scaled and is left out.
    assert set(rows) == {"store/cpu_utilization", "store/disk_usage_percent"}
    disk = rows["store/disk_usage_percent"]
    assert disk["champion"] is None
    assert disk["challenger"] < 0.7 * disk["baseline"]

    summary = step.run(PREDICT, uris(home, PREDICT), {"as_of": (AS_OF + timedelta(minutes=20)).isoformat()})
    assert summary["as_of"] == "2026-01-31T00:00:00Z"
    assert [row["metric"] for row in summary["likely_failures"]] == ["disk_usage_percent"]
    lake = Lake(str(home / "lake"))
    forecasts, risks = lake.read_snapshot("forecasts"), lake.read_snapshot("risks")
    assert len(forecasts) == 3 * 168
    assert forecasts["timestamp"].min() == AS_OF
    assert forecasts.filter(pl.col("metric") == "disk_usage_percent")["q0.975"].max() <= 100.0
    assert risks["metric"].to_list() == ["cpu_utilization", "disk_usage_percent"]
    assert risks["p_72h"].to_list()[0] < 0.05
    assert risks["p_72h"].to_list()[1] > 0.6
    assert risks["failure_kind"].to_list() == ["cpu", "disk"]


def again(home: Path, name: str, **changes: str) -> dict[str, str]:
    """URIs of a second training beside the shared one."""
    made = {port: str(home / f"{name}_{port}") for port in ("model", "holdout", "training")}
    return uris(home, TRAIN, **(made | changes))


def test_training_twice_gives_the_same_bytes(home: Path) -> None:
    step.run(TRAIN, again(home, "again"), QUICK)
    for name in ("model.json", "offsets.npz"):
        assert (home / "model" / name).read_bytes() == (home / "again_model" / name).read_bytes()


def test_training_does_not_see_the_held_out_hours(home: Path) -> None:
    changed = filling_disk()
    changed[-48:] = 10.0
    fill(
        Lake(str(home / "other")),
        {
            ("store", "disk_usage_percent"): changed,
            ("store", "cpu_utilization"): seasonal(),
            ("store", "metric_7"): np.full(720, 3.0),
        },
    )
    step.run(TRAIN, again(home, "blind", lake=str(home / "other")), QUICK)
    for name in ("model.json", "offsets.npz"):
        assert (home / "model" / name).read_bytes() == (home / "blind_model" / name).read_bytes()


def test_predict_abstains_without_champion_and_skips_what_stands(home: Path) -> None:
    at = {"as_of": AS_OF.isoformat()}
    assert "no champion" in step.run(PREDICT, uris(home, PREDICT), at)["abstained"]
    assert Lake(str(home / "lake")).snapshots("forecasts") == []
    promote(home)
    step.run(PREDICT, uris(home, PREDICT), at)
    first = next((home / "lake" / "risks").glob("*.parquet")).read_bytes()
    assert "skipped" in step.run(PREDICT, uris(home, PREDICT), at)
    # Killed between the two snapshots: the second one is written again, to the same bytes.
    for path in (home / "lake" / "risks").iterdir():
        path.unlink()
    step.run(PREDICT, uris(home, PREDICT), at)
    assert next((home / "lake" / "risks").glob("*.parquet")).read_bytes() == first


def test_an_empty_lake_trains_an_empty_model(home: Path) -> None:
    places = again(home, "empty", lake=str(home / "nothing"))
    assert step.run(TRAIN, places, QUICK)["series"] == 0
    judged = {"challenger": places["model"], "holdout": places["holdout"], "evaluation": str(home / "none.json")}
    step.run(EVALUATE, judged, {})
    assert json.loads((home / "none.json").read_text())["rows"] == []


def test_loaded_model_forecasts_known_and_unknown_series(home: Path) -> None:
    model = tracking.load_folder(home / "model", trained.LOADER)
    times = [START + timedelta(hours=i) for i in range(240)]
    rows = [
        pd.DataFrame({"series_id": name, "timestamp": [t.isoformat() for t in times], "value": seasonal(240)})
        for name in ("store/cpu_utilization", "new/cpu_utilization")
    ]
    answer = model.predict(pd.concat(rows).assign(horizon_h=48).sample(frac=1, random_state=0))
    assert answer.groupby("series_id").size().to_dict() == {"new/cpu_utilization": 48, "store/cpu_utilization": 48}
    assert pd.Timestamp(answer["timestamp"].iloc[0]) == pd.Timestamp(times[-1] + timedelta(hours=1))
    assert (answer["q0.025"] <= answer["q0.975"]).all()
    with pytest.raises(InputError, match="lacks column 'horizon_h'"):
        model.predict(rows[0])


def test_a_damaged_model_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.json").write_text("{}")
    with pytest.raises(InputError, match="not a forecasting model"):
        tracking.load_folder(tmp_path, trained.LOADER)


def test_as_of_reads_nothing_later() -> None:
    from components.forecasting import panel

    rows = features({("a", "m"): np.arange(5.0)})
    known = panel.hourly(rows.lazy(), datetime.fromisoformat("2026-01-01T03:00:00+00:00"))
    assert known["value"].to_list() == [0.0, 1.0, 2.0]


def test_lead_times_are_drawn_and_counted_in_mlflow(home: Path) -> None:
    ahead = {"disk": [leads.Point(48, 4, 3, 1)]}
    run_id = steps._log_run(TrainParams(), {}, [], {}, ahead)
    metrics = tracking.client().get_run(run_id).data.metrics
    assert metrics == {"series": 0.0, "lead_48h.disk.recall": 0.75, "lead_48h.disk.precision": 0.75}
    assert "lead_times.png" in {one.path for one in tracking.client().list_artifacts(run_id)}
