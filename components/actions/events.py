"""Events: runs of anomalous five-minute rows of one series."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl

ROW = timedelta(minutes=5)


@dataclass(frozen=True)
class Event:
    """One series out of its band from `start` to `end` (both row boundaries); `rows` are the anomalous row starts.

    `rose` says whether it was above what was expected when it was worst.
    """

    service: str
    metric: str
    start: datetime
    end: datetime
    score: float
    reason: str
    rows: tuple[datetime, ...]
    rose: bool

    @property
    def series(self) -> tuple[str, str]:
        return self.service, self.metric


def find_events(anomalies: pl.DataFrame, gap: timedelta) -> list[Event]:
    """Join a series' anomalous rows that are at most `gap` apart; sorted by start, service, metric.

    anomalies: rows of the lake table of that name; only those with `is_anomaly` count.
    """
    found: list[Event] = []
    flagged = anomalies.filter(pl.col("is_anomaly")).sort("service", "metric", "timestamp")
    for (service, metric), rows in flagged.group_by("service", "metric", maintain_order=True):
        split = (pl.col("timestamp").diff() > gap + ROW).fill_null(value=False).cum_sum()
        for _, run in rows.with_columns(split.alias("run")).group_by("run", maintain_order=True):
            found.append(_event(str(service), str(metric), run))
    return sorted(found, key=lambda event: (event.start, event.service, event.metric))


def _event(service: str, metric: str, run: pl.DataFrame) -> Event:
    times: list[datetime] = run["timestamp"].to_list()
    worst = run.row(int(run["score"].arg_max() or 0), named=True)
    return Event(
        service=service,
        metric=metric,
        start=times[0],
        end=times[-1] + ROW,
        score=worst["score"],
        reason=worst["reason"] or "",
        rows=tuple(times),
        rose=worst["value"] is not None and worst["expected"] is not None and worst["value"] > worst["expected"],
    )
