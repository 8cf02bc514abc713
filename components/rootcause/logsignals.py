"""What log lines say about a service: templates that are new or came far more often, and how severe they are."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import polars as pl

from components.rootcause.periods import Periods

#: Digits and long hex words are what differs between lines of one template; a mask this plain is fast.
_VARIABLE = r"[0-9a-fA-F]{8,}|[0-9]+"
_SEVERE = re.compile(r"err|fatal|crit|severe|alert|emerg|panic", re.IGNORECASE)
_WARNING = re.compile(r"warn", re.IGNORECASE)
_SPEAKS_OF_FAILURE = re.compile(
    r"error|exception|fail|refused|timed? ?out|panic|fatal|denied|unavailable|out of memory", re.I
)
_MAX_CHARS = 400
_MIN_LINES = 3


@dataclass(frozen=True)
class LogChange:
    """One template of one service: lines in the incident, lines expected from the normal period, gravity 0 to 2."""

    service: str
    template: str
    severity: str
    count: int
    expected: float
    gravity: int
    first_s: float

    @property
    def surprise(self) -> float:
        """Poisson deviations: excess over expectation in units of its standard deviation, at least one line's."""
        return (self.count - self.expected) / float(np.sqrt(max(self.expected, 1.0)))


def counted(logs: pl.DataFrame) -> pl.DataFrame:
    """Lines as counts per template and time: timestamp, service, severity, template, count."""
    template = pl.col("body").fill_null("").str.head(_MAX_CHARS).str.replace_all(_VARIABLE, "<*>").alias("template")
    return logs.select(
        "timestamp", "service", pl.col("severity").fill_null(""), template, pl.lit(1, pl.Int64).alias("count")
    )


def log_changes(counts: pl.DataFrame, when: Periods, step_s: float) -> list[LogChange]:
    """Templates that came at least twice as often as expected in the incident, most surprising first.

    Needs lines in the normal period: without one nothing is known to be new. `step_s` is the width of the slots
    that the counts were made in (0 for single lines).
    """
    timed = counts.with_columns((pl.col("timestamp").dt.epoch("us") / 1e6).alias("at"))
    lead = when.lead(step_s)
    begin, end = when.noticed - lead - step_s, min(when.end, when.noticed + max(when.horizon_s, step_s))
    normal = timed.filter(pl.col("at") >= when.normal_start, pl.col("at") < when.noticed - 2 * lead - step_s)
    if normal.is_empty():
        return []
    first, last = normal["at"].min(), normal["at"].max()
    assert isinstance(first, float)
    assert isinstance(last, float)
    share = (end - begin) / max(last - first + step_s, end - begin, 1.0)
    keys = ["service", "severity", "template"]
    before = normal.group_by(keys).agg((pl.col("count").sum() * share).alias("expected"))
    during = timed.filter(pl.col("at") >= begin, pl.col("at") <= end)
    now = during.group_by(keys).agg(pl.col("count").sum(), pl.col("at").min().alias("first"))
    both = now.join(before, on=keys, how="left").with_columns(pl.col("expected").fill_null(0.0))
    risen = both.filter(pl.col("count") >= _MIN_LINES, pl.col("count") >= 2 * pl.col("expected") + 1)
    changes = [
        LogChange(r["service"], r["template"], r["severity"], r["count"], r["expected"], _gravity(r), r["first"])
        for r in risen.iter_rows(named=True)
    ]
    return sorted(changes, key=lambda c: (-c.surprise * (1 + c.gravity), c.service, c.template))


def _gravity(row: dict[str, str]) -> int:
    if _SEVERE.search(row["severity"] or "") or _SPEAKS_OF_FAILURE.search(row["template"]):
        return 2
    return 1 if _WARNING.search(row["severity"] or "") else 0
