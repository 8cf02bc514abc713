"""Loads a model folder for MLflow and the model server: a frame of histories in, a frame of forecasts out."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import polars as pl

from components.core.errors import InputError
from components.core.schema import QUANTILE_COLUMNS
from components.core.times import parse_times
from components.forecasting import panel, trained
from components.forecasting.forecast import Forecast
from components.forecasting.series import History

_INPUT = (*panel.COLUMNS, "horizon_h")


class ForecastingModel:
    """`series_id, timestamp, value, horizon_h` → `series_id, timestamp, mean, q0.025 … q0.975, model`."""

    def __init__(self, model: trained.TrainedModel) -> None:
        self._model = model

    def predict(self, model_input: pd.DataFrame) -> pd.DataFrame:
        """Forecast every series of the frame, sorted by series and time; InputError names a missing column."""
        missing = [name for name in _INPUT if name not in model_input.columns]
        if missing:
            raise InputError(f"forecasting input lacks column {missing[0]!r}; it takes {', '.join(_INPUT)}")
        if model_input.empty:
            return pd.DataFrame(columns=["series_id", "timestamp", "mean", *QUANTILE_COLUMNS, "model"])
        horizon = int(model_input["horizon_h"].iloc[0])
        if horizon < 1:
            raise InputError(f"horizon_h is {horizon}; give 1 or more")
        histories = self._model.histories(_rows(model_input))
        forecasts = self._model.forecast(histories, horizon)
        return pd.concat([_frame(name, histories[name], forecasts[name]) for name in histories], ignore_index=True)


def _load_pyfunc(path: str) -> ForecastingModel:
    return ForecastingModel(trained.load(Path(path)))


def _rows(frame: pd.DataFrame) -> pl.DataFrame:
    rows = pl.DataFrame(
        {
            "series_id": frame["series_id"].astype(str).to_list(),
            "timestamp": parse_times(pl.Series("timestamp", frame["timestamp"].to_list()), "forecasting input"),
            "value": pl.Series(frame["value"].to_numpy(dtype=float), dtype=pl.Float64),
        }
    )
    finite = rows.filter(pl.col("timestamp").is_not_null(), pl.col("value").is_finite())
    return finite.sort("series_id", "timestamp")


def _frame(name: str, history: History, forecast: Forecast) -> pd.DataFrame:
    frame = pd.DataFrame({"series_id": name, "timestamp": history.times(len(forecast.mean)), "mean": forecast.mean})
    for column, values in zip(QUANTILE_COLUMNS, forecast.quantiles, strict=True):
        frame[column] = values
    frame["model"] = forecast.model
    return frame
