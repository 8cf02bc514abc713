"""A picture of a forecast: history, fan of quantiles, limit, probability of crossing it, errors of the backtests."""

from __future__ import annotations

import base64
import html
import io
import warnings
from typing import Any

from components.forecasting.forecast import Forecast
from components.forecasting.risk import Risk
from components.forecasting.series import History

#: Days of history shown.
SHOWN_DAYS = 14
_FAN = ((0, 6, 0.15, "95 %"), (1, 5, 0.25, "80 %"), (2, 4, 0.35, "50 %"))
_BLUE, _RED = "#1f5fa8", "#b3261e"


def draw(history: History, forecast: Forecast, risk: Risk | None, title: str) -> bytes:
    """PNG bytes of the picture; the same input gives the same bytes."""
    import matplotlib

    # Names come from the data: a dollar sign in them begins no formula.
    with matplotlib.rc_context({"text.parse_math": False}):
        return _draw(history, forecast, risk, title)


def _draw(history: History, forecast: Forecast, risk: Risk | None, title: str) -> bytes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    judged = risk is not None and risk.reached is not None
    tested = forecast.errors is not None
    below = int(judged) + int(tested)
    figure = Figure(figsize=(11, 4.8 + 1.4 * below), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(1 + below, sharex=True, squeeze=False, height_ratios=(3,) + below * (1,))
    axes, lowest = panels[0, 0], panels[-1, 0]
    _draw_fan(axes, history, forecast)
    if risk is not None:
        _draw_limit(axes, risk)
        _draw_probability(panels[min(1, below), 0], history, risk)
    _draw_errors(lowest, history, forecast)
    axes.set_title(f"{title} ({forecast.model})", loc="left", fontsize=11)
    axes.grid(alpha=0.25)
    lowest.tick_params(axis="x", labelrotation=20)
    lowest.set_xlabel("time (UTC)")
    axes.legend(loc="upper left", fontsize=8, framealpha=0.9)
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        figure.savefig(buffer, format="png", dpi=110, metadata={"Software": None})
    return buffer.getvalue()


def page(picture: bytes, title: str, summary: str) -> bytes:
    """A self-contained HTML page around a picture."""
    source = base64.b64encode(picture).decode()
    title, summary = html.escape(title), html.escape(summary)
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>'
        '<body style="font-family:sans-serif;max-width:75em;margin:2em auto">'
        f'<h1>{title}</h1><p>{summary}</p><img style="max-width:100%" alt="{title}" '
        f'src="data:image/png;base64,{source}"></body></html>\n'
    ).encode()


def _draw_fan(axes: Any, history: History, forecast: Forecast) -> None:
    shown = min(len(history), SHOWN_DAYS * history.day)
    past = [history.end - (shown - i) * history.step for i in range(shown)]
    axes.plot(past, history.values[-shown:], color="#333333", linewidth=1.0, label="history")
    ahead = history.times(len(forecast.mean))
    for low, high, alpha, label in _FAN:
        fan = forecast.quantiles
        axes.fill_between(ahead, fan[low], fan[high], color=_BLUE, alpha=alpha, linewidth=0, label=label)
    axes.plot(ahead, forecast.mean, color=_BLUE, linewidth=1.5, label="forecast")


def _draw_limit(axes: Any, risk: Risk) -> None:
    axes.axhline(
        risk.limit, color=_RED, linestyle="--", linewidth=1.2, label=f"limit ({risk.direction}) {risk.limit:g}"
    )
    low, high = axes.get_ylim()
    axes.set_ylim(low, high + 0.18 * (high - low))
    box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.9}
    text = {"ha": "right", "va": "top", "color": _RED, "fontsize": 9, "bbox": box}
    lines = [risk_text(risk), *([risk.reason] if risk.reason and risk.reached is not None else [])]
    axes.text(0.995, 0.97, "\n".join(lines), transform=axes.transAxes, **text)


def _draw_probability(axes: Any, history: History, risk: Risk) -> None:
    """The probability that the limit has been reached by each moment, with the time-to-limit quantiles."""
    if risk.reached is None:
        return
    ends = [history.end, *(time + history.step for time in history.times(len(risk.reached)))]
    axes.fill_between(ends, [0.0, *risk.reached], color=_RED, alpha=0.25, linewidth=0)
    axes.plot(ends, [0.0, *risk.reached], color=_RED, linewidth=1.2)
    for q, instant in risk.time_to_limit.items():
        if instant is not None:
            axes.plot([instant], [q], "o", color=_RED, markersize=4)
            axes.annotate(
                f"{q:.0%}: {instant:%d %b %H:%M}", (instant, q), (6, -3), textcoords="offset points", fontsize=8
            )
    axes.set_ylim(0, 1)
    axes.set_ylabel("probability\nof crossing")
    axes.grid(alpha=0.25)


def _draw_errors(axes: Any, history: History, forecast: Forecast) -> None:
    """How far off backtests were on average this far ahead, and how far the forecast's middle half reaches."""
    if forecast.errors is None:
        return
    ahead = history.times(len(forecast.errors))
    half = (forecast.quantiles[4] - forecast.quantiles[2]) / 2.0
    axes.plot(ahead, forecast.errors, color="#333333", linewidth=1.2, label="mean absolute error of backtests")
    axes.plot(ahead, half, color=_BLUE, linewidth=1.0, linestyle="--", label="half of the 50 % interval")
    axes.set_ylim(bottom=0)
    axes.set_ylabel("error by\nhours ahead")
    axes.legend(loc="upper left", fontsize=8, framealpha=0.9)
    axes.grid(alpha=0.25)


def risk_text(risk: Risk) -> str:
    """One line: the probabilities of crossing, or why there are none."""
    if risk.already_crossed:
        return f"limit {risk.limit:g} crossed already"
    if risk.abstained:
        return f"no risk estimate: {risk.reason}"
    known = [f"{hours} h: {p:.0%}" for hours, p in risk.probability.items() if p is not None]
    return f"P({risk.direction} {risk.limit:g}) within " + ", ".join(known)
