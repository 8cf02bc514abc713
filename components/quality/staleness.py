"""Series that stopped: absent from a partition, or flat in it, although they were alive just before."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

import polars as pl

from components.core.times import Window
from components.quality.facts import Facts

#: A series counts as alive for this long after its last sample, or for the length of a partition.
ALIVE = timedelta(hours=1)
#: Shorter partitions cannot tell a stuck series from a steady one.
FLAT_FROM = timedelta(hours=6)

Series = tuple[str, str]


@dataclass
class Watch:
    """What each series did last; partitions are shown to it in order of time."""

    seen: dict[Series, datetime] = field(default_factory=dict)
    varied: set[Series] = field(default_factory=set)

    def show_past(self, samples: pl.LazyFrame) -> None:
        """Learn from published samples (timestamp, service, metric, value) before the first partition."""
        self._learn(_by_series(samples))

    def note(self, facts: Facts, rows: pl.DataFrame) -> None:
        """Add absent_series and flat_series to the facts of a partition, then learn from it."""
        window = facts.partition.window
        if window is None:
            return
        now = _by_series(rows.lazy())
        present = set(zip(now["service"], now["metric"], strict=True))
        absent = sorted(s for s, last in self.seen.items() if s not in present and last >= _since(window))
        facts.note("absent_series", len(absent), f"no sample of {_list(absent)}, which was alive before")
        if window.length >= FLAT_FROM:
            steady = now.filter(pl.col("low") == pl.col("high"), pl.col("samples") > 1)
            flat = sorted(self.varied.intersection(zip(steady["service"], steady["metric"], strict=True)))
            facts.note("flat_series", len(flat), f"{_list(flat)} does not change any more")
        self._learn(now)

    def _learn(self, now: pl.DataFrame) -> None:
        for service, metric, last, low, high, _ in now.iter_rows():
            self.seen[service, metric] = last
            (self.varied.add if low != high else self.varied.discard)((service, metric))


def _by_series(samples: pl.LazyFrame) -> pl.DataFrame:
    value = pl.col("value")
    grouped = samples.drop_nulls(["service", "metric", "timestamp"]).group_by("service", "metric")
    return (
        grouped.agg(
            last=pl.col("timestamp").max(), low=value.min(), high=value.max(), samples=pl.len(),
        )
        .sort("service", "metric")
        .collect()
    )  # fmt: skip


def _since(window: Window) -> datetime:
    return window.start - max(ALIVE, window.length)


def _list(series: list[Series], shown: int = 3) -> str:
    names = ", ".join(f"{service}/{metric}" for service, metric in series[:shown])
    return names + (f" and {len(series) - shown} more" if len(series) > shown else "")
