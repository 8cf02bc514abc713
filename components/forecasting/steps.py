"""The steps of forecasting: read, call the domain, write."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

import polars as pl

from components.core import storage
from components.core.catalog import WatchedMetric, load_catalog
from components.core.errors import InputError
from components.core.lake import Lake
from components.core.schema import TABLES
from components.core.settings import settings
from components.core.step import SIDECAR, StepIO
from components.core.times import Window, floor, iso
from components.forecasting import holdout, leads, panel, risk, series, trained, training
from components.forecasting.model import BASELINE
from components.forecasting.series import DAY, FINE_DAYS, HOUR, History
from components.forecasting.specs import MODEL_NAME, EvaluateParams, PredictParams, TrainParams
from components.forecasting.training import Plan, Trained

logger = logging.getLogger("traceo.forecasting")


def train(io: StepIO, params: TrainParams) -> dict[str, Any]:
    """Train on everything before the held-out hours; without data the model is empty and fits on the fly."""
    as_of, rows = _read_panel(io.lake(), params.as_of, params.history_days * 24 + params.holdout_h)
    catalog = load_catalog()
    names = panel.choose(rows, catalog, params.max_series)
    rows = rows.filter(pl.col("series_id").is_in(names))
    split = holdout.split_at(rows, as_of, params.holdout_h)
    capacities = _capacities(rows, catalog)
    known = panel.histories(rows.filter(pl.col("timestamp") < split), capacities) if len(rows) else {}
    plans = _plans(names, known, rows, catalog, params)
    logger.info("training %d series, up to %s", len(plans), split and iso(split))
    early, whole = training.learn(plans, params.horizon_h, params.origins)
    work = partial(
        training.train_one, model=params.model, horizon=params.horizon_h, origins=params.origins, learned=early
    )
    results = _train_all(plans, work, params)
    model = trained.TrainedModel(MODEL_NAME, params.horizon_h, {r.name: r.fitted for r in results}, capacities, whole)
    with io.write_folder("model") as folder:
        trained.save(folder, model)
    io.write_table("holdout", holdout.take(rows, split, set(known)))
    summary = training.summarize(results)
    ahead = leads.curves(leads.ask_all(_limited(plans, rows, catalog)))
    run_id = _log_run(params, io.params, results, summary, ahead)
    content = {"run_id": run_id, "model": MODEL_NAME, "as_of": as_of, "series": len(results), "candidates": summary}
    io.write_json("training", content)
    ratio = summary.get(params.model, {}).get("mase_vs_seasonal_naive")
    return {"mlflow_run_id": run_id, "series": len(results), "mase_vs_seasonal_naive": ratio}


def evaluate(io: StepIO, params: EvaluateParams) -> dict[str, Any]:
    """MASE of champion, challenger and seasonal-naive on each series' held-out hours."""
    rows = io.read_table("holdout")
    missing = [name for name in holdout.SCHEMA if name not in rows.columns]
    if missing:
        raise InputError(f"{io.uri('holdout')}: no column {missing[0]!r}; train again to write it")
    rows = rows.sort("series_id", "timestamp")
    contestants = ["challenger"]
    if io.has("champion") and storage.exists(io.uri("champion") + SIDECAR):
        contestants.append("champion")
    errors = {}
    for name in contestants:
        with io.read_folder(name) as folder:
            errors[name] = holdout.errors(trained.load(folder), rows)
    champion = {unit: own for unit, (own, _) in errors.get("champion", {}).items()}
    units = [
        {"unit": unit, "champion": champion.get(unit), "challenger": own, "baseline": base}
        for unit, (own, base) in errors["challenger"].items()
    ]
    io.write_json("evaluation", {"metric": "mase", "higher_is_better": False, "rows": units})
    ours = [own for own, _ in errors["challenger"].values()]
    return {"series": len(units), "challenger_mase": sum(ours) / len(ours) if ours else None}


