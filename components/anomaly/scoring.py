"""Which rows to ask a model about, in portions, so that scores do not depend on how time was cut."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

import polars as pl

from components.anomaly.detector import LEVEL_HOURS
from components.anomaly.evidence import FADED_ROWS
from components.core.schema import TABLES
from components.core.times import Window, merge

#: What a score looks back on: the recent level, then evidence that has not faded, and the rows of persistence.
CONTEXT = timedelta(hours=LEVEL_HOURS) + timedelta(minutes=5) * (FADED_ROWS + 60)
KEY = ("timestamp", "service", "metric")


def overridden(features: pl.DataFrame, online: pl.DataFrame | None) -> pl.DataFrame:
    """Feature rows as `timestamp, service, metric, value`, online ones in place of the lake's of the same key."""
    rows = features.select(*KEY, pl.col("mean").alias("value"))
    if online is not None:
        newer = online.select(*KEY, pl.col("mean").alias("value")).unique(KEY, keep="last", maintain_order=True)
        rows = rows.update(newer, on=list(KEY), how="left")
    return rows.sort("service", "timestamp", "metric")


def requests(
    rows: pl.DataFrame, windows: Sequence[Window], most_rows: int
) -> Iterator[tuple[str, Window, pl.DataFrame]]:
    """Portions of `rows` by service and time: the service, the window asked about, its rows with their context.

    A portion holds at most `most_rows` rows where an hour with its context does not already hold more.
    """
    for (service,), part in rows.partition_by("service", as_dict=True, maintain_order=True).items():
        for window in windows:
            context = _between(part, window.start - CONTEXT, window.end)
            if _between(part, window.start, window.end).is_empty():
                continue
            for piece in _pieces(context, window, most_rows):
                yield str(service), piece, _between(part, piece.start - CONTEXT, piece.end)


def answered(answers: Sequence[pl.DataFrame], window: Window) -> pl.DataFrame:
    """The answers' rows that lie within `window`."""
    if not answers:
        return TABLES["anomalies"].empty()
    return pl.concat([_between(answer, window.start, window.end) for answer in answers], how="vertical_relaxed")


def spans(windows: Sequence[Window], covered: Sequence[Window]) -> list[Window]:
    """The parts of `windows` for which there are features."""
    parts = [
        Window(max(window.start, done.start), min(window.end, done.end))
        for window in windows
        for done in merge(covered)
        if done.start < window.end and window.start < done.end
    ]
    return sorted(parts)


def _pieces(rows: pl.DataFrame, window: Window, most_rows: int) -> list[Window]:
    span = window.end - window.start
    if len(rows) <= most_rows or span <= timedelta(hours=1):
        return [window]
    per_hour = max(1.0, len(rows) / ((span + CONTEXT) / timedelta(hours=1)))
    hours = max(1, int(most_rows / per_hour - CONTEXT / timedelta(hours=1)))
    pieces, start = [], window.start
    while start < window.end:
        pieces.append(Window(start, min(start + timedelta(hours=hours), window.end)))
        start = pieces[-1].end
    return pieces


def _between(rows: pl.DataFrame, start: datetime, end: datetime) -> pl.DataFrame:
    return rows.filter(pl.col("timestamp") >= start, pl.col("timestamp") < end)
