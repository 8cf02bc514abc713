# %% [markdown]
# # Walking through one incident
#
# An incident is a story: something changed, something gave way, something else suffered from it, somebody noticed.
# Traceo tells it in one line; this notebook tells it in full, from the first sample that was out of line to the cause
# and the hypotheses that were dropped. Use it for a post-mortem, or to decide whether you believe the one line.
#
# **Inputs**
# - `lake` (lake): incidents and their diagnoses, as `actions.correlate` and `rootcause.diagnose` leave them
#
# **Outputs**
# - `story` (json): what was noticed, when, what caused it, and what else was considered
#
# **Resources**
# - cpu: 1
# - memory_mb: 1024
# - cell_timeout_s: 300

# %% tags=["parameters"]
lake: str = "../.traceo/lake"
story: str = "../.traceo/notebooks/story.json"
incident: str = ""  # id of the incident; empty: the newest one with a diagnosed cause
before_h: float = 2.0  # hours drawn before it began, [0.5, 24]
after_h: float = 1.0  # hours drawn after it was over, [0, 24]

# %% [markdown]
# ## The one line
#
# Every five minutes the anomalies, forecasts and log surprises of all services are joined into incidents: what
# happens at the same time in services that call each other is one incident, not twelve alerts.

# %%
import json
from datetime import timedelta

import matplotlib.pyplot as plt
import numpy as np
import polars as pl

from components.core.errors import NotYetError
from components.core.lake import Lake
from components.core.times import Window, iso, parse_instant
from components.notebook.artifacts import write_json

telemetry = Lake(lake)
diagnosed = telemetry.read_snapshot("incidents").join(
    telemetry.read_snapshot("diagnoses").drop("as_of"), on="incident_id"
)
explained = diagnosed.filter(~pl.col("abstained")).sort("started_at", "incident_id", descending=True)
if explained.is_empty():
    raise NotYetError("no incident has a diagnosed cause yet; a later run will find one")
assert not incident or incident in explained["incident_id"], f"no diagnosed incident {incident!r} in the lake"
told = explained.filter(pl.col("incident_id") == (incident or explained["incident_id"][0])).row(0, named=True)
causes = json.loads(told["causes"])
evidence = json.loads(told["evidence"])
began, noticed = told["started_at"], told["detected_at"]
over = told["resolved_at"] or telemetry.watermark("metrics")
assert over is not None, "the lake has incidents and no metrics: ingest again"
print(f"{told['incident_id']}, {told['severity']}, {told['status']}: {told['title']}")
print(f"began {began:%a %d %b %H:%M}, noticed after {(noticed - began) / timedelta(minutes=1):.0f} min", end=", ")
print(f"over after {(over - began) / timedelta(minutes=1):.0f} min")

# %% [markdown]
# ## What happened when
#
# The timeline was written while it happened. Deployments and configuration changes of the services involved stand in
# it as well: the question "what did we change?" deserves an answer before anybody looks at a graph.

# %%
involved = sorted({told["service"], *(item["service"] for item in evidence), *(c["service"] for c in causes[:3])})
drawn = Window(began - timedelta(hours=before_h), over + timedelta(hours=after_h))
changes = telemetry.read("changes", drawn).filter(pl.col("service").is_in(involved))
events = [(parse_instant(item["time"]), item["text"]) for item in json.loads(told["timeline"])]
timeline = pl.DataFrame(sorted(events), schema=["time", "what"], orient="row")
timeline.with_columns(pl.col("time").dt.strftime("%H:%M"))

# %% [markdown]
# ## What gave way
#
# The series that stand as evidence, one below the other on one clock. Red is the time of the incident, the dotted
# lines are changes. Read them from the left: the series that leaves its usual path first is closer to the cause than
# the one that leaves it furthest.

# %%
strongest: dict[tuple[str, str], float] = {}
for item in evidence:
    if item["kind"] == "anomaly":
        key = (item["service"], item["metric"])
        strongest[key] = max(strongest.get(key, 0.0), float(item.get("score") or 0.0))
for cause in causes[:2]:
    if cause.get("metric"):
        strongest.setdefault((cause["service"], cause["metric"]), 0.0)
features = telemetry.read("features", drawn)
series = {}
for owner, metric in sorted(strongest, key=lambda key: (-strongest[key], key))[:6]:
    rows = features.filter(pl.col("service") == owner, pl.col("metric") == metric)
    if len(rows):
        series[f"{owner}/{metric}"] = rows.select("timestamp", "mean")