def predict(io: StepIO, params: PredictParams) -> dict[str, Any]:
    """Forecasts and risks as of the full hour, once; abstains while there is no champion."""
    lake = io.lake()
    as_of = params.as_of or lake.watermark("metrics")
    summary: dict[str, Any] = {"as_of": None, "series": 0, "risks": 0}
    if as_of is None:
        return _predicted(io, {**summary, "abstained": "the lake holds no metrics yet"})
    as_of = floor(as_of, HOUR)
    summary["as_of"] = iso(as_of)
    if all(as_of in lake.snapshots(table) for table in ("forecasts", "risks")):
        return _predicted(io, {**summary, "skipped": "the snapshots of this hour stand already"})
    version = _champion_version()
    if version is None:
        return _predicted(io, {**summary, "abstained": f"no champion of {MODEL_NAME} is registered yet"})
    _, rows = _read_panel(lake, as_of, params.history_days * 24)
    rows = _alive(rows, as_of - params.stale_h * HOUR)
    catalog = load_catalog()
    rows = rows.filter(pl.col("series_id").is_in(panel.choose(rows, catalog, params.max_series)))
    forecasts = _infer(rows, version, params, as_of)
    newest = panel.hourly(lake.scan("features", Window(as_of - FINE_DAYS * DAY, as_of)), as_of, every="5m")
    risks = _risks(rows, forecasts, catalog, params.seed, newest)
    labels = rows.select("series_id", "service", "metric").unique(maintain_order=True)
    table = forecasts.join(labels, on="series_id", how="left").sort("service", "metric", "timestamp")
    table = table if len(table) else TABLES["forecasts"].empty()
    lake.write_snapshot("forecasts", table, as_of, producer=io.producer, params=io.params)
    lake.write_snapshot("risks", risks, as_of, producer=io.producer, params=io.params)
    likeliest = risks.filter(pl.col("p_168h") >= 0.5).sort("p_168h", "service", descending=[True, False]).head(5)
    failures = likeliest.select("service", "metric", "p_24h", "p_72h", "p_168h", "limit_at_q50").to_dicts()
    counts = {"series": labels.height, "risks": len(risks), "model_version": version}
    return _predicted(io, {**summary, **counts, "likely_failures": failures})


# --- reading ---------------------------------------------------------------------------------------------


def _read_panel(lake: Lake, as_of: datetime | None, hours: int) -> tuple[datetime | None, pl.DataFrame]:
    as_of = as_of or lake.watermark("metrics") or lake.watermark("features")
    if as_of is None:
        return None, panel.hourly(TABLES["features"].empty().lazy(), datetime.min.replace(tzinfo=UTC))
    as_of = floor(as_of, HOUR)
    return as_of, panel.hourly(lake.scan("features", Window(as_of - hours * HOUR, as_of)), as_of)


def _capacities(rows: pl.DataFrame, catalog: Mapping[str, WatchedMetric]) -> dict[str, float]:
    pairs = rows.select("series_id", "metric").unique().sort("series_id").rows()
    entries = {name: catalog[metric] for name, metric in pairs if metric in catalog}
    return {name: entry.capacity for name, entry in entries.items() if entry.capacity is not None}


def _alive(rows: pl.DataFrame, since: datetime) -> pl.DataFrame:
    return rows.filter(pl.col("timestamp").max().over("series_id") >= since)


def _plans(
    names: Sequence[str],
    known: Mapping[str, History],
    rows: pl.DataFrame,
    catalog: Mapping[str, WatchedMetric],
    params: TrainParams,
) -> list[Plan]:
    """Every series with its candidates; the costly ones go to the first series that have a limit."""
    metrics = dict(rows.select("series_id", "metric").unique().rows())
    limited = [name for name in names if name in known and _limit_of(catalog, metrics[name]) is not None]
    costly = set(limited[: params.costly_series])
    every = tuple(sorted({BASELINE, *params.candidates}))
    more = tuple(sorted({*every, *params.costly_candidates}))
    return [Plan(name, known[name], more if name in costly else every) for name in sorted(names) if name in known]


def _limited(plans: Sequence[Plan], rows: pl.DataFrame, catalog: Mapping[str, WatchedMetric]) -> list[leads.Limited]:
    """The planned series that have a limit."""
    metrics = dict(rows.select("series_id", "metric").unique().rows())
    pairs = [(plan.history, catalog.get(metrics[plan.name])) for plan in plans]
    return [
        leads.Limited(history, entry.failure_kind or entry.kind, entry.limit, entry.direction)
        for history, entry in pairs
        if entry is not None and entry.limit is not None
    ]


def _limit_of(catalog: Mapping[str, WatchedMetric], metric: str) -> float | None:
    entry = catalog.get(metric)
    return entry.limit if entry else None


# --- training and evaluation -----------------------------------------------------------------------------


def _train_all(plans: Sequence[Plan], work: Callable[[Plan], Trained], params: TrainParams) -> list[Trained]:
    if params.engine == "local":
        return training.train(plans, work, params.workers)
    from components.forecasting import cluster

    return cluster.train(plans, work, params.engine, params.workers)


