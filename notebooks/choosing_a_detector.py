# %% [markdown]
# # Choosing an anomaly detector for your metric
#
# There is no best anomaly detector, only a best one for a given metric. The usual way to choose, by looking at a few
# old incidents, flatters whatever raised an alarm that day. This notebook does it in the open: it takes one metric of
# yours, hides known anomalies in days that no detector has learned from, and counts who finds them and at what price
# in false alarms. A trailing z-score, the rule of thumb that everybody starts with, runs along as the bar to pass.
#
# **Inputs**
# - `lake` (lake): features, as `features.build` leaves them
#
# **Outputs**
# - `choice` (json): the detector to take, and precision and false alarms of each
#
# **Resources**
# - cpu: 1
# - memory_mb: 1024
# - cell_timeout_s: 300

# %% tags=["parameters"]
lake: str = "../.traceo/lake"
choice: str = "../.traceo/notebooks/choice.json"
service: str = "checkout"  # whose metric
metric: str = "latency_p99_trend"  # the metric to find a detector for
days: int = 14  # days of history, the newest one or two are held out, [3, 60]
trials: int = 12  # anomalies hidden in the held-out days, one at a time, [3, 100]
accepted_per_week: float = 2.0  # false alarms a week that you would put up with, [0, 100]
seed: int = 0  # fixes kind, place and size of the hidden anomalies, [0, 1000000]

# %% [markdown]
# ## The metric
#
# First look, then compute. The grey days are history: every detector learns from them. The blue ones are held out:
# anomalies will be hidden there, and nothing is ever learned from them.

# %%
from datetime import timedelta

import matplotlib.pyplot as plt
import numpy as np
import polars as pl

from components.anomaly import calibration, detectors, validation
from components.anomaly.detector import Tuning
from components.anomaly.injection import inject
from components.anomaly.model import features_panel
from components.anomaly.panel import DAY_US, HOUR_US, WEEK_US
from components.core.lake import Lake
from components.core.times import Window
from components.notebook.artifacts import write_json

telemetry = Lake(lake)
now = telemetry.watermark("features")
assert now is not None, "the lake holds no features yet: run features.build first"
features = telemetry.read("features", Window(now - timedelta(days=days), now))
rows = features.filter(pl.col("service") == service, pl.col("metric") == metric)
assert len(rows) > 0, f"no metric {metric!r} of {service!r} in the lake; choose one of its features"
panel = features_panel(rows)
known_days = (panel.times[-1] - panel.times[0]) / DAY_US
held_out_days = 2 if known_days >= 5 else 1
start = int(np.searchsorted(panel.times, panel.times[-1] + panel.step_us() - held_out_days * DAY_US))
past = panel.rows(0, start)
assert start >= 288, "less than a day of history before the held-out days: choose more days"

# %% tags=["plot"]
figure, axis = plt.subplots(figsize=(11, 3), layout="constrained")
times = panel.times.astype("datetime64[us]")
axis.plot(times[:start], panel.values[:start, 0], color="0.45", linewidth=0.8, label="history")
axis.plot(times[start:], panel.values[start:, 0], color="#1f5fa8", linewidth=0.8, label="held out")
axis.set_ylabel(metric)
axis.legend(frameon=False, ncols=2, loc="upper left")
axis.spines[["top", "right"]].set_visible(False)
plt.show()

# %% [markdown]
# ## The candidates
#
# * **zscore** compares a row with the mean of the hours before it. It knows no time of day.
# * **seasonal** learns the usual level for each time of day (and week, once it has seen enough of them) and how noisy
#   the metric is around it.
# * **isolation_forest** learns which *shapes* are common, in short stretches of rows; it needs no idea of normal.
# * **auto** lets the last two vote.
#
# All of them give a score on the same scale: **more than 1 is an anomaly**, and 1 is put where history would have
# raised half a false alarm a week. That makes them comparable, and it is where a threshold chosen by hand goes wrong.

# %%
tuning = Tuning(seed=seed)
fitted = {}
for name in detectors.names():
    detector = detectors.create(name, tuning)
    detector.fit(past)
    fitted[name] = detector
sorted(fitted)

# %% [markdown]
# ## The trial
#
# One anomaly at a time is hidden in a copy of the held-out days: a spike, a shift of the level, a creeping trend, a
# burst of noise or a flat line, five to fifteen times as large as the metric's own noise. A detector scores every row
# without knowing which ones were altered.
#
# *Average precision* then asks: if you went through the rows from the highest score downwards, how clean would your
# list be until the anomaly is found? 1 is perfect; a detector that guesses gets the share of altered rows, a few
# percent.

# %%
context = int(np.searchsorted(panel.times, panel.times[start] - DAY_US))
around = panel.rows(context, len(panel))
skip = start - context
precisions: dict[str, list[float]] = {name: [] for name in fitted}
examples = []
for trial in range(trials):
    spoilt, labels = inject(around, skip, seed + trial)
    scored = {name: detector.score(spoilt).columns[skip:, 0] for name, detector in fitted.items()}
    for name, scores in scored.items():
        precisions[name].append(validation.average_precision(labels[skip:, 0], scores))
    examples.append((spoilt, labels, scored))
random_guess = float(np.mean([labels[skip:].mean() for _, labels, _ in examples]))

# %% [markdown]
# One of the trials, to see what was asked. The red rows were altered; below them, what each detector had to say about
# it, on the common scale.

