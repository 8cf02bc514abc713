"""Prophet: piecewise linear trend, daily, weekly and yearly seasons, regressors."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from components.forecasting.model import Candidate, Unfit
from components.forecasting.series import DAY, FloatArray, History

if TYPE_CHECKING:
    import pandas as pd

CHANGEPOINT_PRIOR_SCALE = 0.05
SEASONALITY_PRIOR_SCALE = 10.0
#: Prophet's own advice: a season needs two full cycles.
CYCLES = 2
YEAR = timedelta(days=365)
#: Newest days given to the fit where no year can be learnt.
FIT_DAYS = 60


class ProphetModel(Candidate):
    """MAP fit without sampling: intervals come from backtests like every model's."""

    name = "prophet"
    slow = True

    def forecast(self, history: History, horizon: int) -> FloatArray:
        import pandas as pd
        import prophet  # noqa: F401 - sets up its loggers when imported, so before they are made quiet

        length = len(history) * history.step
        yearly = length >= CYCLES * YEAR
        kept = len(history) if yearly else min(len(history), FIT_DAYS * history.day)
        # Prophet wants naive times; ours are UTC throughout.
        start = (history.end - kept * history.step).replace(tzinfo=None)
        times = pd.date_range(start, periods=kept + horizon, freq=history.step)
        frame = pd.DataFrame({"ds": times, "y": np.pad(history.values[-kept:], (0, horizon), constant_values=np.nan)})
        with _quiet():
            model = self._model(yearly, length >= CYCLES * 7 * DAY, history.day)
            for name, values in _regressors(history, kept, horizon).items():
                frame[name] = values
                model.add_regressor(name)
            return _fit_predict(model, frame, kept)

    @staticmethod
    def _model(yearly: bool, weekly: bool, day: int) -> Any:
        from prophet import Prophet

        return Prophet(
            changepoint_prior_scale=CHANGEPOINT_PRIOR_SCALE,
            seasonality_prior_scale=SEASONALITY_PRIOR_SCALE,
            yearly_seasonality=yearly,
            weekly_seasonality=weekly,
            daily_seasonality=day > 1,
            uncertainty_samples=0,
        )


def _fit_predict(model: Any, frame: pd.DataFrame, kept: int) -> FloatArray:
    known = frame.iloc[:kept]
    if history_gaps := known["y"].isna().sum():
        raise Unfit(f"prophet met {history_gaps} missing values")
    try:
        model.fit(known, seed=0)
    except (RuntimeError, ValueError) as problem:
        raise Unfit(f"prophet failed: {str(problem).splitlines()[0]}") from None
    ahead: FloatArray = model.predict(frame.iloc[kept:].drop(columns="y"))["yhat"].to_numpy(dtype=float)
    return ahead


def _regressors(history: History, kept: int, horizon: int) -> dict[str, FloatArray]:
    """Past and future of every regressor that varies; where its future is unknown, its last day repeats."""
    columns = {}
    for i, (_, regressor) in enumerate(sorted(history.regressors.items())):
        past = regressor.past[-kept:]
        if float(np.ptp(past)) == 0:
            continue
        season = min(history.day, len(past))
        future = past[-season:][np.arange(horizon) % season].copy()
        future[: len(regressor.future)] = regressor.future[:horizon]
        # Neutral names: a column of the user's may be one that Prophet keeps for itself.
        columns[f"regressor_{i}"] = np.concatenate([past, future])
    return columns


@contextmanager
def _quiet() -> Iterator[None]:
    loggers = [logging.getLogger(name) for name in ("cmdstanpy", "prophet", "prophet.plot")]
    before = [(logger, logger.disabled) for logger in loggers]
    try:
        for logger in loggers:
            # Not the level: cmdstanpy sets that back to INFO at its first use.
            logger.disabled = True
        yield
    finally:
        for logger, disabled in before:
            logger.disabled = disabled


MODEL = ProphetModel()
