"""How many series one core scores in real time, row by row, learning again every day included.

One process on one core scores rows that come every thirty seconds, by the shipped detector, after a week of history.
Rows and daily fits are timed apart, since a fit of a portion of the columns happens once a day and a row 2,880 times.
"""

from __future__ import annotations

import copy
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from components.anomaly import detectors
from components.anomaly.detector import Tuning
from components.anomaly.panel import DAY_US, SECOND_US, Panel
from components.anomaly.stream import PORTION, Stream
from tests.benchmarks.results import table

STEP_S, ROWS_A_DAY = 30, 2880
WIDTHS, DAYS = (200, 1000), (1, 7)
_ROWS = 40
#: The libraries' own threads; set before they are loaded, hence the process of its own.
ONE_CORE = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "POLARS_MAX_THREADS"), "1")


@dataclass(frozen=True)
class Rate:
    """Processor seconds: of one row of all columns, and of fitting one portion of them."""

    columns: int
    days: int
    row_s: float
    fit_s: float
    values_mb: float

    @property
    def row_with_fits_s(self) -> float:
        """One row with its share of the day's fits."""
        return self.row_s + self.fit_s * self.columns / PORTION / ROWS_A_DAY

    @property
    def series_per_core(self) -> int:
        """Series of which one core keeps pace with a row every thirty seconds."""
        return int(self.columns * STEP_S / self.row_with_fits_s)

    @property
    def wait_s(self) -> float:
        """The longest that a row of 10,000 series waits: its own scoring and one portion's fit."""
        return 10_000 / self.columns * self.row_s + self.fit_s


def telemetry(columns: int, rows: int, seed: int = 0) -> Panel:
    """Daily seasons with noise, half of it carried from row to row; one value in a hundred is missing."""
    random = np.random.default_rng(seed)
    times = 20_500 * DAY_US + np.arange(rows, dtype=np.int64) * STEP_S * SECOND_US
    phase = 2 * np.pi * (times[:, None] / DAY_US + random.random(columns))
    noise = random.standard_normal((rows, columns))
    noise[1:] += noise[:-1]
    values = random.uniform(10, 100, columns) * (1 + 0.3 * np.sin(phase) + 0.05 * noise)
    values[random.random((rows, columns)) < 0.01] = np.nan
    every = np.ones(columns, dtype=bool)
    return Panel(times, values, tuple(f"series-{i}" for i in range(columns)), every, every.copy(), np.zeros(columns))


def measure(columns: int, days: int, rows: int = _ROWS) -> Rate:
    """Fit one portion on so many days of history, give a copy of it to every portion, and score rows."""
    past = days * ROWS_A_DAY
    panel = telemetry(columns, past + rows)
    stream = Stream(detectors.DEFAULT, Tuning(), panel.rows(0, past))
    first, *others = stream.portions
    started = time.process_time()
    stream.fit(first)
    fit_s = time.process_time() - started
    assert first.detector is not None
    for portion in others:
        if portion.columns.stop - portion.columns.start == PORTION:
            stream.adopt(portion, copy.deepcopy(first.detector), first.fitted_us, first.known_us)
        else:
            stream.fit(portion)
    started = time.process_time()
    for row in range(past, past + rows):
        assert stream.update(int(panel.times[row]), panel.values[row]) is not None
    row_s = (time.process_time() - started) / rows
    return Rate(columns, days, row_s, fit_s, stream.state.rows.nbytes / 1e6)


def section(rates: Sequence[Rate]) -> str:
    """The page's part on speed."""
    lines = [
        (
            f"{rate.columns:,}",
            rate.days,
            f"{1000 * rate.row_s:.0f} ms",
            f"{1 / rate.row_s:.1f}",
            f"{rate.fit_s:.1f} s",
            f"{rate.series_per_core:,}",
            f"{rate.wait_s:.0f} s",
            f"{rate.values_mb:,.0f} MB",
        )
        for rate in rates
    ]
    header = (
        "series",
        "days of history",
        "a row",
        "rows/s",
        f"a day's fit of {PORTION}",
        "series per core in real time",
    )
    worst = min(rate.series_per_core for rate in rates)
    return "\n\n".join(
        (
            "### Row by row",
            f"Made-up series of a {STEP_S} s step, scored by `components/anomaly/stream.py` as rows come; processor "
            "time of one process with one thread. *In real time at 30 s*: series of which one core scores every row "
            "before the next one, with every series learned again once a day. *Longest wait*: of a row of 10,000 "
            f"series that meets a fit. **{worst:,} series per core in real time at 30 s** at least.",
            table((*header, "longest wait", "rows kept"), lines),
        )
    )


def measured() -> str:
    """The page's part on speed, measured in a process of its own, whose libraries have one thread."""
    command = [sys.executable, "-m", "tests.benchmarks.anomaly.rate"]
    done = subprocess.run(command, env={**os.environ, **ONE_CORE}, check=True, capture_output=True, text=True)
    return done.stdout.strip()


if __name__ == "__main__":
    print(section([measure(columns, days) for days in DAYS for columns in WIDTHS]))
