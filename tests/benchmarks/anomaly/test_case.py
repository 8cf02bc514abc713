"""A case speaks of unique sorted instants, whatever the source's rows are."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.benchmarks.anomaly.case import write_case
from tests.benchmarks.anomaly.labelled import labelled
from tests.benchmarks.anomaly.sets import Labelled


def test_repeated_and_unsorted_rows(tmp_path: Path) -> None:
    whole = labelled(40)
    rows = [0, 2, 1, 2, *range(3, 40)]
    labels = np.zeros(len(rows), dtype=bool)
    labels[1] = True  # one of the two rows of instant 2
    case = write_case(Labelled("nab", "x/y", None, whole.scored[rows], labels), tmp_path)
    assert np.flatnonzero(case.labels).tolist() == [2]
    assert np.array_equal(case.times, case.files()[0].frame["timestamp"].dt.epoch("us").to_numpy())
    assert (case.stretches, case.columns, case.step_us, case.size) == (1, 1, 300_000_000, 40)
    assert case.weeks == 39 * 5 / (7 * 24 * 60)


def test_history_comes_first_and_gaps_are_filled_for_the_baselines(tmp_path: Path) -> None:
    whole = labelled(30, columns=2, history=20)
    holed = whole.scored.with_columns(v0=whole.scored["v0"].scatter([0, 1], None))
    case = write_case(Labelled("s", "n", whole.history, holed, whole.labels), tmp_path)
    times, values = case.history_and_series
    assert (len(times), values.shape) == (50, (50, 2))
    assert values[20, 0] == values[21, 0] == values[19, 0]
    assert times[20] == case.times[0]
