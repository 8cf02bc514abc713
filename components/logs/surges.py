"""Templates that are new or multiplied within five minutes, compared with the hours before them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import polars as pl

from components.core.times import TIME_DTYPE, Window
from components.logs.change import MIN_FACTOR
from components.logs.counting import SLOT

_KEY = ("service", "severity", "template_id")
#: With less to compare with, everything would look new.
_LEAST_HISTORY = timedelta(hours=3)


def find_surges(
    counts: pl.DataFrame, window: Window, covered: Sequence[Window], compared: timedelta, max_p_value: float
) -> pl.DataFrame:
    """Rows of table `log_changes` for the five-minute slots of `window`.

    counts: `log_counts` of the window and of the time `compared` before it; covered: the windows that were counted.
    A slot is compared with what came before it alone, so the rows do not depend on how the time was cut. The test is
    the exact one of two Poisson rates, corrected (Bonferroni) for the templates of the slot.
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
    return found.select("timestamp", *_KEY, "template", "change", "count", "expected", "example")


def _slots(rows: pl.DataFrame, covered: Sequence[Window], compared: timedelta) -> pl.DataFrame:
    """How many counted slots lie within `compared` before each instant."""
    times: list[datetime] = rows["timestamp"].unique().sort().to_list()
    slots = [sum(_overlap(part, Window(time - compared, time)) for part in covered) for time in times]
    return pl.DataFrame({"timestamp": times, "slots": slots}, schema={"timestamp": TIME_DTYPE, "slots": pl.Float64})


def _overlap(one: Window, other: Window) -> float:
    return max(timedelta(), min(one.end, other.end) - max(one.start, other.start)) / SLOT
