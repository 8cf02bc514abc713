"""Pictures of a training: error by step ahead and by candidate, for MLflow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

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


def _figure() -> tuple[Any, Any]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 4.5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.grid(alpha=0.25)
    return figure, axes
