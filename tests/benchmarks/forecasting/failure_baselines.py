"""What Traceo's failure risk is measured beside: straight lines, never alarming, and Prophet's interval."""

from __future__ import annotations

import logging

import numpy as np

from components.forecasting.risk import HORIZONS_H
from components.forecasting.series import HOUR, FloatArray
from tests.benchmarks.forecasting.failure_case import Case

#: Probabilities within HORIZONS_H and the time-to-limit quantiles 0.1, 0.5, 0.9 in hours, infinite past the horizon.
Answer = tuple[FloatArray, FloatArray]


def never(case: Case) -> Answer:
    return np.zeros(len(HORIZONS_H)), np.full(3, np.inf)


def predict_linear(case: Case, window_h: int) -> Answer:
    """Prometheus's `predict_linear(series[window])`: least squares through the window, certain of itself."""
    values = case.values[-round(window_h * HOUR / case.step) :]
    known = np.isfinite(values)
    at = (np.arange(len(values)) - len(values) + 1) * (case.step / HOUR)
    if known.sum() < 2:
        return never(case)
    slope, now = np.polyfit(at[known], values[known], 1)
    missing = case.limit - now if case.direction == "above" else now - case.limit
    pace = slope if case.direction == "above" else -slope
    hours = 0.0 if missing <= 0 else (missing / pace if pace > 0 else np.inf)
    hours = hours if hours <= HORIZONS_H[-1] else np.inf
    return (hours < np.array(HORIZONS_H)).astype(float), np.full(3, hours)


def predict_linear_6h(case: Case) -> Answer:
    return predict_linear(case, 6)


def predict_linear_24h(case: Case) -> Answer:
    return predict_linear(case, 24)


def prophet(case: Case) -> Answer:
    """Prophet with its defaults: the largest probability that its interval gives to any hour up to then."""
    import pandas as pd
    from prophet import Prophet

    logging.getLogger("cmdstanpy").disabled = True
    history = case.history()
    times = pd.date_range(history.start.replace(tzinfo=None), periods=len(history) + HORIZONS_H[-1], freq="h")
    frame = pd.DataFrame({"ds": times, "y": np.pad(history.values, (0, HORIZONS_H[-1]), constant_values=np.nan)})
    model = Prophet(interval_width=0.8, uncertainty_samples=200)
    np.random.seed(0)
    model.fit(frame.iloc[: len(history)], seed=0)
    ahead = model.predict(frame.iloc[len(history) :][["ds"]])
    spread = np.maximum((ahead["yhat_upper"] - ahead["yhat_lower"]).to_numpy() / (2 * 1.2815516), 1e-9)
    away = (ahead["yhat"].to_numpy() - case.limit) / spread * (1.0 if case.direction == "above" else -1.0)
    from scipy.stats import norm

    reached = np.maximum.accumulate(norm.cdf(away))
    times_h = [float(np.argmax(reached >= q)) if reached[-1] >= q else np.inf for q in (0.1, 0.5, 0.9)]
    return reached[np.array(HORIZONS_H) - 1], np.array(times_h)


BASELINES = {
    "never alarm": never,
    "predict_linear 6 h": predict_linear_6h,
    "predict_linear 24 h": predict_linear_24h,
}
