# %% [markdown]
# # Backtesting a forecast
#
# A forecast is a promise about days that have not happened, so it cannot be checked today. What can be checked is
# what the same model *would have* promised on Monday about Tuesday, and on Tuesday about Wednesday. Doing that over
# and over along the past is called a rolling-origin backtest; it is how Traceo decides which model speaks for a
# metric and how wide its bands are. This notebook does it for one metric, slowly enough to watch.
#
# **Inputs**
# - `lake` (lake): features, as `features.build` leaves them
#
# **Outputs**
# - `backtest` (json): error of every candidate against seasonal-naive, what `auto` made of them, coverage of the band
#
# **Resources**
# - cpu: 1
# - memory_mb: 1024
# - cell_timeout_s: 300

# %% tags=["parameters"]
lake: str = "../.traceo/lake"
backtest: str = "../.traceo/notebooks/backtest.json"
service: str = "frontend"  # whose metric
metric: str = "request_rate"  # the metric to forecast
days: int = 28  # days of history, [5, 365]
horizon_h: int = 24  # hours ahead, [1, 168]
most_origins: int = 7  # instants of the past from which a forecast is made, [3, 60]
candidates: list[str] = ["seasonal_naive", "seasonal_mean", "seasonal_drift", "smoothing"]  # models to try

# %% [markdown]
# ## One series on a regular grid
#
# Forecasts hours to days ahead are made from hourly means. Five-minute wiggles are gone, missing hours are filled and
# marked as such, so that no model is praised for guessing a value that was never measured.

# %%
from datetime import timedelta

import matplotlib.pyplot as plt
import numpy as np
import polars as pl

from components.core.lake import Lake
from components.core.times import Window, floor
from components.forecasting import backtest as backtesting
from components.forecasting import forecast, models, panel
from components.forecasting.intervals import LEVELS
from components.forecasting.model import BASELINE
from components.notebook.artifacts import write_json

telemetry = Lake(lake)
newest = telemetry.watermark("features")
assert newest is not None, "the lake holds no features yet: run features.build first"
now = floor(newest, timedelta(hours=1))
features = telemetry.scan("features", Window(now - timedelta(days=days), now))
mine = features.filter(pl.col("service") == service, pl.col("metric") == metric)
hourly = panel.hourly(mine, now)
assert len(hourly) > 0, f"no metric {metric!r} of {service!r} in the lake; choose one of its features"
history = next(iter(panel.histories(hourly, {}).values()))
origins = backtesting.choose_origins(history, horizon_h, most_origins)
assert len(origins) >= 3, "too short a history for a backtest: four days are the least, a week is better"

# %% [markdown]
# ## Standing at an origin
#
# An *origin* is an instant of the past at which we pretend to stand. Each model gets what was known then, and nothing
# else. Seven origins a day apart cover a week, so that a model that is only good on Sundays is found out.
#
# **seasonal_naive** says "the same as at this hour yesterday" (or last week). It is free, it is hard to beat, and it
# is what every other model is measured against.

# %%
tried = backtesting.run(history, models.pool(candidates), horizon_h, most_origins)
scores = tried.scores()
ranking = sorted(scores, key=lambda name: (scores[name], name))
print("refused:", ", ".join(f"{name} ({why})" for name, why in tried.reasons.items()) or "none")

# %% tags=["plot"]
rival = next((name for name in ranking if name != BASELINE), BASELINE)
shown = min(len(history), 9 * history.day)
hours = [history.start + i * history.step for i in range(len(history))]
figure, axes = plt.subplots(2, 1, figsize=(11, 5.2), sharex=True, sharey=True, layout="constrained")
for axis, name in zip(axes, (BASELINE, rival), strict=True):
    axis.plot(hours[-shown:], history.values[-shown:], color="0.35", linewidth=1, label="what happened")
    for row, origin in enumerate(tried.origins):
        points = tried.points[name][row]
        known = np.flatnonzero(np.isfinite(points) & (origin + np.arange(horizon_h) < len(history)))
        ahead = [history.start + int(origin + i) * history.step for i in known]
        axis.plot(ahead, points[known], color="#1f5fa8", linewidth=1.4, label="forecast" if row == 0 else None)
        if ahead:
            axis.plot(ahead[0], points[known[0]], "o", color="#1f5fa8", markersize=4)
    axis.set_title(f"{name}: error {scores[name]:.2f} of seasonal-naive's", loc="left", fontsize=10)
    axis.spines[["top", "right"]].set_visible(False)
axes[0].legend(frameon=False, ncols=2, loc="upper left", fontsize=8)
figure.suptitle(f"{service}/{metric}: a dot where each forecast was made")
plt.show()

