"""The anomaly steps on a small lake."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from components.anomaly import feedback, model, pyfunc, report, steps
from components.core import step, tracking
from components.core.errors import InputError, SchemaError
from components.core.lake import Lake
from components.core.settings import settings
from components.core.spec import specs
from components.core.times import Window
from tests.anomaly.series import START, STEP_US, features, lake_of, seasonal_panel

SPEC = {spec.step: spec for spec in specs("anomaly")}
DAYS = 9
END = START + timedelta(days=DAYS)


@pytest.fixture(scope="module")
def panel():
    """Two services of three metrics; an outage of one metric in the last two hours but one."""
    made = seasonal_panel(DAYS, columns=6)
    made.values[-36:-24, 1] *= 4
    return made


@pytest.fixture(scope="module")
def trained(panel, tmp_path_factory) -> dict[str, str]:
    """URIs of a lake and of what training wrote from it."""
    root = tmp_path_factory.mktemp("trained")
    lake = lake_of(root / "lake", panel)
    uris = {"lake": lake.uri, **{name: str(root / name) for name in ("model", "holdout", "training")}}
    logged: list[Any] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(report, "log", lambda *given: logged.append(given) or "run-1")
        summary = step.run(SPEC["train"], uris, {"folds": 1})
    assert summary["series"] == 6
    assert logged[0][2]["folds"] == 1
    return uris


@pytest.fixture
def champion(trained, monkeypatch):
    """The trained model as the registry's champion, version 7."""
    monkeypatch.setattr(
        tracking, "version_of", lambda name, alias: "7" if (name, alias) == (model.NAME, "champion") else None
    )
    monkeypatch.setattr(tracking, "load_model", lambda name, version: pyfunc._load_pyfunc(trained["model"]))
    monkeypatch.setattr(steps, "settings", lambda: settings().model_copy(update={"model_server_url": None}))


def score(lake: Lake, tmp_path: Path, as_of: Any, **params: Any) -> dict[str, Any]:
    uris = {"lake": lake.uri, "scored": str(tmp_path / "scored")}
    return step.run(SPEC["score"], uris, {"as_of": as_of.isoformat(), **params})


def test_training_reports_every_candidate_and_the_baseline(trained):
    training = json.loads(Path(trained["training"]).read_text())
    assert training["mlflow_run_id"] == "run-1"
    means = training["average_precision"]
    assert set(means) == {"seasonal", "isolation_forest", "auto", "zscore"}
    assert training["detector"] == max((n for n in means if n != "zscore"), key=means.__getitem__)
    assert means[training["detector"]] > 0.5


def test_the_model_folder_holds_plain_data_only(trained):
    names = {path.name for path in Path(trained["model"]).iterdir()}
    assert {name.split(".")[-1] for name in names} == {"json", "npz", "skops"}
    content = json.loads(Path(trained["model"], "model.json").read_text())
    assert (content["name"], content["loader_module"]) == ("traceo-anomaly", "components.anomaly.pyfunc")
    assert len(content["series"]) == 6


def test_the_holdout_is_newer_than_what_was_learned_and_labelled(trained):
    holdout = pl.read_parquet(trained["holdout"])
    scored = holdout.filter("scored")
    assert scored["timestamp"].min() == END - timedelta(hours=24)
    assert holdout["timestamp"].min() == END - timedelta(hours=48)
    assert not holdout.filter(~pl.col("scored"))["label"].any()
    per_series = scored.filter("label").group_by("service", "metric").len()
    assert len(per_series) == 6


def test_the_same_lake_and_seed_train_the_same_bytes(trained, tmp_path, monkeypatch):
    monkeypatch.setattr(report, "log", lambda *given: "run-1")
    uris = {"lake": trained["lake"], **{name: str(tmp_path / name) for name in ("model", "holdout", "training")}}
    step.run(SPEC["train"], uris, {"folds": 1})
    for name in ("model", "holdout", "training"):
        first, second = (json.loads(Path(place + ".meta.json").read_text()) for place in (trained[name], uris[name]))
        assert first["sha256"] == second["sha256"]


