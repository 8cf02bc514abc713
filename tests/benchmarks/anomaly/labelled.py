"""A small labelled series for the tests of the benchmark: quiet noise, two faults in the scored part."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl

from tests.benchmarks.anomaly.sets import Labelled

_START = datetime(2024, 1, 1, tzinfo=UTC)


def labelled(
    rows: int = 400, *, name: str = "one", of: str = "nab", columns: int = 1, history: int = 0, faults: bool = True
) -> Labelled:
    """Five-minute rows of noise around 10; a spike of 4 rows at three quarters and one of 2 rows near the end."""
    values = 10 + np.random.default_rng(7).normal(size=(history + rows, columns))
    labels = np.zeros(rows, dtype=bool)
    if faults:
        labels[3 * rows // 4 :][:4] = True
        labels[-20:-18] = True
    values[history:][labels] += 30
    times = [_START + timedelta(minutes=5 * row) for row in range(history + rows)]
    frame = pl.DataFrame({"timestamp": times, **{f"v{i}": values[:, i] for i in range(columns)}})
    return Labelled(of, name, frame[:history] if history else None, frame[history:], labels)
