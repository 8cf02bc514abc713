"""Evidently: distances between two windows and the report. The only module that imports evidently."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl

# Read on import: nothing is sent anywhere.
os.environ["DO_NOT_TRACK"] = "1"
logging.getLogger("evidently").setLevel(logging.WARNING)

# Pinned: left to itself, Evidently changes from p-values to distances with the number of rows.
METHOD = "wasserstein"
#: Columns that Evidently gets at a time, to bound its memory.
GROUP = 50
#: Series drawn in the report: the page weighs 3.7 MB, each series 35 kB, and 4 MB is enough.
DRAWN = 8

Pairs = Mapping[str, tuple[pl.Series, pl.Series]]


@dataclass(frozen=True)
class Drifted:
    """How far one series moved, in standard deviations of the reference, and from when on that counts."""

    series: str
    distance: float
    threshold: float

    @property
    def drifted(self) -> bool:
        return self.distance > self.threshold


def distances(pairs: Pairs, thresholds: Mapping[str, float]) -> list[Drifted]:
    """The normed Wasserstein distance of each series' two windows; by series name."""
    names = sorted(pairs)
    found = []
    for start in range(0, len(names), GROUP):
        group = names[start : start + GROUP]
        metrics = _run(pairs, thresholds, group).dict()["metrics"]
        found += [
            Drifted(name, float(metric["value"]), thresholds[name]) for name, metric in zip(group, metrics, strict=True)
        ]
    return found


def write_report(pairs: Pairs, results: Sequence[Drifted], file: Path) -> None:
    """Draw the series that moved furthest beyond their threshold as one HTML file."""
    worst = sorted(results, key=lambda r: (r.threshold - r.distance, r.series))[:DRAWN]
    _run(pairs, {r.series: r.threshold for r in worst}, [r.series for r in worst]).save_html(str(file))


def _run(pairs: Pairs, thresholds: Mapping[str, float], names: Sequence[str]) -> Any:
    from evidently import DataDefinition, Dataset, Report
    from evidently.metrics import ValueDrift

    labels = {name: _label(name, number) for number, name in enumerate(names)}
    definition = DataDefinition(numerical_columns=list(labels.values()))
    reference, current = (
        Dataset.from_pandas(
            pd.DataFrame({labels[name]: pd.Series(pairs[name][side].to_numpy()) for name in names}), definition
        )
        for side in (0, 1)
    )
    metrics = [ValueDrift(column=labels[name], method=METHOD, threshold=thresholds[name]) for name in names]
    # Evidently takes the current window first.
    return Report(metrics).run(current, reference)


def _label(series: str, number: int) -> str:
    """A series' name as it may stand in a page: Evidently puts it there as it is."""
    safe = re.sub(r"[^\w./:@ -]", "_", series)
    return safe if safe == series else f"{safe} ({number})"
