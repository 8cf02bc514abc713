# %% [markdown]
# # Exploring the lake
#
# Everything Traceo knows about your platform lies in one place, the *lake*: plain Parquet files, one folder per kind
# of telemetry, one file per stretch of time. This notebook opens it for the first time, the way you would walk
# through a new building: which rooms there are, how full they are, whether anything is missing, and what an
# ordinary day looks like. Run it before you trust any model; most surprises in a model are surprises in its data.
#
# **Inputs**
# - `lake` (lake): telemetry and features, as `telemetry.ingest`, `quality.validate` and `features.build` leave them
#
# **Outputs**
# - `inventory` (table): one row per table of the lake: rows, files, first and last instant, hours missing in between
#
# **Resources**
# - cpu: 1
# - memory_mb: 1024
# - cell_timeout_s: 300

# %% tags=["parameters"]
lake: str = "../.traceo/lake"
inventory: str = "../.traceo/notebooks/inventory.parquet"
service: str = "checkout"  # the service whose day is drawn; another one is taken where it is unknown
days: int = 7  # days before the lake's end that are looked at, [1, 60]
allowed_gap_h: float = 0.0  # hours that may be missing within a table before this notebook fails, [0, 1000]

# %% [markdown]
# ## Which rooms there are
#
# Seven tables are written window by window: a window is a stretch of time that is complete or not there at all, so
# "is anything missing" has an exact answer. Counting the rows reads only the files' footers.

# %%
from datetime import timedelta

import matplotlib.pyplot as plt
import numpy as np
import polars as pl

from components.core.lake import Lake
from components.core.times import Window
from components.notebook.artifacts import write_table

telemetry = Lake(lake)
watermark = telemetry.watermark("metrics")
assert watermark is not None, "the lake holds no metrics yet: run telemetry.ingest and quality.validate first"

rows = []
for name in ("metrics", "spans", "logs", "changes", "features", "anomalies", "log_counts"):
    covered = telemetry.coverage(name)
    if not covered:
        continue
    whole = Window(covered[0].start, covered[-1].end)
    missing = sum((gap.length for gap in telemetry.gaps(name, whole)), timedelta())
    rows.append(
        {
            "table": name,
            "rows": telemetry.scan(name).select(pl.len()).collect().item(),
            "files": len(telemetry.partitions(name)),
            "first": whole.start,
            "last": whole.end,
            "missing_h": missing / timedelta(hours=1),
        }
    )
found = pl.DataFrame(rows)
found.with_columns(pl.col("first", "last").dt.strftime("%d %b %Y %H:%M"))

# %% [markdown]
# `last` of *metrics* is the lake's **watermark**: "now", as far as every step of Traceo is concerned. Nothing looks at
# the clock on the wall, which is why a run can be repeated next week with the same result.
#
# ## Who reports what
#
# Metrics arrive every few seconds; `features.build` boils them down to one row per five minutes, service and metric.
# Each dark square below is one series. A square that is paler than its neighbours has fewer rows than it should:
# the service was down, was renamed, or its exporter was.

# %%
span = Window(watermark - timedelta(days=days), watermark)
features = telemetry.read("features", span)
counts = features.group_by("service", "metric").len().sort("service", "metric")
services = counts["service"].unique().sort().to_list()
metrics = counts["metric"].unique().sort().to_list()
expected = int(min(span.length, watermark - features["timestamp"].min()) / timedelta(minutes=5))
share = np.zeros((len(metrics), len(services)))
for owner, metric, number in counts.iter_rows():
    share[metrics.index(metric), services.index(owner)] = number / expected

# %% tags=["plot"]
figure, axis = plt.subplots(figsize=(9, 5.6), layout="constrained")
axis.imshow(share, cmap="Blues", vmin=0, vmax=1.15, aspect="auto")
axis.set_xticks(range(len(services)), services, rotation=40, ha="right")
axis.set_yticks(range(len(metrics)), metrics)
axis.set_xticks(np.arange(len(services)) - 0.5, minor=True)
axis.set_yticks(np.arange(len(metrics)) - 0.5, minor=True)
axis.grid(which="minor", color="white", linewidth=2)
axis.tick_params(which="both", length=0)
axis.spines[:].set_visible(False)
axis.set_title(f"{len(counts)} series, share of five-minute rows present in the last {days} days", loc="left")
plt.show()

# %% [markdown]
# ## An ordinary day
#
# Before asking what is abnormal, see what is normal. Below are the metrics of one service, each hour of the day drawn
# as the band in which it spent the middle 80 % of the last days. A band that swells in the afternoon is the daily
# rhythm of your users; a band that is flat belongs to a resource that does not care about them. Detectors and
# forecasts learn exactly this shape, so a metric without one is judged by its level alone.

# %%
chosen = service if service in services else services[0]
mine = features.filter(pl.col("service") == chosen).with_columns(hour=pl.col("timestamp").dt.hour())
profile = (
    mine.group_by("metric", "hour")
    .agg(
        pl.col("mean").quantile(0.1).alias("low"),
        pl.col("mean").median().alias("middle"),
        pl.col("mean").quantile(0.9).alias("high"),
    )
    .sort("metric", "hour")
)
names = profile["metric"].unique(maintain_order=True).to_list()

# %% tags=["plot"]
columns = 3
lines = -(-len(names) // columns)
figure, axes = plt.subplots(lines, columns, figsize=(11, 1.9 * lines), layout="constrained", squeeze=False)
for axis, name in zip(axes.flat, names, strict=False):
    part = profile.filter(pl.col("metric") == name)
    axis.fill_between(part["hour"], part["low"], part["high"], color="#9ecae1", linewidth=0)
    axis.plot(part["hour"], part["middle"], color="#1f4e79")
    axis.set_title(name, fontsize=9, loc="left")
    axis.set_xticks([0, 6, 12, 18])
    axis.spines[["top", "right"]].set_visible(False)
for axis in axes.flat[len(names) :]:
    axis.set_visible(False)
figure.supxlabel("hour of the day, UTC", fontsize=9)
figure.suptitle(f"{chosen}: middle 80 % by hour of the day")
plt.show()

# %% [markdown]
# ## What people did
#
# Half of all incidents begin with a change. The lake keeps deployments, migrations and configuration changes next to
# the telemetry; root-cause analysis looks there first.

# %%
changes = telemetry.read("changes", span).sort("timestamp", descending=True)
changes.head(8).with_columns(pl.col("timestamp").dt.strftime("%a %d %b %H:%M"))

# %% [markdown]
# ## What must hold
#
# These are the assumptions the rest of Traceo rests on. If one fails, this notebook fails, and its page says where.

# %%
assert {"metrics", "features"} <= set(found["table"]), "metrics and features are the least that models need"
assert found["missing_h"].max() <= allowed_gap_h, f"the lake has holes: {found.filter(pl.col('missing_h') > 0)}"
assert features.select("timestamp", "service", "metric").is_unique().all(), "a feature row stands twice"
assert features["mean"].is_finite().all(), "a feature is not a number"
assert (features["min"] <= features["mean"] + 1e-9).all(), "a mean lies below its minimum"
assert (features["mean"] <= features["max"] + 1e-9).all(), "a mean lies above its maximum"

# %% [markdown]
# ## What to take away
#
# The inventory is the notebook's output: a table that the next run, a dashboard or a colleague can read without
# opening the lake.

# %%
write_table(inventory, found)
