# %% [markdown]
# # Reading drift
#
# Every night `quality.drift` compares the last days of your metrics with the days before and reports a *distance* for
# each. When enough of them moved, models are trained again. This notebook is for the morning after: it takes the
# report apart until you can say what moved, whether it matters, and whether retraining is the right answer. Most
# drift is one of three things: a different day of the week, steady growth, or a real change. Only the last is news.
#
# **Inputs**
# - `lake` (lake): features, as `features.build` leaves them
# - `drift` (json): the report of `quality.drift`
#
# **Outputs**
# - `reading` (json): how much moved, which metrics most, and how far ordinary days lie apart anyway
#
# **Resources**
# - cpu: 1
# - memory_mb: 1024
# - cell_timeout_s: 300

# %% tags=["parameters"]
lake: str = "../.traceo/lake"
drift: str = "../.traceo/notebooks/drift.json"
reading: str = "../.traceo/notebooks/reading.json"
most: int = 8  # series listed and drawn, [1, 40]
history_days: int = 14  # days before the report against which its distances are put, [2, 60]

# %% [markdown]
# ## What the report says
#
# The distance is the *normed Wasserstein distance*: how far, on average, you would have to move the values of the one
# window to make them look like those of the other, in standard deviations of the first. 0 is "the same values", 0.1
# is invisible, 1 is "as far apart as the metric usually swings".

# %%
from datetime import timedelta

import matplotlib.pyplot as plt
import numpy as np
import polars as pl

from components.core.lake import Lake
from components.core.times import Window, parse_instant
from components.notebook.artifacts import read_json, write_json
from components.quality import comparison

report = read_json(drift)
assert not report["abstained"], f"nothing was compared: {report['reason']}"
reference, current = (Window(*map(parse_instant, report[side])) for side in ("reference", "current"))
moved = pl.DataFrame(report["columns"]).with_columns(
    drifted=pl.col("distance") > pl.col("threshold"),
    service=pl.col("series").str.replace(r"/[^/]*$", ""),
    metric=pl.col("series").str.extract(r"([^/]*)$"),
)
print(f"{reference.start:%a %d %b %H:%M} to {reference.end:%a %d %b %H:%M} against the same length from then on")
print(f"{moved['drifted'].sum()} of {len(moved)} series drifted; retraining is asked for at {report['threshold']:.0%}")

# %% [markdown]
# ## Seeing a distance
#
# Numbers become judgement when you have seen a few of them. Left, a series that moved as far as any; right, one that
# did not. Each curve is the distribution of the hourly means of one window, in units of the reference's spread.

# %%
wanted = Window(reference.start, current.end)
features = Lake(lake).scan("features", wanted).select("timestamp", "service", "metric", "mean").collect()
hours = int(current.length / timedelta(hours=1))
pairs = comparison.paired(
    comparison.hourly(features.lazy(), reference), comparison.hourly(features.lazy(), current), hours
)
furthest = moved.sort("distance", "series", descending=[True, False]).head(most)
nearest = moved.sort("distance", "series").row(0, named=True)

# %% tags=["plot"]
figure, axes = plt.subplots(1, 2, figsize=(11, 3.2), layout="constrained")
for axis, row in zip(axes, (furthest.row(0, named=True), nearest), strict=True):
    before, after = pairs[row["series"]]
    edges = np.histogram_bin_edges(np.concatenate([before, after]), bins=24)
    axis.hist(before, edges, color="0.6", alpha=0.7, label="reference")
    axis.hist(after, edges, color="#1f5fa8", alpha=0.6, label="current")
    axis.set_title(f"{row['series']}: distance {row['distance']:.2f}", fontsize=10, loc="left")
    axis.set_xlabel("hourly mean, in standard deviations of the reference")
    axis.spines[["top", "right"]].set_visible(False)
axes[0].legend(frameon=False)
plt.show()

# %% [markdown]
# ## Where it moved
#
# One hot column is one service: look for its deployment. One hot row is one metric everywhere: traffic, a new
# exporter, a changed unit. A picture that is warm all over usually means that the two windows are not comparable,
# for instance a Sunday against a Monday.

# %%
services = moved["service"].unique().sort().to_list()
by_metric = (
    moved.group_by("metric").agg(pl.col("distance").median()).sort("distance", "metric", descending=[True, False])
)
metrics = by_metric["metric"].to_list()
grid = np.full((len(metrics), len(services)), np.nan)
for owner, metric, distance in moved.select("service", "metric", "distance").iter_rows():
    grid[metrics.index(metric), services.index(owner)] = distance