# %% tags=["plot"]
lines = max(1, len(series))
figure, axes = plt.subplots(lines, 1, figsize=(11, 1.5 * lines + 0.5), sharex=True, layout="constrained", squeeze=False)
for axis, (name, rows) in zip(axes[:, 0], series.items(), strict=False):
    axis.plot(rows["timestamp"], rows["mean"], color="#1f4e79", linewidth=1.1)
    axis.axvspan(began, over, color="#b3261e", alpha=0.1, linewidth=0)
    axis.axvline(noticed, color="#b3261e", linewidth=1)
    for moment in changes["timestamp"]:
        axis.axvline(moment, color="0.4", linewidth=1, linestyle=":")
    axis.set_title(name, loc="left", fontsize=9)
    axis.spines[["top", "right"]].set_visible(False)
figure.suptitle("red: the incident, the line is when it was noticed; dotted: changes", fontsize=10)
plt.show()

# %% [markdown]
# ## Who could be the cause
#
# Services call each other, so trouble travels: a slow database makes everything above it slow. Root-cause analysis
# ranks each service by how far it moved *and was not explained by one of its own callees*, how early, and whether
# it was changed shortly before. The bars are scores that order the candidates. They are not probabilities.

# %% tags=["plot"]
figure, axis = plt.subplots(figsize=(8, 0.5 * len(causes[:5]) + 0.9), layout="constrained")
ranked = list(reversed(causes[:5]))
names = [f"{c['service']} ({c['kind']})" for c in ranked]
axis.barh(names, [c["score"] for c in ranked], color=["0.75"] * (len(ranked) - 1) + ["#b3261e"])
axis.set_xlim(0, 1)
axis.set_xlabel("score")
axis.spines[["top", "right"]].set_visible(False)
plt.show()

# %% [markdown]
# ## Why this one
#
# A cause without reasons is an oracle. Here is what speaks for the first one, and why the next ones were put behind
# it. *Association* means that it moved when the incident began; *intervention* means that a change of the same
# service preceded it and the series before and after differ by more than their noise.

# %%
first = causes[0]
print(f"{first['service']}: {first['kind']}, shown best by {first.get('metric')} ({first['level']})\n")
for item in first["evidence"]:
    print(("against others: " if item["type"] == "refuted" else "for it: ") + item["text"])
print(f"\nwhat to do: {told['recommendation'] or 'nothing is known'}")

# %% [markdown]
# ## What must hold
#
# A story can be told wrongly. These are the ways in which it would contradict its own evidence.

# %%
assert began <= noticed <= over, "it was noticed outside of its own time"
assert evidence, "an incident without evidence"
assert all(parse_instant(item["start"]) <= over for item in evidence), "evidence from after the incident"
assert [c["score"] for c in causes] == sorted((c["score"] for c in causes), reverse=True), "the causes are not in order"
assert all(0 <= c["score"] <= 1 for c in causes), "a score is no share"
assert first["evidence"], "the first cause has no reasons"
assert series, "no series of the evidence is in the lake"

# %% [markdown]
# And the claim at the heart of it: the metric named as the cause's really did leave its usual path. Compare its
# farthest value during the incident with its spread in the hours before.

# %%
shown = features.filter(pl.col("service") == first["service"], pl.col("metric") == (first.get("metric") or ""))
calm = shown.filter(pl.col("timestamp") < began - timedelta(minutes=5))["mean"].to_numpy()
during = shown.filter(pl.col("timestamp").is_between(began - timedelta(minutes=5), over))["mean"].to_numpy()
deviations = None
if len(calm) >= 12 and len(during):
    usual = np.median(calm)
    spread = max(1.4826 * np.median(np.abs(calm - usual)), 0.01 * abs(usual), 1e-9)
    deviations = float(np.max(np.abs(during - usual)) / spread)
    assert deviations > 3, f"{first['metric']} stayed within {deviations:.1f} of its usual spreads"

# %%
write_json(
    story,
    {
        "incident": told["incident_id"],
        "title": told["title"],
        "began": iso(began),
        "minutes_until_noticed": (noticed - began) / timedelta(minutes=1),
        "minutes": (over - began) / timedelta(minutes=1),
        "cause": first["service"],
        "kind": first["kind"],
        "level": first["level"],
        "deviations": None if deviations is None else round(deviations, 3),
        "considered": [cause["service"] for cause in causes if cause["score"] > 0],
        "changes": changes.height,
    },
)
