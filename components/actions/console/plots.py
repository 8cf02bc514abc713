"""The console's plots as SVG: a forecast with its fan and limit, a series with its band and anomalies."""

from __future__ import annotations

import io
from datetime import datetime, timedelta
from typing import Any, TypeVar

import matplotlib as mpl
import polars as pl

from components.core.catalog import load_catalog
from components.core.lake import Lake
from components.core.times import Window, parse_instant

mpl.use("svg")
import matplotlib.dates as mdates
from matplotlib.figure import Figure

# Names come from the data: a dollar sign in them begins no formula.
mpl.rcParams["text.parse_math"] = False

Frame = TypeVar("Frame", pl.DataFrame, pl.LazyFrame)
_HISTORY = timedelta(days=7)
_BLUE, _RED, _GREY = "#2563eb", "#dc2626", "#6b7280"


def forecast(lake: Lake, service: str, metric: str) -> bytes | None:
    """History, median, 50 %, 80 % and 95 % intervals and the limit; None where nothing was forecast."""
    rows = _of(lake.read_snapshot("forecasts"), service, metric).sort("timestamp")
    if rows.is_empty():
        return None
    as_of: datetime = rows["as_of"][0]
    history = _of(lake.scan("features", Window(as_of - _HISTORY, as_of)), service, metric).sort("timestamp").collect()
    figure, axes = _figure(service, metric)
    axes.plot(history["timestamp"], history["mean"], color=_GREY, linewidth=0.8, label="measured")
    for low, high, alpha in (("q0.025", "q0.975", 0.12), ("q0.1", "q0.9", 0.18), ("q0.25", "q0.75", 0.25)):
        axes.fill_between(rows["timestamp"], rows[low], rows[high], color=_BLUE, alpha=alpha, linewidth=0)
    axes.plot(rows["timestamp"], rows["q0.5"], color=_BLUE, linewidth=1.2, label="forecast (50, 80, 95 %)")
    watched = load_catalog().get(metric)
    if watched and watched.limit is not None:
        axes.axhline(watched.limit, color=_RED, linestyle="--", linewidth=1, label=f"limit {watched.limit:g}")
    return _render(figure, axes)


def anomaly(lake: Lake, service: str, metric: str, start: datetime | None, end: datetime | None) -> bytes | None:
    """A series with its expected band and its anomalies; by default the last 24 h. None where it is unknown."""
    last = lake.watermark("anomalies")
    if last is None:
        return None
    until = parse_instant(end) if end else last
    since = parse_instant(start) if start else until - timedelta(hours=24)
    if since > until:
        return None
    rows = _of(lake.scan("anomalies", Window(since, until)), service, metric).sort("timestamp").collect()
    if rows.is_empty():
        return None
    figure, axes = _figure(service, metric)
    axes.fill_between(
        rows["timestamp"], rows["lower"], rows["upper"], color=_BLUE, alpha=0.15, linewidth=0, label="expected"
    )
    axes.plot(rows["timestamp"], rows["value"], color=_GREY, linewidth=0.9, label="measured")
    flagged = rows.filter(pl.col("is_anomaly"))
    axes.scatter(flagged["timestamp"], flagged["value"], color=_RED, s=9, zorder=3, label="anomaly")
    return _render(figure, axes)


def _of(frame: Frame, service: str, metric: str) -> Frame:
    return frame.filter(pl.col("service") == service, pl.col("metric") == metric)


def _figure(service: str, metric: str) -> tuple[Figure, Any]:
    figure = Figure(figsize=(7, 2.4), layout="constrained")
    axes = figure.subplots()
    watched = load_catalog().get(metric)
    axes.set_title(f"{service} — {watched.title if watched else metric}", fontsize=9, loc="left")
    axes.set_ylabel(watched.unit if watched else "", fontsize=8)
    return figure, axes


def _render(figure: Figure, axes: Any) -> bytes:
    axes.tick_params(labelsize=7)
    axes.xaxis.get_offset_text().set_size(7)
    axes.spines[["top", "right"]].set_visible(False)
    axes.xaxis.set_major_formatter(mdates.ConciseDateFormatter(axes.xaxis.get_major_locator()))
    axes.legend(fontsize=7, frameon=False, loc="upper left", ncols=3)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue()