def test_evaluation_pairs_both_models_with_the_baseline(trained, tmp_path):
    uris = {"challenger": trained["model"], "holdout": trained["holdout"], "evaluation": str(tmp_path / "evaluation")}
    step.run(SPEC["evaluate"], uris)
    alone = json.loads(Path(uris["evaluation"]).read_text())
    assert (alone["metric"], alone["higher_is_better"]) == ("average_precision", True)
    assert len(alone["rows"]) == 6
    assert {row["champion"] for row in alone["rows"]} == {None}
    step.run(SPEC["evaluate"], {**uris, "champion": trained["model"]})
    paired = json.loads(Path(uris["evaluation"]).read_text())
    assert [row["champion"] for row in paired["rows"]] == [row["challenger"] for row in alone["rows"]]
    challenger, baseline = (np.mean([row[name] for row in paired["rows"]]) for name in ("challenger", "baseline"))
    assert challenger > 0.5
    assert 0 < baseline < 1


def test_scoring_writes_every_feature_row_once_with_its_reason(panel, champion, tmp_path):
    lake = lake_of(tmp_path / "lake", panel)
    summary = score(lake, tmp_path, END)
    assert (summary["rows"], summary["model_version"]) == (288 * 6, "7")
    rows = lake.read("anomalies")
    assert rows.select("timestamp", "service", "metric").is_unique().all()
    faulty = rows.filter("is_anomaly")
    assert set(faulty.select("service", "metric").unique().rows()) == {("service-0", "metric_1")}
    assert faulty["timestamp"].min() in (END - timedelta(minutes=180), END - timedelta(minutes=175))
    assert "× the usual " in faulty["reason"][0]
    assert set(rows.filter(~pl.col("is_anomaly"))["reason"]) == {""}
    assert (rows["lower"] <= rows["upper"]).all()
    assert score(lake, tmp_path, END)["windows"] == 0


def test_scores_do_not_depend_on_how_time_was_cut(panel, champion, tmp_path):
    whole, cut = lake_of(tmp_path / "whole", panel), lake_of(tmp_path / "cut", panel)
    score(whole, tmp_path, END, lookback_h=4)
    for minutes in (100, 105, 110, 115, 180, 205, 235, 240):
        score(cut, tmp_path, END - timedelta(minutes=240 - minutes), lookback_h=minutes / 60, batch_rows=2000)
    assert len(cut.partitions("anomalies")) >= 7
    assert cut.read("anomalies").equals(whole.read("anomalies"))


def test_marks_move_the_scores_of_their_series_alone_and_are_entered_once(
    panel, trained, champion, tmp_path, monkeypatch
):
    predictor = pyfunc._load_pyfunc(trained["model"])
    predictor._model.serving = "auto"
    monkeypatch.setattr(tracking, "load_model", lambda name, version: predictor)
    plain, marked = lake_of(tmp_path / "plain", panel), lake_of(tmp_path / "marked", panel)
    mark = {"service": "service-0", "metric": "metric_1", "start": START, "end": END, "verdict": "false_alarm"}
    rows = pl.DataFrame([{"timestamp": END, **mark, "who": "console", "incident_id": "i"}])
    marked.write_late("feedback", rows, producer="test", params={})
    score(plain, tmp_path, END, lookback_h=6)
    score(marked, tmp_path, END - timedelta(hours=3), lookback_h=3)
    score(marked, tmp_path, END, lookback_h=6)
    before, after = plain.read("anomalies"), marked.read("anomalies")
    own = (pl.col("service") == "service-0") & (pl.col("metric") == "metric_1")
    assert after.filter(~own).equals(before.filter(~own))
    assert after.filter(own).equals(feedback.applied(before.filter(own), {"service-0/metric_1": 0.125}, 0.5, STEP_US))
    assert after.filter(own)["score"].max() < before.filter(own)["score"].max()
    assert marked.read("knobs").select("service", "metric", "knob_before", "knob_after").rows() == [
        ("service-0", "metric_1", 0.5, 0.125)
    ]


