"""The steps of anomaly detection: read, call the domain, write."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl

from components.anomaly import feedback, holdout, model, report, scoring, validation
from components.anomaly.detect import tuning_of
from components.anomaly.detector import Tuning
from components.anomaly.holdout import METRIC
from components.anomaly.panel import FloatArray, Panel
from components.anomaly.specs import EvaluateParams, ScoreParams, TrainParams
from components.core import inference, tracking
from components.core.errors import InputError
from components.core.lake import Lake
from components.core.settings import settings
from components.core.step import StepIO
from components.core.times import Window, floor, iso

logger = logging.getLogger("traceo.anomaly")
_FIVE_MINUTES = timedelta(minutes=5)
#: What the knob of a series without marks is.
_BASE = Tuning().expected_false_events_per_week
#: Rows in, rows with scores and the version of the model that answered out.
Ask = Callable[[str, pl.DataFrame], tuple[pl.DataFrame, str]]


def train(io: StepIO, params: TrainParams) -> dict[str, Any]:
    """Fit on everything before the holdout, cross-validate the candidates, log the run, write model and holdout."""
    tuning = tuning_of(params)
    panel = _training_panel(io, params)
    start = holdout.split(panel, params.holdout_h)
    past = panel.rows(0, start)
    logger.info("cross-validating on %d series, %d rows before the holdout", len(panel.columns), len(past))
    sample = past.pick(validation.sample(past.columns, params.cv_series, params.seed))
    table = validation.cross_validate(sample, tuning, params.folds, params.seed)
    serving = validation.best(table) if params.detector == "best" else params.detector
    fitted = model.train(past, tuning, serving)
    held_out = holdout.table(panel, start, params.seed + params.folds)
    run_id = report.log(table, fitted, {**params.model_dump(mode="json"), "detector": serving, "rows": len(past)})
    with io.write_folder("model") as folder:
        fitted.save(folder)
    io.write_table("holdout", held_out)
    means = validation.mean_by_detector(table)
    summary = {"mlflow_run_id": run_id, "detector": serving, "series": len(panel.columns), METRIC: means}
    io.write_json(
        "training", {**summary, "run_id": run_id, "model": model.NAME, "folds": params.folds, "rows": len(past)}
    )
    return summary


def evaluate(io: StepIO, params: EvaluateParams) -> dict[str, Any]:
    """Score the holdout with both models and the baseline; average precision per series."""
    rows = io.read_table("holdout")
    missing = [name for name in (*model.INPUT_COLUMNS, "label", "scored") if name not in rows.columns]
    if missing:
        raise InputError(f"{io.uri('holdout')}: no column {missing[0]!r}; train again to write it")
    champion = _scorer(io, "champion") if io.has("champion") else None
    found = holdout.compare(rows, champion, _scorer(io, "challenger"))
    io.write_json("evaluation", {"metric": METRIC, "higher_is_better": True, "rows": found})
    means = (
        pl.DataFrame(found, infer_schema_length=None).select(pl.mean("champion", "challenger", "baseline"))
        if found
        else None
    )
    return {"units": len(found), **({} if means is None else means.to_dicts()[0])}


def score(io: StepIO, params: ScoreParams) -> dict[str, Any]:
    """Fill the gaps of the lake's anomalies within the lookback; without a champion nothing is written."""
    lake = io.lake()
    windows = _unscored(lake, params)
    summary: dict[str, Any] = {"windows": len(windows), "rows": 0, "anomalies": 0, "model_version": None, "reason": ""}
    ask = _model() if windows else None
    if windows and ask is None:
        summary |= {"windows": 0, "reason": f"no champion of {model.NAME} yet; nothing scored"}
    if ask is not None:
        online = io.read_table("online_features") if io.has("online_features") else None
        span = Window(windows[0].start - scoring.CONTEXT, windows[-1].end)
        rows = scoring.overridden(lake.read("features", span), online)
        answers = [_answer(ask, *request) for request in scoring.requests(rows, windows, params.batch_rows)]
        own = _knobs(io, lake)
        answers = [feedback.applied(answer, own, _BASE, model.STEP_US) for answer in answers]
        for window in windows:
            frame = scoring.answered(answers, window)
            lake.write_window("anomalies", frame, window, producer=io.producer, params=io.params)
            summary["rows"] += len(frame)
            summary["anomalies"] += int(frame["is_anomaly"].sum())
        versions = {version for answer in answers for version in answer["model_version"].unique()}
        summary["model_version"] = ", ".join(sorted(versions)) or None
    io.write_json("scored", summary)
    return summary


