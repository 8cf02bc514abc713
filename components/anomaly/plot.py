"""The picture of a detection: series, expected band and events."""

from __future__ import annotations

import base64
import html
import io
from typing import TYPE_CHECKING, Any

import numpy as np

from components.anomaly.detect import Detection

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MOST_PANELS = 8
_SERIES, _BAND, _EVENT = "#1f4e79", "#9ecae1", "#d62728"


def draw(detection: Detection, title: str, suffix: str) -> bytes:
    """A PNG (`.png`) or a self-contained HTML page (`.html`); at most eight columns, the most anomalous ones."""
    import matplotlib

    # Names come from the data: a dollar sign in them begins no formula.
    with matplotlib.rc_context({"text.parse_math": False}):
        image = _png(_figure(detection, title))
    if suffix == ".png":
        return image
    name = html.escape(title)
    picture = (
        f'<img alt="{name}" src="data:image/png;base64,{base64.b64encode(image).decode()}" style="max-width:100%">'
    )
    return f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{name}</title>{picture}</html>\n'.encode()


def _figure(detection: Detection, title: str) -> Figure:
    from matplotlib.figure import Figure

    peaks = detection.scores.columns.max(axis=0, initial=0.0)
    chosen = sorted(np.argsort(-peaks, kind="stable")[:_MOST_PANELS])
    figure = Figure(figsize=(12, 2.4 * (len(chosen) + 1)), layout="constrained")
    axes = figure.subplots(len(chosen) + 1, 1, sharex=True, squeeze=False)[:, 0]
    times = detection.panel.times.astype("datetime64[us]")
    for axis, column in zip(axes, chosen, strict=False):
        _draw_column(axis, detection, times, column)
    axes[-1].plot(times, np.minimum(detection.scores.total, 10), color=_EVENT, linewidth=0.8)
    axes[-1].axhline(1, color="black", linewidth=0.6, linestyle=":")
    axes[-1].set_ylabel("score (up to 10)")
    for axis in axes:
        _shade_events(axis, detection, times)
    axes[0].legend(loc="upper left", fontsize=8, ncols=3)
    figure.suptitle(f"{title}: {int(detection.events.max(initial=0))} anomaly events, detector {detection.detector}")
    return figure


def _draw_column(axis: Any, detection: Detection, times: Any, column: int) -> None:
    values, scores = detection.panel.values[:, column], detection.scores
    lower, upper = scores.lower[:, column], scores.upper[:, column]
    if np.isfinite(lower).any():
        axis.fill_between(times, lower, upper, color=_BAND, alpha=0.6, linewidth=0, label="expected band")
    axis.plot(times, values, color=_SERIES, linewidth=0.8, label="series")
    flagged = detection.anomalous & (scores.columns[:, column] > 1)
    axis.plot(times[flagged], values[flagged], ".", color=_EVENT, markersize=4, label="anomaly")
    known = values[np.isfinite(values)]
    if len(known):
        room = 0.15 * (known.max() - known.min()) or 1.0
        axis.set_ylim(known.min() - room, known.max() + room)
    name = detection.panel.columns[column]
    axis.set_ylabel(name[:24] + ("\n(increase per row)" if name in detection.counters else ""))


def _shade_events(axis: Any, detection: Detection, times: Any) -> None:
    for number in range(1, int(detection.events.max(initial=0)) + 1):
        rows = np.flatnonzero(detection.events == number)
        axis.axvspan(times[rows[0]], times[rows[-1]], color=_EVENT, alpha=0.15, linewidth=0)


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    # No date in the file: the same input gives the same bytes.
    figure.savefig(buffer, format="png", dpi=90, metadata={"Software": None})
    return buffer.getvalue()
