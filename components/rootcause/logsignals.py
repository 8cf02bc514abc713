"""What log lines say about a service: templates that are new or came far more often, and how severe they are."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import polars as pl

from components.rootcause.periods import Periods

#: Ids of several hexadecimal parts, and words with a digit in them, are what differs between lines of one template.
_VARIABLE = r"[0-9a-fA-F]{2,}(?:-[0-9a-fA-F]{2,})+|[0-9A-Za-z]*[0-9][0-9A-Za-z]*"
_SEVERE = re.compile(r"err|fatal|crit|severe|alert|emerg|panic", re.IGNORECASE)
_WARNING = re.compile(r"warn", re.IGNORECASE)
_SPEAKS_OF_FAILURE = re.compile(
    r"error|exception|fail|refused|timed? ?out|panic|fatal|denied|unavailable|out of memory", re.I
)
_MAX_CHARS = 400
_MIN_LINES = 3
#: Stretches of time that tell whether a template is a familiar one or came in a burst.
_STRETCH_S = 300.0
#: Width of the slots that single lines are counted in; what the calmer part of the earlier ones had is usual.
_SLOT_S = 30.0
_CALMER = 0.7


@dataclass(frozen=True)
class LogChange:
    """One template of one service: lines in the incident, lines expected from the normal period, gravity 0 to 2.

    seen: the share of earlier stretches of five minutes in which it came at all: a burst of lines, an earlier incident
    of the same kind, makes no template a familiar one.
    """

    service: str
    template: str
    severity: str
    count: int
    expected: float
    gravity: int
    first_s: float
    seen: float = 0.0

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
    """Templates that came at least twice as often as usual in the incident, most surprising first.

    Usual is the mean over the calmer part of the earlier slots in which anything was logged, so that an earlier
    incident of the same kind does not make its lines usual. Without earlier lines nothing is known to be new.
    `step_s` is the width of the slots that the counts were made in (0 for single lines).
    """
    if counts.is_empty():
        return []
    slot, lead = step_s or _SLOT_S, when.lead(step_s)
    begin = when.noticed - (lead + step_s if step_s else lead / 2)
    end = min(when.end, when.noticed + max(when.horizon_s, slot))
    seconds = pl.col("timestamp").dt.epoch("us") / 1e6
    # One number for the three: grouping by texts would take most of the time.
    number = pl.col("service").hash(1) ^ pl.col("severity").fill_null("").hash(2) ^ pl.col("template").hash(3)
    timed = counts.with_columns(
        seconds.alias("at"),
        ((seconds - begin) / slot).floor().cast(pl.Int64).alias("slot"),
        ((seconds - begin) / max(slot, _STRETCH_S)).floor().cast(pl.Int64).alias("stretch"),
        number.alias("key"),
    )
    timed = timed.filter(pl.col("at") >= when.normal_start, pl.col("at") <= end)
    earlier = timed.select("key", "slot", "stretch", "count").filter(pl.col("slot") < 0)
    now = timed.filter(pl.col("slot") >= 0)
    slots, lasting, stretches = earlier["slot"].n_unique(), now["slot"].n_unique(), earlier["stretch"].n_unique()
    if not slots or not lasting:
        return []
    keys = ["service", "severity", "template"]
    risen = now.group_by("key").agg(pl.col(keys).first(), pl.col("count").sum(), pl.col("at").min().alias("first"))
    risen = risen.filter(pl.col("count") >= _MIN_LINES)
    before = earlier.join(risen.select("key"), on="key", how="semi")
    before = before.group_by("key", "slot").agg(pl.col("count").sum(), pl.col("stretch").first())
    usual = before.group_by("key").agg(pl.col("count").alias("counts"), pl.col("stretch").n_unique())
    rows = risen.join(usual, on="key", how="left").iter_rows(named=True)
    changes = [
        LogChange(
            row["service"],
            row["template"],
            row["severity"],
            row["count"],
            lasting * _usual_count(row["counts"] or [], slots),
            _gravity(row["severity"], row["template"]),
            row["first"],
            (row["stretch"] or 0) / stretches,
        )
        for row in rows
    ]
    found = [change for change in changes if change.count >= 2 * change.expected + 1]
    return sorted(found, key=lambda c: (-c.surprise * (1 + c.gravity), c.service, c.template))


def _usual_count(counts: list[int], slots: int) -> float:
    """The mean over the calmer part of `slots` slots, of which only those with lines are listed."""
    values = np.zeros(slots)
    values[: len(counts)] = counts
    return float(np.sort(values)[: max(1, int(_CALMER * slots))].mean())


def _gravity(severity: str, template: str) -> int:
    if _SEVERE.search(severity) or (not severity and _SPEAKS_OF_FAILURE.search(template)):
        return 2
    return 1 if _WARNING.search(severity) or _SPEAKS_OF_FAILURE.search(template) else 0
