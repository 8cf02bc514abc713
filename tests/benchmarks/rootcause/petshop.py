"""PetShop: 41 services at five minutes, delays and errors injected, noticed at the entry.

The normal period comes from another day ("noissue"); its last row is moved to five minutes before the incident's
first. The temporal_* systems have no such file here, so the one of high_traffic stands in for them.
"""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import polars as pl

from components.rootcause.case import Case, Incident
from tests.benchmarks.rootcause.labelled import Labelled, instant, pairs, table

_STEP_S = 300.0
_STAND_IN = "high_traffic"
_NORMAL_ROWS = 288
_KIND = {"latency": frozenset({"latency"}), "availability": frozenset({"error"})}


def incidents(root: Path, normal_rows: int = _NORMAL_ROWS) -> list[Labelled]:
    found = []
    for system in _systems(root):
        normal, edges = _normal(system), _edges(system / "graph.csv")
        for folder in sorted(system.glob("*/issue_*")):
            found.append(_incident(system.name, folder, _last(normal, normal_rows), edges))
    return found


def normal_windows(root: Path, per_system: int = 40) -> list[Labelled]:
    """Windows of the files without issues, each with a day before it; every one has the same shape as an incident."""
    found = []
    for system in _systems(root):
        if not (system / "noissue").is_dir():
            continue
        frame, edges = _normal(system), _edges(system / "graph.csv")
        times = frame["at"].unique().sort().to_numpy()
        for number, place in enumerate(np.linspace(120, len(times) - 4, per_system).astype(int)):
            part = frame.filter(pl.col("at") <= times[place + 2], pl.col("at") > times[max(0, place - _NORMAL_ROWS)])
            metric = ("latency", "availability")[number % 2]
            case = Case(
                Incident(instant(float(times[place]) - 60), "PetSite", f"{metric}_Average"),
                metrics=_long(part),
                calls=edges,
            )
            found.append(Labelled(f"petshop {system.name}", f"normal {place}", case, None, step_s=_STEP_S))
    return found


def _systems(root: Path) -> list[Path]:
    return sorted(path for path in (root / "petshop").iterdir() if path.is_dir())


def _normal(system: Path) -> pl.DataFrame:
    own = system / "noissue" / "metrics.csv"
    return _read(own if own.exists() else system.parent / _STAND_IN / "noissue" / "metrics.csv")


def _last(frame: pl.DataFrame, rows: int) -> pl.DataFrame:
    return frame.filter(pl.col("at") > frame["at"].max() - rows * _STEP_S)


def _incident(system: str, folder: Path, normal: pl.DataFrame, edges: pl.DataFrame) -> Labelled:
    told = json.loads((folder / "target.json").read_text())
    target, cause = told["target"], told["root_cause"]["node"]
    during = _read(folder / "metrics.csv")
    shift = float(during["at"].min()) - _STEP_S - float(normal["at"].max())  # type: ignore[arg-type]
    both = pl.concat([normal.with_columns(pl.col("at") + shift), during])
    case = Case(
        Incident(instant(target["timestamp"]), target["node"], f"{target['metric']}_{target['agg']}"),
        metrics=_long(both),
        calls=edges,
    )
    name = f"{folder.parent.name}/{folder.name}"
    return Labelled(f"petshop {system}", name, case, cause, _KIND[target["metric"]], (target["metric"],), _STEP_S)


def _read(path: Path) -> pl.DataFrame:
    """`at, service, metric, value` of a file with three header rows."""
    with path.open() as file:
        services, metrics, statistics, _, *rows = list(csv.reader(file))
    names = [(s, f"{m}_{a}") for s, m, a in zip(services[1:], metrics[1:], statistics[1:], strict=True)]
    columns: dict[str, list[object]] = {"at": [], "service": [], "metric": [], "value": []}
    for row in rows:
        for (service, metric), text in zip(names, row[1:], strict=True):
            if text:
                for column, value in zip(columns, (float(row[0]), service, metric, float(text)), strict=True):
                    columns[column].append(value)
    return pl.DataFrame(columns)


def _long(frame: pl.DataFrame) -> pl.DataFrame:
    return table("metrics", {**frame.rename({"at": "timestamp"}).to_dict(as_series=True)})


def _edges(path: Path) -> pl.DataFrame:
    with path.open() as file:
        header, *rows = list(csv.reader(file))
    return pairs(
        [(row[0], name) for row in rows for name, cell in zip(header[1:], row[1:], strict=True) if float(cell)]
    )
