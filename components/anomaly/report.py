"""The MLflow run of a training: figures per fold and detector, the table per series, one plot."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from components.anomaly import model, validation
from components.core import tracking


def log(table: pl.DataFrame, fitted: model.AnomalyModel, params: Mapping[str, Any]) -> str:
    """Log cross-validation of a trained model as a run of its own; returns the run's id.

    table: `fold, series_id, detector, average_precision` as `validation.cross_validate` gives it.
    """
    with tracking.start_run(model.NAME, "train", params, {"detector": fitted.serving}) as mlflow:
        per_fold = table.group_by("fold", "detector").agg(pl.mean("average_precision")).sort("fold", "detector")
        for (fold,), rows in per_fold.partition_by("fold", as_dict=True, maintain_order=True).items():
            mlflow.log_metrics({f"average_precision.{d}": v for _, d, v in rows.iter_rows()}, step=int(fold))
        mlflow.log_metrics({f"average_precision_mean.{d}": v for d, v in validation.mean_by_detector(table).items()})
        mlflow.log_metric("series", float(len(fitted.series)))
        mlflow.log_text(table.write_csv(), "cross_validation.csv")
        mlflow.log_figure(_figure(table), "cross_validation.png")
        run_id: str = mlflow.active_run().info.run_id
    return run_id


def _figure(table: pl.DataFrame) -> Any:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4), layout="constrained")
    axis = figure.subplots()
    names = list(validation.mean_by_detector(table))
    if names:
        values = [table.filter(pl.col("detector") == name)["average_precision"].to_numpy() for name in names]
        axis.boxplot(values, tick_labels=names, showmeans=True)
    axis.set_ylim(0, 1)
    axis.set_ylabel("average precision per series and fold")
    axis.set_title("injected anomalies in held-out days")
    return figure
