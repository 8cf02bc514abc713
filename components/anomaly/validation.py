"""Rolling-origin cross-validation: how well each detector ranks injected anomalies of days it has not seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
import polars as pl

from components.anomaly import model
from components.anomaly.detector import Detector, Scores, Tuning
from components.anomaly.detectors import zscore
from components.anomaly.injection import inject
from components.anomaly.panel import DAY_US, BoolArray, FloatArray, Panel

BASELINE = "zscore"
#: Rows before a held-out day that its scores need: a day, for the baseline's trailing window.
CONTEXT_US = DAY_US


def cross_validate(panel: Panel, tuning: Tuning, folds: int, seed: int) -> pl.DataFrame:
    """Average precision per fold, series and candidate: `fold, series_id, detector, average_precision`.

    Fold i holds out one of the last `folds` days, injects one anomaly per series and scores it with models
    trained on what came before. Folds with less than a day before them are left out.
    """
    rows = []
    for fold, (start, end) in enumerate(_held_out(panel, folds)):
        fitted = model.train(panel.rows(0, start), tuning)
        spoilt, labels = held_out(panel.rows(0, end), start, seed + fold)
        skip = len(labels) - (end - start)
        for name, scores in {**fitted.candidates(spoilt), BASELINE: baseline_scores(spoilt, tuning)}.items():
            found = average_precisions(labels[skip:], scores.columns[skip:])
            rows += [
                {"fold": fold, "series_id": series, "detector": name, "average_precision": float(value)}
                for series, value in zip(panel.columns, found, strict=True)
                if np.isfinite(value)
            ]
    schema = {"fold": pl.Int64, "series_id": pl.String, "detector": pl.String, "average_precision": pl.Float64}
    return pl.DataFrame(rows, schema=schema)


def held_out(panel: Panel, start: int, seed: int) -> tuple[Panel, BoolArray]:
    """The rows from `start` on with injected anomalies and a day of untouched rows before them; and the labels."""
    context = int(np.searchsorted(panel.times, panel.times[start] - CONTEXT_US))
    return inject(panel.rows(context, len(panel)), start - context, seed)


def baseline_scores(panel: Panel, tuning: Tuning) -> Scores:
    """The trailing z-score of every series; it needs no training."""
    detector: Detector = zscore.Detector(tuning)
    detector.step_us = panel.step_us()
    detector.limits = np.full(2 * len(panel.columns), detector.least_threshold)
    return detector.score(panel)


def average_precisions(labels: BoolArray, scores: FloatArray) -> FloatArray:
    """Average precision of each column; NaN where a column has no label. Tied scores are one threshold."""
    return np.array([average_precision(labels[:, i], scores[:, i]) for i in range(labels.shape[1])])


def average_precision(labels: BoolArray, scores: FloatArray) -> float:
    """The mean of precision over the recall gained at every threshold; NaN without a positive label."""
    positives = int(labels.sum())
    if not positives:
        return float("nan")
    order = np.argsort(-scores, kind="stable")
    hits = np.cumsum(labels[order])
    last_of_tie = np.append(np.flatnonzero(np.diff(scores[order])), len(order) - 1)
    precision = hits[last_of_tie] / (last_of_tie + 1)
    gained = np.diff(hits[last_of_tie] / positives, prepend=0.0)
    return float((precision * gained).sum())


def mean_by_detector(table: pl.DataFrame) -> Mapping[str, float]:
    """Mean average precision over folds and series, best first."""
    means = (
        table.group_by("detector")
        .agg(pl.col("average_precision").mean())
        .sort(["average_precision", "detector"], descending=[True, False])
    )
    return dict(means.iter_rows())


def best(table: pl.DataFrame) -> str:
    """The candidate with the highest mean; `auto` where nothing could be validated."""
    means = [name for name in mean_by_detector(table) if name in model.CANDIDATES]
    return means[0] if means else "auto"


def sample(columns: Sequence[str], most: int, seed: int) -> list[int]:
    """Positions of the columns of whole services, drawn at random until `most` columns are taken; sorted."""
    services = model.by_service(columns)
    order = np.random.default_rng(seed).permutation(sorted(services))
    taken: list[int] = []
    for service in order:
        if not taken or len(taken) + len(services[service]) <= most:
            taken += services[service]
    return sorted(taken)


def _held_out(panel: Panel, folds: int) -> list[tuple[int, int]]:
    """Row ranges of the last `folds` days, oldest first, each with a day of rows before it."""
    end = panel.times[-1] + panel.step_us()
    edges = [int(np.searchsorted(panel.times, end - day * DAY_US)) for day in range(folds, -1, -1)]
    least = int(np.searchsorted(panel.times, panel.times[0] + DAY_US))
    return [(start, stop) for start, stop in pairwise(edges) if start >= max(least, model.LEAST_ROWS) and stop > start]
