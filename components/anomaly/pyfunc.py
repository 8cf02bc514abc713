"""Loads a model folder for MLflow and the model server."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import polars as pl

from components.anomaly import model
from components.core.errors import SchemaError
from components.core.times import parse_times


class Predictor:
    """A frame of `timestamp, service, metric, value` in; the same rows with scores, bands and reasons out."""

    def __init__(self, fitted: model.AnomalyModel) -> None:
        self._model = fitted

    def predict(self, model_input: pd.DataFrame) -> pd.DataFrame:
        """Score rows; SchemaError names the column that is missing. Any series, any order, duplicates allowed."""
        missing = [name for name in model.INPUT_COLUMNS if name not in model_input.columns]
        if missing:
            raise SchemaError(
                f"input of {model.NAME}: no column {missing[0]!r}; it takes {', '.join(model.INPUT_COLUMNS)}"
            )
        given = model_input.loc[:, list(model.INPUT_COLUMNS)].reset_index(drop=True)
        rows = pl.DataFrame(
            {
                "timestamp": parse_times(_times(given["timestamp"]), f"input of {model.NAME}"),
                "service": pl.Series(given["service"].astype(str).tolist(), dtype=pl.String),
                "metric": pl.Series(given["metric"].astype(str).tolist(), dtype=pl.String),
                "value": pl.Series(pd.to_numeric(given["value"], errors="coerce").to_numpy(dtype=float)),
            }
        )
        answer = self._model.score(rows).to_pandas()
        answer["timestamp"] = given["timestamp"]
        answer.index = model_input.index
        return answer


def _load_pyfunc(path: str) -> Predictor:
    return Predictor(model.load(Path(path)))


def _times(column: pd.Series) -> pl.Series:
    if pd.api.types.is_datetime64_any_dtype(column):
        zoned = column.dt.tz_localize("UTC") if column.dt.tz is None else column.dt.tz_convert("UTC")
        instants = zoned.dt.as_unit("us").astype("int64").to_numpy()
        return pl.Series("timestamp", instants).cast(pl.Datetime("us", "UTC"))
    return pl.Series("timestamp", [str(value) for value in column], dtype=pl.String)
