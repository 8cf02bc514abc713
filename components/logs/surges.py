"""Templates that are new or multiplied within five minutes, compared with the hours before them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import polars as pl

from components.core.times import TIME_DTYPE, Window
from components.logs.change import MIN_FACTOR
from components.logs.clustering import cluster_templates
from components.logs.counting import SLOT

_KEY = ("service", "severity", "template_id")
#: With less to compare with, everything would look new.
_LEAST_HISTORY = timedelta(hours=3)
# Cosine distance within which two of them say nearly the same.
_DISTANCE = 0.4


def find_surges(
    counts: pl.DataFrame, window: Window, covered: Sequence[Window], compared: timedelta, max_p_value: float
) -> pl.DataFrame:
    """Rows of table `log_changes` for the five-minute slots of `window`.

    counts: `log_counts` of the window and of the time `compared` before it; covered: the windows that were counted.
    A slot is compared with what came before it alone, so the rows do not depend on how the time was cut. The test is
    the exact one of two Poisson rates, corrected (Bonferroni) for the templates of the slot. Templates that surge in
    one slot and say nearly the same are one `cluster`.
    """
    from scipy.special import bdtrc

    before = pl.col("count").rolling_sum_by("timestamp", window_size=compared, closed="left").over(_KEY)
    rows = counts.sort("timestamp", *_KEY).with_columns(before.fill_null(0).alias("before"))
    rows = rows.filter(pl.col("timestamp") >= window.start, pl.col("timestamp") < window.end)
    rows = rows.join(_slots(rows, covered, compared), on="timestamp", how="left", maintain_order="left")
    rows = rows.filter(pl.col("slots") >= _LEAST_HISTORY / SLOT)
    total = (rows["count"] + rows["before"]).to_numpy()
    p_values = bdtrc(rows["count"].to_numpy() - 1, total, 1 / (rows["slots"].to_numpy() + 1))
    rows = rows.with_columns(
        pl.Series("p_value", p_values, dtype=pl.Float64) * pl.len().over("timestamp"),
        (pl.col("before") / pl.col("slots")).alias("expected"),
        pl.when(pl.col("before") == 0).then(pl.lit("new")).otherwise(pl.lit("multiplied")).alias("change"),
    )
    found = rows.filter(pl.col("p_value") <= max_p_value, pl.col("count") >= MIN_FACTOR * pl.col("expected"))
    clusters = [_clusters(slot) for _, slot in found.group_by("timestamp", maintain_order=True)]
    trace = pl.col("trace_id") if "trace_id" in found.columns else pl.lit(None, pl.String).alias("trace_id")
    columns = [pl.col(name) for name in ("timestamp", *_KEY, "template", "change", "count", "expected", "example")]
    named = pl.concat(clusters) if clusters else pl.Series("cluster", [], dtype=pl.String)
    return found.select(*columns, trace).with_columns(named)


def _clusters(slot: pl.DataFrame) -> pl.Series:
    """The cluster of each row of one slot: the id of its most frequent template."""
    templates = slot.group_by("template_id", "template").agg(pl.col("count").sum()).sort("template_id")
    label = cluster_templates(templates, _DISTANCE, 1)
    first = pl.col("template_id").sort_by("count", "template_id", descending=[True, False]).first().over(label)
    return slot.join(templates.select("template_id", cluster=first), on="template_id", how="left")["cluster"]


def _slots(rows: pl.DataFrame, covered: Sequence[Window], compared: timedelta) -> pl.DataFrame:
    """How many counted slots lie within `compared` before each instant."""
    times: list[datetime] = rows["timestamp"].unique().sort().to_list()
    slots = [sum(_overlap(part, Window(time - compared, time)) for part in covered) for time in times]
    return pl.DataFrame({"timestamp": times, "slots": slots}, schema={"timestamp": TIME_DTYPE, "slots": pl.Float64})


def _overlap(one: Window, other: Window) -> float:
    return max(timedelta(), min(one.end, other.end) - max(one.start, other.start)) / SLOT