# %% [markdown]
# ## Who was right, and how far ahead
#
# Errors are compared on the very same hours. A ratio of 1 is as good as seasonal-naive, 0.8 is a fifth better. The
# second picture is worth as much as the first: most models are good one hour ahead and ordinary a day ahead. Read it
# at the lead time at which you would act.

# %% tags=["plot"]
figure, (left, right) = plt.subplots(1, 2, figsize=(11, 3.6), layout="constrained", width_ratios=(1, 1.4))
colours = ["#1f5fa8" if scores[name] < 1 else "0.7" for name in reversed(ranking)]
left.barh(list(reversed(ranking)), [scores[name] for name in reversed(ranking)], color=colours)
left.axvline(1, color="black", linewidth=0.8, linestyle="--")
left.set_xlabel("error relative to seasonal-naive")
for name in ranking:
    errors = np.nanmean(np.abs(tried.actual - tried.points[name]), axis=0)
    smooth = np.convolve(errors, np.ones(3) / 3, mode="valid") if horizon_h > 6 else errors
    style = "--" if name == BASELINE else "-"
    right.plot(np.arange(len(smooth)) + 1, smooth, style, linewidth=1.4, label=name)
right.set_xlabel("hours ahead")
right.set_ylabel("mean absolute error")
right.legend(frameon=False, fontsize=8)
for axis in (left, right):
    axis.spines[["top", "right"]].set_visible(False)
plt.show()

# %% [markdown]
# ## What Traceo makes of it
#
# `auto` weighs the candidates by exactly these backtests. Often no single model beats seasonal-naive and their median
# does, because they are wrong in different hours. The spread of their errors then becomes the forecast's band:
# not what a model believes about itself, but by how much it was wrong. To check the band honestly, each origin is
# judged by the errors of the *other* origins.

# %%
chosen = forecast.fit(history, horizon_h, candidates=list(candidates), origins=most_origins)
ahead = forecast.apply(history, chosen, horizon_h)
residuals = tried.residuals(chosen.weights)
inside = []
for row in range(len(tried.origins)):
    others = np.delete(residuals, row, axis=0)
    low, high = np.nanquantile(others, 0.1), np.nanquantile(others, 0.9)
    judged = residuals[row][np.isfinite(residuals[row])]
    inside += list((judged >= low) & (judged <= high))
coverage = float(np.mean(inside))
print(f"auto: {ahead.model}; the 80 % band held {coverage:.0%} of {len(inside)} hours")

# %% tags=["plot"]
figure, axis = plt.subplots(figsize=(11, 3.4), layout="constrained")
axis.plot(hours[-3 * history.day :], history.values[-3 * history.day :], color="0.35", linewidth=1, label="history")
future = history.times(horizon_h)
for lower, upper, shade in ((0, 6, 0.15), (1, 5, 0.3)):
    label = f"{LEVELS[upper] - LEVELS[lower]:.0%} band"
    axis.fill_between(
        future, ahead.quantiles[lower], ahead.quantiles[upper], color="#1f5fa8", alpha=shade, linewidth=0, label=label
    )
axis.plot(future, ahead.mean, color="#1f5fa8", linewidth=1.6, label="forecast")
axis.legend(frameon=False, ncols=4, fontsize=8, loc="upper left")
axis.spines[["top", "right"]].set_visible(False)
axis.set_title("and the promise about the days that have not happened", loc="left", fontsize=10)
plt.show()

# %% [markdown]
# ## What must hold
#
# The first assertion is the one that matters: whatever is computed at an origin must come out the same when the days
# after it are cut away. A backtest that fails it has looked into the future, and its good numbers mean nothing.

# %%
for name in sorted(tried.points):
    row = len(tried.origins) - 1
    reach = min(horizon_h, len(history) - tried.origins[row])
    alone = models.candidate(name).points(history.until(tried.origins[row]), reach)
    assert np.allclose(alone, tried.points[name][row, :reach], equal_nan=True), f"{name} has looked into the future"

# %%
assert abs(scores[BASELINE] - 1) < 1e-9, "seasonal-naive is the measure and must be 1"
assert np.allclose(sum(chosen.weights.values()), 1), "the weights of a median must sum to 1 in every stretch"
assert (np.diff(ahead.quantiles, axis=0) >= 0).all(), "quantiles cross"
assert (ahead.quantiles >= history.lower).all(), "a forecast lies below what the metric can be"
assert 0.3 <= coverage <= 1, f"a band of 80 % that holds {coverage:.0%} is no band"

# %%
write_json(
    backtest,
    {
        "service": service,
        "metric": metric,
        "best": ranking[0],
        "best_ratio": round(scores[ranking[0]], 6),
        "auto": ahead.model,
        "auto_ratio": None if chosen.ratio is None else round(chosen.ratio, 6),
        "coverage_80": round(coverage, 6),
        "origins": len(tried.origins),
        "ratios": {name: round(scores[name], 6) for name in ranking},
    },
)
