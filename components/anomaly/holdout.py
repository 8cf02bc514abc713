"""The newest hours with injected anomalies as a table, and the comparison of models on it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl

from components.anomaly import model, validation
from components.anomaly.detector import Tuning
from components.anomaly.panel import HOUR_US, BoolArray, FloatArray, Panel, grid_of
from components.core.series import series_id, service_and_metric

METRIC = "average_precision"
#: Rows of a series in, scores of these rows out.
Scorer = Callable[[pl.DataFrame], FloatArray]


def split(panel: Panel, holdout_h: float) -> int:
    """The first row of the holdout: `holdout_h` before the end, but no more than a quarter of what there is."""
    end = int(panel.times[-1]) + model.STEP_US
    length = min(int(holdout_h * HOUR_US), (end - int(panel.times[0])) // 4)
    return int(np.searchsorted(panel.times, end - length))


def table(panel: Panel, start: int, seed: int) -> pl.DataFrame:
    """Rows `timestamp, service, metric, value, label, scored` from a day before row `start` on.

    label: the value was altered; scored: false for the day before, which is only context.
    """
    spoilt, labels = validation.held_out(panel, start, seed)
    scored = spoilt.times >= panel.times[start]
    rows, columns = spoilt.values.shape
    names = [service_and_metric(name) for name in spoilt.columns]
    frame = pl.DataFrame(
        {
            "timestamp": pl.Series(np.repeat(spoilt.times, columns)).cast(pl.Datetime("us", "UTC")),
            "service": [service for service, _ in names] * rows,
            "metric": [metric for _, metric in names] * rows,
            "value": spoilt.values.ravel(),
            "label": labels.ravel(),
            "scored": np.repeat(scored, columns),
        }
    )
    return frame.filter(pl.col("value").is_finite())


def compare(rows: pl.DataFrame, champion: Scorer | None, challenger: Scorer) -> list[dict[str, Any]]:
    """Average precision per series with a label: {"unit", "champion" (or None), "challenger", "baseline"}."""
    scores = {"challenger": challenger(rows), "baseline": baseline(rows)}
    if champion:
        scores["champion"] = champion(rows)
    scored = rows.with_columns(pl.Series(name, values) for name, values in scores.items()).filter("scored")
    found = []
    for (unit,), part in sorted(scored.with_columns(series_id()).partition_by("series_id", as_dict=True).items()):
        labels: BoolArray = part["label"].to_numpy()
        if labels.any():
            values = {name: validation.average_precision(labels, part[name].to_numpy()) for name in scores}
            found.append({"unit": unit, "champion": None, **values})
    return found


def baseline(rows: pl.DataFrame) -> FloatArray:
    """Scores of the trailing z-score for the rows."""
    keyed = rows.with_columns(series_id())
    panel = grid_of(keyed, model.watched_series(keyed), model.STEP_US)
    scores = validation.baseline_scores(panel, Tuning())
    place = np.searchsorted(panel.times, keyed["timestamp"].dt.epoch("us").to_numpy())
    columns = np.searchsorted(np.array(panel.columns), keyed["series_id"].to_numpy())
    result: FloatArray = scores.columns[place, columns]
    return result