def _knobs(io: StepIO, lake: Lake) -> dict[str, float]:
    """The knob of every series that people marked; what moved it is entered in the lake's ledger."""
    marks = feedback.marks_of(lake.read("feedback"))
    rows = feedback.ledger(feedback.changes(marks, _BASE))
    fresh = feedback.unwritten(rows, lake.read("knobs"))
    if len(fresh):
        lake.write_late("knobs", fresh, producer=io.producer, params={})
    return feedback.knobs(marks, _BASE)


def _training_panel(io: StepIO, params: TrainParams) -> Panel:
    lake = io.lake()
    as_of = params.as_of or lake.watermark("metrics") or lake.watermark("features")
    if as_of is None:
        raise InputError(f"{io.uri('lake')}: no features in the lake; run features.build first")
    window = Window(floor(as_of, _FIVE_MINUTES) - timedelta(days=params.history_days), floor(as_of, _FIVE_MINUTES))
    features = lake.scan("features", window).select(*scoring.KEY, "mean").collect().sort(scoring.KEY)
    if io.has("training_set"):
        features = scoring.overridden(features, _training_set(io)).rename({"value": "mean"})
    return model.features_panel(features)


def _training_set(io: StepIO) -> pl.DataFrame:
    """Point-in-time rows by the start of their five minutes."""
    rows = io.read_table("training_set")
    if "timestamp" not in rows.columns and "event_timestamp" in rows.columns:
        rows = rows.with_columns(timestamp=pl.col("event_timestamp") - _FIVE_MINUTES)
    missing = [name for name in (*scoring.KEY, "mean") if name not in rows.columns]
    if missing:
        raise InputError(f"{io.uri('training_set')}: no column {missing[0]!r} (found {', '.join(rows.columns)})")
    return rows.with_columns(pl.col("timestamp").cast(pl.Datetime("us", "UTC")))


def _scorer(io: StepIO, port: str) -> Callable[[pl.DataFrame], FloatArray]:
    with io.read_folder(port) as folder:
        loader = json.loads(Path(folder, "model.json").read_text())["loader_module"]
        predictor = tracking.load_folder(Path(folder), loader)

    def scores(rows: pl.DataFrame) -> FloatArray:
        answer = predictor.predict(rows.select(model.INPUT_COLUMNS).to_pandas())
        values: FloatArray = answer["score"].to_numpy(dtype=float)
        return values

    return scores


def _unscored(lake: Lake, params: ScoreParams) -> list[Window]:
    as_of = params.as_of or lake.watermark("metrics") or lake.watermark("features")
    if as_of is None:
        return []
    end = floor(as_of, _FIVE_MINUTES)
    start = floor(end - timedelta(hours=params.lookback_h), _FIVE_MINUTES)
    return scoring.spans(lake.gaps("anomalies", Window(start, end)), lake.coverage("features"))


def _model() -> Ask | None:
    """How to ask for scores: the model server where one is set, else the champion in this process; None without."""
    url = settings().model_server_url
    version = tracking.version_of(model.NAME, "champion")
    if version is None:
        return None
    if url:
        return lambda service, rows: _ask_server(url, service, rows)
    predictor = tracking.load_model(model.NAME, version)
    return lambda service, rows: (pl.from_pandas(predictor.predict(rows.to_pandas())), version)


def _ask_server(url: str, service: str, rows: pl.DataFrame) -> tuple[pl.DataFrame, str]:
    # The service as request id: its rows meet the same model in every run, so a score does not flicker.
    answer, version = inference.infer(url, model.NAME, rows.to_pandas(), request_id=f"anomaly/{service}")
    return pl.from_pandas(answer), version


def _answer(ask: Ask, service: str, window: Window, rows: pl.DataFrame) -> pl.DataFrame:
    """The scored rows of one portion within its window, ready for the lake."""
    answer, version = ask(service, rows.select(model.INPUT_COLUMNS))
    logger.info("scored %s, %s to %s: %d rows", service, iso(window.start), iso(window.end), len(answer))
    # Rows come back in order; what was sent is taken as it was, not as it travelled.
    given = rows.select(*scoring.KEY, "value")
    added = answer.select("score", "is_anomaly", "expected", "lower", "upper", "detector", "reason")
    whole = pl.concat([given, added], how="horizontal").with_columns(
        pl.col("score", "expected", "lower", "upper").cast(pl.Float64),
        pl.col("reason").cast(pl.String).fill_null(""),
        model_version=pl.lit(version),
    )
    return whole.filter(pl.col("timestamp") >= window.start, pl.col("timestamp") < window.end)
