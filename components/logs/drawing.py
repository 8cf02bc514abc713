"""The picture of a mined file: its lines over time and its most frequent templates."""

from __future__ import annotations

import base64
import html
import io
from pathlib import Path

import numpy as np
import polars as pl

from components.core import storage

_SHOWN = 15
_COLORS = {"FATAL": "#7b1e3a", "ERROR": "#c23b3b", "WARN": "#e0a030", "INFO": "#4878a8", "DEBUG": "#9db4c8"}
_OTHER = "#b8b8b8"


def draw(path: Path, templates: pl.DataFrame, over_time: pl.DataFrame, title: str) -> None:
    """Write a PNG, or an HTML page that holds the picture and the table of templates, by the path's suffix.

    templates: `template_id, template, count`; over_time: `timestamp, severity, count`, which may be empty.
    """
    picture = _picture(templates, over_time, title)
    page = picture if path.suffix.lower() == ".png" else _page(picture, templates, title).encode()
    storage.write_bytes(str(path), page)


def _picture(templates: pl.DataFrame, over_time: pl.DataFrame, title: str) -> bytes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    timed = over_time["timestamp"].n_unique() > 1
    figure = Figure(figsize=(15, 8.5 if timed else 5.5), layout="constrained")
    axes = figure.subplots(2 if timed else 1, 1, height_ratios=[1, 1.5] if timed else [1], squeeze=False)[:, 0]
    figure.suptitle(f"{title}: {templates['count'].sum():,} lines, {len(templates):,} templates", parse_math=False)
    if timed:
        _draw_time(axes[0], over_time)
    _draw_templates(axes[-1], templates)
    buffer = io.BytesIO()
    FigureCanvasAgg(figure).print_png(buffer)
    return buffer.getvalue()


def _draw_time(axis: object, over_time: pl.DataFrame) -> None:
    """Stacked bars, at most a hundred of them."""
    times = over_time["timestamp"].dt.epoch("s")
    start, span = int(times.to_numpy().min()), int(np.ptp(times.to_numpy())) + 60
    width = max(60, -(-span // 6000) * 60)
    slot = ((times - start) // width * width + start).alias("slot")
    table = over_time.with_columns(slot).group_by("slot", "severity").agg(pl.col("count").sum())
    bottoms: dict[int, int] = {}
    order = [*_COLORS, *sorted(set(table["severity"]) - set(_COLORS))]
    for severity in [name for name in order if name in set(table["severity"])]:
        rows = dict(table.filter(pl.col("severity") == severity).select("slot", "count").sort("slot").iter_rows())
        lefts = pl.from_epoch(pl.Series(list(rows)), time_unit="s").to_list()
        base = [bottoms.get(key, 0) for key in rows]
        axis.bar(  # type: ignore[attr-defined]
            lefts,
            list(rows.values()),
            width / 86400,
            base,
            align="edge",
            color=_COLORS.get(severity, _OTHER),
            label=severity,
        )
        bottoms |= {key: bottoms.get(key, 0) + count for key, count in rows.items()}
    axis.set_ylabel(f"lines per {width // 60} min")  # type: ignore[attr-defined]
    axis.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False)  # type: ignore[attr-defined]


def _draw_templates(axis: object, templates: pl.DataFrame) -> None:
    top = templates.sort(["count", "template"], descending=[True, False]).head(_SHOWN).reverse()
    names = [text if len(text) <= 100 else text[:99] + "…" for text in top["template"]]
    names = ["".join(letter if letter.isprintable() else "·" for letter in name) for name in names]
    bars = axis.barh(range(len(top)), top["count"].to_list(), color=_COLORS["INFO"])  # type: ignore[attr-defined]
    axis.bar_label(bars, [f" {count:,}" for count in top["count"]], fontsize=8)  # type: ignore[attr-defined]
    axis.set_yticks(range(len(top)), names, fontsize=8, parse_math=False)  # type: ignore[attr-defined]
    axis.set_xscale("log")  # type: ignore[attr-defined]
    axis.set_xlim(0.8, 2 * max(top["count"]))  # type: ignore[attr-defined]
    axis.set_xlabel("lines (the most frequent templates)")  # type: ignore[attr-defined]


def _page(picture: bytes, templates: pl.DataFrame, title: str) -> str:
    encoded = base64.b64encode(picture).decode()
    rows = "\n".join(
        f"<tr><td>{count:,}</td><td><code>{name}</code></td><td><code>{html.escape(text[:2000])}</code></td></tr>"
        for name, text, count in templates.sort(["count", "template"], descending=[True, False])
        .head(1000)
        .select("template_id", "template", "count")
        .iter_rows()
    )
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title>
<style>body{{font:14px sans-serif;margin:2em}}td{{padding:2px 12px;vertical-align:top}}img{{max-width:100%}}</style>
</head>
<body><h1>{html.escape(title)}</h1>
<img alt="lines over time and the most frequent templates" src="data:image/png;base64,{encoded}">
<h2>Templates</h2><table><tr><th>lines</th><th>id</th><th>template</th></tr>
{rows}
</table></body></html>
"""
