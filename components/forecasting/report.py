"""Pictures of a training: error by step ahead and by candidate, for MLflow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from components.forecasting.leads import LEADS_H, Point
from components.forecasting.model import BASELINE
from components.forecasting.series import FloatArray


def error_by_horizon(curves: Mapping[str, FloatArray], chosen: str) -> Any:
    """A figure of the mean scaled error against the hours ahead, one line per candidate."""
    figure, axes = _figure()
    for name, curve in sorted(curves.items()):
        bold = name in (chosen, BASELINE)
        style = "--" if name == BASELINE else "-"
        axes.plot(np.arange(1, len(curve) + 1), curve, style, linewidth=2.0 if bold else 1.0, label=name)
    axes.set_xlabel("hours ahead")
    axes.set_ylabel("mean absolute error / seasonal change (MASE)")
    axes.set_title("Backtest error by horizon", loc="left")
    axes.legend(fontsize=8)
    return figure


def ratio_bars(summary: Mapping[str, Mapping[str, float]]) -> Any:
    """A figure of every candidate's error relative to seasonal-naive, lower is better."""
    figure, axes = _figure()
    names: Sequence[str] = sorted(summary, key=lambda name: summary[name]["mase_vs_seasonal_naive"])
    at = np.arange(len(names))
    for shift, (key, label) in enumerate((("mase_vs_seasonal_naive", "MASE"), ("crps_vs_seasonal_naive", "CRPS"))):
        axes.bar(at + 0.4 * shift - 0.2, [summary[name][key] for name in names], 0.38, label=label)
    axes.axhline(1.0, color="black", linewidth=0.8, linestyle="--")
    axes.set_xticks(at, names, rotation=20)
    axes.set_ylabel("relative to seasonal-naive (1)")
    axes.set_title("Candidates on rolling-origin backtests", loc="left")
    axes.legend(fontsize=8)
    return figure


def lead_times(curves: Mapping[str, Sequence[Point]]) -> Any:
    """A figure of the recall and the precision of failure alarms against the hours ahead, one line per kind."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4.5), layout="constrained")
    FigureCanvasAgg(figure)
    recall, precision = figure.subplots(1, 2, sharey=True)
    for kind, points in sorted(curves.items()):
        hours = [point.lead_h for point in points]
        label = f"{kind} ({max(point.failures for point in points)})"
        recall.plot(hours, [point.recall for point in points], "o-", label=label, clip_on=False)
        precision.plot(hours, [point.precision for point in points], "o-", label=label, clip_on=False)
    for axes, title in ((recall, "Recall: failures alarmed"), (precision, "Precision: alarms followed by a failure")):
        axes.set_title(title, loc="left")
        axes.set_xscale("log")
        axes.set_xticks(LEADS_H, [f"{hours:g}" for hours in LEADS_H])
        axes.minorticks_off()
        axes.set_xlabel("hours before the limit is crossed")
        axes.set_ylim(-0.02, 1.02)
        axes.grid(alpha=0.25)
    recall.set_ylabel("share")
    recall.legend(fontsize=8, title="kind (failures)", title_fontsize=8)
    return figure


def _figure() -> tuple[Any, Any]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 4.5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.grid(alpha=0.25)
    return figure, axes