def test_only_what_has_features_is_scored(panel, champion, tmp_path):
    lake = lake_of(tmp_path / "lake", panel)
    score(lake, tmp_path, END + timedelta(hours=2), lookback_h=4)
    assert lake.coverage("anomalies") == [Window(END - timedelta(hours=2), END)]


def test_online_features_override_the_lake(panel, champion, tmp_path):
    lake = lake_of(tmp_path / "lake", panel)
    newest = features(panel.rows(len(panel) - 1, len(panel)))
    online = str(tmp_path / "online")
    changed = newest.with_columns(pl.when(pl.col("metric") == "metric_2").then(999.0).otherwise("mean").alias("mean"))
    changed.write_parquet(online)
    digest = __import__("hashlib").sha256(Path(online).read_bytes()).hexdigest()
    Path(online + ".meta.json").write_text(json.dumps({"sha256": digest}))
    uris = {"lake": lake.uri, "scored": str(tmp_path / "scored"), "online_features": online}
    step.run(SPEC["score"], uris, {"as_of": END.isoformat(), "lookback_h": 1})
    last = lake.read("anomalies").filter(pl.col("timestamp") == END - timedelta(minutes=5))
    assert last.filter(pl.col("value") == 999.0)["is_anomaly"].to_list() == [True, True]


def test_without_a_champion_nothing_is_written(panel, tmp_path, monkeypatch):
    monkeypatch.setattr(tracking, "version_of", lambda name, alias: None)
    lake = lake_of(tmp_path / "lake", panel.rows(0, 288))
    summary = score(lake, tmp_path, START + timedelta(days=1))
    assert "no champion of traceo-anomaly yet" in summary["reason"]
    assert lake.partitions("anomalies") == []


def test_an_empty_lake_is_no_error_for_scoring_and_one_for_training(tmp_path, monkeypatch):
    monkeypatch.setattr(tracking, "version_of", lambda name, alias: None)
    uris = {"lake": str(tmp_path / "lake"), "scored": str(tmp_path / "scored")}
    assert step.run(SPEC["score"], uris)["rows"] == 0
    outputs = {name: str(tmp_path / name) for name in ("model", "holdout", "training")}
    with pytest.raises(InputError, match="no features in the lake"):
        step.run(SPEC["train"], {"lake": uris["lake"], **outputs})


def test_the_model_takes_any_frame(trained):
    predictor = pyfunc._load_pyfunc(trained["model"])
    last = END - timedelta(minutes=5)
    rows = [
        (last, "service-0", "metric_0", 1e6),
        (last, "new", "metric_0", 3.0),
        (last, "service-0", "metric_0", np.nan),
    ]
    frame = pl.DataFrame(rows, schema=list(model.INPUT_COLUMNS), orient="row").to_pandas()
    answer = predictor.predict(frame)
    assert answer["reason"].tolist()[1] == "no history"
    assert answer["score"].tolist()[1] == 0
    assert answer["is_anomaly"].tolist()[0]
    assert len(predictor.predict(frame.iloc[:0])) == 0
    with pytest.raises(SchemaError, match="no column 'metric'"):
        predictor.predict(frame.drop(columns="metric"))


@pytest.mark.slow
def test_training_logs_a_run_that_can_be_registered(panel, tmp_path, monkeypatch):
    monkeypatch.setenv("TRACEO_HOME", str(tmp_path / "home"))
    settings.cache_clear()
    lake = lake_of(tmp_path / "lake", panel)
    uris = {"lake": lake.uri, **{name: str(tmp_path / name) for name in ("model", "holdout", "training")}}
    run_id = step.run(SPEC["train"], uris, {"folds": 1})["mlflow_run_id"]
    metrics = tracking.client().get_run(run_id).data.metrics
    assert metrics["average_precision_mean.seasonal"] > metrics["average_precision_mean.isolation_forest"] > 0
    version = tracking.register(model.NAME, run_id, Path(uris["model"]), model.LOADER, {})
    assert tracking.load_model(model.NAME, version.version).predict is not None
    settings.cache_clear()
