"""Pooled figures and their intervals on counts small enough to add up by hand."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from tests.benchmarks.anomaly import figures
from tests.benchmarks.anomaly.case import write_case
from tests.benchmarks.anomaly.events import Found, judge
from tests.benchmarks.anomaly.labelled import labelled
from tests.benchmarks.anomaly.report import write_csv
from tests.benchmarks.anomaly.runs import Run

FOUND = [Found(4, 2, 5, 3, 2.0, (1.0, 9.0)), Found(1, 1, 1, 0, 1.0, (5.0,)), Found(0, 0, 1, 1, 1.0, ())]


def test_counts_are_pooled() -> None:
    assert figures.recall(FOUND).value == pytest.approx(3 / 5)
    assert figures.false_per_week(FOUND).value == pytest.approx(4 / 4)
    assert figures.event_f1(FOUND).value == pytest.approx(2 * 0.6 * (3 / 7) / (0.6 + 3 / 7))
    assert figures.median_delay_min(FOUND) == 5


@pytest.mark.parametrize(
    ("stretches", "hits", "events", "false", "value"),
    [
        (4, 2, 2, 0, 2 / 3),
        (4, 4, 8, 4, 2 / 3),
        (4, 0, 0, 0, 0),
        (4, 0, 3, 3, 0),
        (1, 1, 1, 0, 1),
        (0, 0, 3, 3, math.nan),
    ],
)
def test_event_f1(stretches: int, hits: int, events: int, false: int, value: float) -> None:
    found = figures.event_f1([Found(stretches, hits, events, false, 1.0, ())])
    assert found.value == pytest.approx(value, nan_ok=True)


@pytest.mark.parametrize("figure", [figures.recall, figures.false_per_week, figures.event_f1])
def test_intervals_hold_the_figure(figure: object) -> None:
    found = figure(FOUND * 10)  # type: ignore[operator]
    assert found.low < found.value < found.high


def test_a_mean_leaves_out_what_is_unknown() -> None:
    found = figures.mean([0.2, math.nan, 0.4])
    assert (found.value, found.low, found.high) == pytest.approx((0.3, 0.2, 0.4))


def test_of_nothing_there_is_no_figure() -> None:
    assert math.isnan(figures.mean([math.nan]).value)
    assert math.isnan(figures.recall([]).value)
    assert math.isnan(figures.recall([Found(0, 0, 0, 0, 1.0, ())]).value)
    assert math.isnan(figures.median_delay_min([]))
    assert figures.at_false_events([], 1.0) == []


def _run(folder: Path, scores: np.ndarray, vus_pr: float = 0.5) -> Run:
    """A run on the small series, with the given scores and no event."""
    case = write_case(labelled(len(scores)), folder)
    nothing = np.zeros(len(scores), dtype=np.int32)
    return Run(case, "x", vus_pr, 0.5, judge(case.times, case.labels, nothing), scores, nothing, 0.0)


def test_lines_are_written_though_the_first_hundred_lack_a_figure(tmp_path: Path) -> None:
    run = _run(tmp_path, np.zeros(400))
    write_csv([replace(run, vus_pr=math.nan)] * 150 + [run], tmp_path / "lines.csv")
    written = pl.read_csv(tmp_path / "lines.csv", infer_schema_length=None)
    assert written["vus_pr"].null_count() == 150
    assert written["vus_pr"][-1] == 0.5


def test_thresholds_over_series_are_common_ones(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    quiet = random.random(400)
    loud = random.random(400) + 10
    runs = [_run(tmp_path / "a", quiet + np.where(labelled(400).labels, 5, 0)), _run(tmp_path / "b", loud)]
    # The louder series takes the whole 5 % of normal rows: the quiet one's faults are below the threshold.
    at_points = figures.at_false_points(runs, 0.05)
    assert at_points[0].hits == 0
    normal = np.concatenate([run.scores[~run.case.labels] for run in runs])
    assert at_points[1].false_events <= 0.05 * len(normal)
    # Without the loud one both faults are found before any false event.
    alone = figures.at_false_events(runs[:1], 1.0)
    assert (alone[0].hits, alone[0].false_events) == (2, 0)


def test_the_difference_is_paired(tmp_path: Path) -> None:
    scores = np.zeros(400)
    ours, others = ([_run(tmp_path / f"{level}{i}", scores, level + i) for i in range(3)] for level in (0.3, 0.1))
    found = figures.difference(ours, others)
    assert (found.value, found.low, found.high) == pytest.approx((0.2, 0.2, 0.2))


def test_nab_in_four_readings(tmp_path: Path) -> None:
    run = _run(tmp_path, labelled(400).labels.astype(float))
    scores = figures.nab_scores([run])
    assert list(scores.values()) == pytest.approx([0, 100, 0, 100])
