"""The call graph of an incident as SVG: who calls whom, each service coloured by how likely it is the cause."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence

import matplotlib as mpl
import polars as pl

from components.core.lake import Lake

mpl.use("svg")
from matplotlib import colormaps
from matplotlib.figure import Figure

# Names come from the data: a dollar sign in them begins no formula; ids in the file are the same at every drawing.
mpl.rcParams.update({"text.parse_math": False, "svg.hashsalt": "traceo"})

Edge = tuple[str, str, float]
_SERVICES = 24
_NAME_LENGTH = 22
_FAILING = 0.01
_RED, _GREY, _INK = "#dc2626", "#9ca3af", "#111827"


def causes(lake: Lake, incident_id: str) -> bytes | None:
    """The graph of a diagnosed incident; None where it has no causes or nobody is known to call anybody."""
    diagnosed = lake.read_snapshot("diagnoses").filter(pl.col("incident_id") == incident_id)
    incident = lake.read_snapshot("incidents").filter(pl.col("incident_id") == incident_id)
    found = json.loads(diagnosed["causes"][0]) if len(diagnosed) else []
    calls = lake.read_snapshot("calls")
    if not found or calls.is_empty():
        return None
    scores = {cause["service"]: float(cause["score"]) for cause in found}
    ordered = calls.sort("caller", "callee").with_columns(pl.col("error_ratio").fill_null(0.0))
    edges = ordered.select("caller", "callee", "error_ratio").rows()
    passed_on = ordered["passed_on_ratio"].to_list()
    told = {edge: _told(edge[2], share) for edge, share in zip(edges, passed_on, strict=True) if edge[2] > _FAILING}
    return _drawn(scores, edges, told, incident["service"][0] if len(incident) else None)


def _told(failing: float, passed_on: float | None) -> str:
    return f"{failing:.0%} fail" + (f", {passed_on:.0%} passed on" if passed_on is not None else "")


def levels(services: Sequence[str], edges: Sequence[Edge]) -> dict[str, int]:
    """The column of each service: right of all its callers, calls that close a cycle left out."""
    callees: dict[str, set[str]] = {name: set() for name in services}
    for caller, callee, _ in edges:
        if caller not in _reached(callee, callees):
            callees[caller].add(callee)
    found = dict.fromkeys(services, 0)
    for _ in services:
        for caller in services:
            for callee in callees[caller]:
                found[callee] = max(found[callee], found[caller] + 1)
    return found


def _reached(start: str, callees: Mapping[str, set[str]]) -> set[str]:
    found, fringe = {start}, [start]
    while fringe:
        new = callees[fringe.pop()] - found
        found |= new
        fringe += new
    return found


def _drawn(scores: Mapping[str, float], edges: Sequence[Edge], told: Mapping[Edge, str], noticed: str | None) -> bytes:
    called = {name for caller, callee, _ in edges for name in (caller, callee)}
    ordered = sorted(called | scores.keys(), key=lambda name: (-scores.get(name, 0.0), name != noticed, name))
    shown = [name for name in ordered if name in called or scores.get(name, 0.0) > 0][:_SERVICES]
    kept = [edge for edge in edges if edge[0] in shown and edge[1] in shown]
    places = _places(levels(shown, kept))
    columns, rows = max(x for x, _ in places.values()), max(len(shown), 1)
    height = max(2.2, 0.62 * max(sum(x == column for x, _ in places.values()) for column in range(int(columns) + 1)))
    figure = Figure(figsize=(9, min(height, 0.62 * rows + 1)), layout="constrained")
    axes = figure.subplots()
    for edge in kept:
        _arrow(axes, places[edge[0]], places[edge[1]], told.get(edge))
    for name in shown:
        _node(axes, name, places[name], scores.get(name, 0.0), name == noticed)
    axes.set_xlim(-0.4, columns + 0.6)
    axes.margins(y=0.25)
    axes.set_axis_off()
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue()


def _arrow(axes: mpl.axes.Axes, start: tuple[float, float], end: tuple[float, float], told: str | None) -> None:
    """A call; red with what is told of it where it fails."""
    colour = _RED if told else _GREY
    shape = {"arrowstyle": "-|>", "color": colour, "linewidth": 0.9, "shrinkA": 9, "shrinkB": 9}
    axes.annotate("", end, start, arrowprops=shape)
    if told:
        # Nearer to the caller, where fewer arrows meet.
        middle = (0.62 * start[0] + 0.38 * end[0], 0.62 * start[1] + 0.38 * end[1])
        box = {"boxstyle": "square,pad=0.1", "facecolor": "white", "edgecolor": "none", "alpha": 0.8}
        axes.annotate(told, middle, ha="center", va="center", fontsize=6.5, color=colour, zorder=3.5, bbox=box)


def _places(columns: Mapping[str, int]) -> dict[str, tuple[float, float]]:
    """Columns from left to right, each spread over the height of the tallest."""
    members: dict[int, list[str]] = {}
    for name in sorted(columns):
        members.setdefault(columns[name], []).append(name)
    tallest = max(len(names) for names in members.values())
    return {
        name: (float(order), -(place + 0.5) * tallest / len(names))
        for order, names in enumerate(names for _, names in sorted(members.items()))
        for place, name in enumerate(names)
    }


def _node(axes: mpl.axes.Axes, name: str, place: tuple[float, float], score: float, noticed: bool) -> None:
    colour = colormaps["YlOrRd"](0.05 + 0.9 * score)
    axes.scatter(*place, s=170, color=[colour], edgecolors=_INK, linewidths=2.0 if noticed else 0.6, zorder=3)
    # Control characters are no XML.
    plain = "".join(sign if sign.isprintable() else "�" for sign in name)
    label = plain if len(plain) <= _NAME_LENGTH else plain[: _NAME_LENGTH - 1] + "…"
    text = f"{label} {score:.2f}" if score >= 0.005 else label
    axes.annotate(
        text,
        place,
        (0, 9),
        textcoords="offset points",
        ha="center",
        fontsize=8,
        color=_INK,
        zorder=4,
        # Calls run behind names.
        bbox={"boxstyle": "square,pad=0.1", "facecolor": "white", "edgecolor": "none", "alpha": 0.8},
    )
