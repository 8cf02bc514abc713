"""A picture of a diagnosis: the call graph coloured by score, and the series that moved, aligned on the incident."""

from __future__ import annotations

import io
import warnings
from typing import TYPE_CHECKING, Any

import matplotlib
import networkx as nx
import numpy as np

from components.rootcause.diagnosis import Diagnosis
from components.rootcause.ranking import written_score
from components.rootcause.signals import Signal

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SERIES = 6
_SERVICES = 25
_COLOURS = "YlOrRd"


def draw(diagnosis: Diagnosis, title: str) -> bytes:
    """The picture as PNG; at most 25 services, the highest scores first, and the six strongest series."""
    matplotlib.use("Agg")
    # Names come from the data: a dollar sign in them begins no formula.
    matplotlib.rcParams["text.parse_math"] = False
    from matplotlib import pyplot

    signals = _signals(diagnosis)
    figure = pyplot.figure(figsize=(13, 7), layout="constrained")
    grid = figure.add_gridspec(max(1, len(signals)), 2, width_ratios=(1.1, 1))
    heading = f"{title}: {diagnosis.causes[0]['service']}" if diagnosis.causes else f"{title}: no cause"
    figure.suptitle(_plain(heading), fontsize=12)
    _graph(figure.add_subplot(grid[:, 0]), diagnosis)
    axis: Axes | None = None
    for row, signal in enumerate(signals):
        axis = figure.add_subplot(grid[row, 1], sharex=axis)
        _series(axis, signal, diagnosis)
        axis.tick_params(labelbottom=row == len(signals) - 1)
    if axis:
        axis.set_xlabel(
            "minutes from when it was noticed (red); dashed: its onset; green: a change; band: median ± 3 spreads",
            fontsize=7.5,
        )
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        # Of names in scripts that the font lacks a box is drawn.
        warnings.filterwarnings("ignore", "Glyph .* missing from", UserWarning)
        # No creation date in the file: the same diagnosis gives the same bytes.
        figure.savefig(buffer, format="png", dpi=100, metadata={"Software": None})
    pyplot.close(figure)
    return buffer.getvalue()


def _plain(name: str) -> str:
    """A name without the control characters that a file's content smuggles in."""
    return "".join(sign if sign.isprintable() else "�" for sign in name)


def _signals(diagnosis: Diagnosis) -> list[Signal]:
    """The strongest series of the best services: two each for the first, one for those that follow."""
    chosen: list[Signal] = []
    for place, standing in enumerate(diagnosis.standings):
        drawable = [s for s in standing.signals if s.deviation is not None]
        chosen += drawable[: 2 if place == 0 else 1]
    return chosen[:_SERIES]


def _graph(axis: Axes, diagnosis: Diagnosis) -> None:
    # What did not move is drawn only while there is room.
    moved = [standing for standing in diagnosis.standings if standing.score > 0]
    shown = moved[:_SERVICES] if len(moved) > _SERVICES // 2 else diagnosis.standings[: _SERVICES // 2]
    names = [standing.service for standing in shown]
    graph: Any = nx.DiGraph()
    graph.add_nodes_from(names)
    graph.add_edges_from(edge for edge in diagnosis.graph.networkx().edges if set(edge) <= set(names))
    places = _layout(graph)
    scores = {standing.service: written_score(standing) for standing in shown}
    ringed = [name == diagnosis.noticed for name in names]
    nx.draw_networkx_edges(graph, places, ax=axis, edge_color="0.65", arrowsize=10, node_size=450)
    nodes = nx.draw_networkx_nodes(
        graph,
        places,
        ax=axis,
        node_color=list(scores.values()),
        cmap=_COLOURS,
        vmin=0,
        vmax=1,
        edgecolors=["tab:red" if ring else "0.3" for ring in ringed],
        linewidths=[2.5 if ring else 1.0 for ring in ringed],
        node_size=350,
    )
    for name, place in places.items():
        short = _plain(name if len(name) <= 22 else name[:21] + "…")
        told = f"{short} {scores[name]:.2f}" if scores[name] >= 0.005 else short
        # Offsets in points: labels sit above their node, in every other column below, whatever the spread of the graph.
        below = int(place[0]) % 2 and bool(graph.edges)
        axis.annotate(told, place, (0, -19 if below else 12), textcoords="offset points", ha="center", fontsize=8)
    axis.figure.colorbar(nodes, ax=axis, shrink=0.6, location="bottom", label="score")
    noticed = " (red ring: where it was noticed)" if any(ringed) else ""
    axis.set_title(f"who calls whom, coloured by score{noticed}", fontsize=10)
    axis.margins(0.2, 0.1)
    axis.set_axis_off()


def _layout(graph: Any) -> dict[str, tuple[float, float]]:
    """Callers left of callees, one column per level of the acyclic graph; a circle where nobody calls anybody."""
    if not graph.edges:
        circle: dict[str, tuple[float, float]] = nx.circular_layout(graph, scale=float(len(graph)))
        return circle
    condensed = nx.condensation(graph)
    levels: dict[str, int] = {}
    for level, groups in enumerate(nx.topological_generations(condensed)):
        for group in groups:
            levels |= dict.fromkeys(condensed.nodes[group]["members"], level)
    rows: dict[int, list[str]] = {}
    for name in sorted(levels):
        rows.setdefault(levels[name], []).append(name)
    tallest = max(len(row) for row in rows.values())
    return {
        name: (float(level), -(place + 0.5) * tallest / len(row))
        for level, row in rows.items()
        for place, name in enumerate(row)
    }


def _series(axis: Axes, signal: Signal, diagnosis: Diagnosis) -> None:
    item, when = signal.deviation, diagnosis.when
    assert item is not None
    assert when is not None
    minutes = (item.series.times - when.noticed) / 60
    end = when.window(item.series.times, item.series.step_s, 1.0)
    last = minutes[end].max() if end.any() else 0.0
    shown = (minutes >= -4 * max(last, 15.0)) & (minutes <= last + max(last, 5.0))
    axis.plot(minutes[shown], item.series.values[shown], color="0.25", linewidth=1, marker=".", markersize=3)
    band = 3 * item.scale
    axis.axhspan(item.median - band, item.median + band, color="tab:blue", alpha=0.15, linewidth=0)
    axis.axvline(0, color="tab:red", linewidth=1)
    if not np.isnan(item.began_s):
        axis.axvline((item.began_s - when.noticed) / 60, color="tab:orange", linewidth=1, linestyle="--")
    change = next((s.change for s in diagnosis.standings if s.service == signal.service), None)
    if change and shown.any() and minutes[shown][0] <= (change.at_s - when.noticed) / 60:
        axis.axvline((change.at_s - when.noticed) / 60, color="tab:green", linewidth=1.5, linestyle="-.")
    axis.set_title(_plain(f"{signal.service} {signal.metric}"), fontsize=8, loc="left", pad=2)
    axis.tick_params(labelsize=7)