def _log_run(
    params: TrainParams,
    logged: Mapping[str, Any],
    results: Sequence[Trained],
    summary: Mapping[str, Mapping[str, float]],
    ahead: Mapping[str, Sequence[leads.Point]],
) -> str:
    """One parent run and one child per candidate, so that MLflow's UI compares them; returns the parent's id."""
    from components.core import tracking
    from components.forecasting import report

    with tracking.start_run(params.experiment, "forecasting.train", logged) as run:
        run_id: str = run.active_run().info.run_id
        for name, figures in summary.items():
            with run.start_run(run_name=name, nested=True, tags={"traceo.candidate": name}):
                run.log_metrics(_finite(figures))
                for fold, (mase, crps) in enumerate(training.by_fold(results, name)):
                    run.log_metrics(_finite({"fold_mase": mase, "fold_crps": crps}), step=fold)
        flat = {f"{name}.{key}": value for name, figures in summary.items() for key, value in figures.items()}
        run.log_metrics(_finite({**flat, "series": float(len(results))}))
        if summary:
            curves = {name: training.error_by_step(results, name, params.horizon_h) for name in summary}
            run.log_figure(report.error_by_horizon(curves, params.model), "error_by_horizon.png")
            run.log_figure(report.ratio_bars(summary), "candidates.png")
        if ahead:
            run.log_figure(report.lead_times(ahead), "lead_times.png")
            run.log_metrics(_finite(leads.as_metrics(ahead)))
    return run_id


def _finite(metrics: Mapping[str, float]) -> dict[str, float]:
    return {name: value for name, value in metrics.items() if abs(value) < float("inf")}


# --- prediction ------------------------------------------------------------------------------------------


def _predicted(io: StepIO, summary: dict[str, Any]) -> dict[str, Any]:
    io.write_json("predicted", summary)
    return summary


def _champion_version() -> str | None:
    from components.core import tracking

    return tracking.version_of(MODEL_NAME, "champion")


def _infer(rows: pl.DataFrame, version: str, params: PredictParams, as_of: datetime) -> pl.DataFrame:
    """Ask the model server where one is set, the champion itself otherwise; one frame of all series."""
    from components.core.times import parse_times

    names = rows["series_id"].unique().sort().to_list()
    frames: list[pl.DataFrame] = []
    predict_batch = _predictor(version)
    for start in range(0, len(names), params.batch):
        batch = rows.filter(pl.col("series_id").is_in(names[start : start + params.batch]))
        frame = batch.select(*panel.COLUMNS).with_columns(pl.lit(params.horizon_h).alias("horizon_h"))
        request_id = f"forecasting/{iso(as_of)}/{start // params.batch}"
        frames.append(pl.DataFrame(pl.from_pandas(predict_batch(frame.to_pandas(), request_id))))
    if not frames:
        return pl.DataFrame(schema={"series_id": pl.String, "timestamp": pl.Datetime("us", "UTC")})
    answers = pl.concat([frame.with_columns(parse_times(frame["timestamp"], "model answer")) for frame in frames])
    return answers.sort("series_id", "timestamp")


def _predictor(version: str) -> Callable[[Any, str], Any]:
    from components.core import inference, tracking

    url = settings().model_server_url
    if url:
        return lambda frame, request_id: inference.infer(url, MODEL_NAME, frame, request_id=request_id)[0]
    model = tracking.load_model(MODEL_NAME, version)
    return lambda frame, request_id: model.predict(frame)


def _risks(
    rows: pl.DataFrame,
    forecasts: pl.DataFrame,
    catalog: Mapping[str, WatchedMetric],
    seed: int,
    newest: pl.DataFrame,
) -> pl.DataFrame:
    limited = rows.filter(pl.col("metric").is_in([name for name, entry in catalog.items() if entry.limit is not None]))
    labels = dict(limited.select("series_id", pl.struct("service", "metric")).unique().rows())
    histories = panel.histories(limited, {}) if len(limited) else {}
    fine = newest.partition_by("series_id", as_dict=True)
    fans = forecasts.filter(pl.col("series_id").is_in(sorted(histories))).partition_by("series_id", as_dict=True)
    found = [
        risk.as_row(
            labels[name]["service"],
            catalog[labels[name]["metric"]],
            risk.from_rows(
                history,
                fans[(name,)],
                catalog[labels[name]["metric"]],
                seed,
                series.recent(fine[(name,)], history) if (name,) in fine else None,
            ),
        )
        for name, history in histories.items()
        if (name,) in fans
    ]
    schema: dict[str, pl.DataType] = {name: dtype for name, dtype in TABLES["risks"].columns.items() if name != "as_of"}
    return pl.DataFrame(found, schema=schema).sort("service", "metric")