# %% tags=["plot"]
spoilt, labels, scored = examples[0]
hours = spoilt.times[skip:].astype("datetime64[us]")
figure, (top, bottom) = plt.subplots(2, 1, figsize=(11, 5), sharex=True, layout="constrained")
top.plot(hours, around.values[skip:, 0], color="0.75", linewidth=0.8, label="as it was")
top.plot(hours, spoilt.values[skip:, 0], color="#1f5fa8", linewidth=0.8, label="as it was shown")
hidden = np.where(labels[skip:, 0], spoilt.values[skip:, 0], np.nan)
top.plot(hours, hidden, color="#b3261e", linewidth=2, label="hidden anomaly")
top.legend(frameon=False, ncols=3, fontsize=8, loc="upper left")
top.set_ylabel(metric)
for name, scores in scored.items():
    bottom.plot(hours, np.minimum(scores, 6), linewidth=1, label=name)
bottom.axhline(1, color="black", linewidth=0.8, linestyle=":")
bottom.set_ylabel("score (up to 6)")
bottom.legend(frameon=False, ncols=4, fontsize=8, loc="upper left")
for axis in (top, bottom):
    axis.spines[["top", "right"]].set_visible(False)
plt.show()

# %% [markdown]
# ## The price
#
# Finding anomalies is easy if alarms are free. So the same detectors score the held-out days *as they were*. These
# days may hold real incidents, which is why the count is an upper bound of the false alarms, not an estimate.

# %%
pause = HOUR_US
weeks = (len(panel) - start) * panel.step_us() / WEEK_US
alarms = {}
for name, detector in fitted.items():
    quiet = detector.score(around).columns[skip:, 0]
    events = calibration.number_events(panel.times[start:], quiet > 1, pause)
    alarms[name] = float(events.max(initial=0) / weeks)
table = pl.DataFrame(
    {
        "detector": list(fitted),
        "average_precision": [float(np.mean(precisions[name])) for name in fitted],
        "worst_trial": [min(precisions[name]) for name in fitted],
        "alarms_per_week": [alarms[name] for name in fitted],
    }
).sort("average_precision", "detector", descending=[True, False])
table.with_columns(pl.selectors.float().round(3))

# %% tags=["plot"]
figure, axis = plt.subplots(figsize=(9, 3.2), layout="constrained")
for place, name in enumerate(reversed(table["detector"].to_list())):
    axis.plot(precisions[name], [place] * trials, "o", color="#1f5fa8", alpha=0.35, markersize=7, markeredgewidth=0)
    axis.plot(np.mean(precisions[name]), place, "|", color="#b3261e", markersize=22, markeredgewidth=2.5)
axis.axvline(random_guess, color="0.5", linestyle=":", linewidth=1)
axis.annotate("guessing", (random_guess, 0.02), (4, 0), xycoords=("data", "axes fraction"), textcoords="offset points")
axis.set_yticks(range(len(table)), list(reversed(table["detector"].to_list())))
axis.set_ylim(-0.6, len(table) - 0.4)
axis.set_xlim(-0.03, 1.03)
axis.set_xlabel("average precision: a dot per trial, red the mean")
axis.spines[["top", "right"]].set_visible(False)
plt.show()

# %% [markdown]
# ## The choice
#
# Take the highest mean precision among the detectors whose alarms you would put up with; if none is quiet enough, the
# quietest one. Then look at the dots above once more: where two detectors' dots cover the same range, the difference
# of their means is luck, and the simpler one is the better choice.

# %%
affordable = table.filter(pl.col("alarms_per_week") <= accepted_per_week)
ranked = affordable if len(affordable) else table.sort("alarms_per_week", "average_precision", descending=[False, True])
best = ranked.row(0, named=True)
baseline = table.filter(pl.col("detector") == validation.BASELINE).row(0, named=True)
print(f"{service}/{metric}: take {best['detector']}, average precision {best['average_precision']:.2f}", end=" ")
print(f"against {baseline['average_precision']:.2f} of the z-score, {best['alarms_per_week']:.1f} alarms a week")

# %% [markdown]
# ## What must hold
#
# A comparison is worth as much as its hygiene. The hidden anomalies must really be there, the detectors must not have
# seen them, and a score must not change because of what happened later.

# %%
assert all(labels[skip:].any() for _, labels, _ in examples), "a trial hid nothing"
assert not any(labels[:skip].any() for _, labels, _ in examples), "an anomaly was hidden in the history"
assert past.times[-1] < panel.times[start], "a detector has learned from the held-out days"
assert table["average_precision"].is_between(0, 1).all(), "an average precision is no share"
assert best["average_precision"] > random_guess, "the chosen detector does no better than guessing"

# %%
cut = skip + (len(around) - skip) // 2
for name, detector in fitted.items():
    early, late = detector.score(around.rows(0, cut)).columns, detector.score(around).columns
    assert np.array_equal(early, late[:cut], equal_nan=True), f"{name} changed its mind about the past"

# %%
write_json(
    choice,
    {
        "service": service,
        "metric": metric,
        "detector": best["detector"],
        "average_precision": round(best["average_precision"], 6),
        "baseline_average_precision": round(baseline["average_precision"], 6),
        "alarms_per_week": round(best["alarms_per_week"], 6),
        "candidates": table.with_columns(pl.selectors.float().round(6)).to_dicts(),
    },
)