# %% tags=["plot"]
figure, axis = plt.subplots(figsize=(9.5, 5.6), layout="constrained")
image = axis.imshow(grid, cmap="YlOrRd", vmin=0, vmax=2, aspect="auto")
axis.set_xticks(range(len(services)), services, rotation=40, ha="right")
axis.set_yticks(range(len(metrics)), metrics)
axis.tick_params(length=0)
axis.spines[:].set_visible(False)
figure.colorbar(image, label="distance (2 and more are dark)", shrink=0.7)
plt.show()
furthest.select("series", pl.col("distance", "threshold").round(2))

# %% [markdown]
# ## Is that a lot?
#
# A distance means nothing without knowing how far ordinary days lie apart. So put every day of the past next to every
# other: the colour is the distance of the *typical* series, measured in the same way. Weekends show as a lattice,
# growth as a slow fade away from the diagonal, a real change as a block that begins on one day and stays.

# %%
start = current.end - timedelta(days=history_days)
past = (
    Lake(lake).scan("features", Window(start, current.end)).select("timestamp", "service", "metric", "mean").collect()
)
wide = comparison.hourly(past.lazy(), Window(start, current.end))
every = pl.DataFrame({"hour": pl.arange(0, 24 * history_days, eager=True, dtype=pl.Int32)})
known = every.join(wide, on="hour", how="left").drop("hour").to_numpy().reshape(history_days, 24, -1)
full = np.isfinite(known).all(axis=1).mean(axis=1) > 0.5
values = known[full]
steady = np.isfinite(values).all(axis=(0, 1))
ordered = np.sort(values[:, :, steady], axis=1)
spread = values[:, :, steady].std(axis=1)
spread = np.where(spread > 0, spread, 0.01 * np.abs(values[:, :, steady].mean(axis=1)) + 1e-12)
# Two samples of the same size: moving sorted value to sorted value is the cheapest way.
apart = np.abs(ordered[:, None] - ordered[None, :]).mean(axis=2) / spread[:, None]
typical = np.median(apart, axis=2)
dates = [start + timedelta(days=int(day)) for day in np.flatnonzero(full)]
ordinary = float(np.median(typical[~np.eye(len(dates), dtype=bool)])) if len(dates) > 1 else None

# %% tags=["plot"]
figure, axis = plt.subplots(figsize=(6.4, 5.2), layout="constrained")
image = axis.imshow(typical, cmap="Blues", vmin=0)
labels = [f"{date:%a %d}" for date in dates]
axis.set_xticks(range(len(labels)), labels, rotation=60, ha="right", fontsize=8)
axis.set_yticks(range(len(labels)), labels, fontsize=8)
axis.spines[:].set_visible(False)
axis.set_title("how far the days lie apart", loc="left", fontsize=10)
figure.colorbar(image, label="median distance over all series", shrink=0.7)
plt.show()

# %% [markdown]
# ## What to do with it
#
# * **The lattice explains it** (a weekday against a weekend): compare whole weeks, that is what `days = 7` is for.
# * **Disks and memory lead the list, evenly**: growth. Forecasts follow it by themselves; retraining changes little.
# * **One service or one metric stands out**: a change. Find it before retraining, or the model learns the incident.
#
# ## What must hold
#
# The report must follow from the lake: whoever doubts a distance can compute it again, and here we do.

# %%
for row in furthest.iter_rows(named=True):
    before, after = (np.sort(side.to_numpy()) for side in pairs[row["series"]])
    # Evidently, which computed the report, takes the spread of the whole window rather than of a sample.
    again = float(np.abs(before - after).mean() / max(before.std(), 0.001))
    assert abs(again - row["distance"]) < 1e-5, f"{row['series']}: {again} from the lake, {row['distance']} reported"

# %%
assert reference.end == current.start, "the two windows do not touch"
assert reference.length == current.length, "the two windows differ in length"
assert set(moved.filter(pl.col("drifted"))["series"]) == set(report["drifted"]), "the report contradicts itself"
assert abs(moved["drifted"].mean() - report["share"]) < 1e-9, "the share is not that of the list"
assert np.allclose(np.diagonal(typical), 0), "a day differs from itself"

# %%
write_json(
    reading,
    {
        "share": report["share"],
        "exceeded": report["exceeded"],
        "median_distance": round(float(np.median(moved["distance"].to_numpy())), 6),
        "ordinary_distance": None if ordinary is None else round(ordinary, 6),
        "weekdays": f"{reference.start:%A} to {current.start:%A}",
        "metrics": {metric: round(distance, 6) for metric, distance in by_metric.iter_rows()},
        "furthest": furthest["series"].to_list(),
    },
)
