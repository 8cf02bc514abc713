"""One moment at which a risk is asked for: what was known of a series, its limit, and when it was crossed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl

from components.forecasting import series
from components.forecasting.series import FloatArray, History

#: Made-up series end here; a Friday, so that a week ahead has a weekend in it.
END = datetime(2026, 5, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Case:
    """A series cut at a moment.

    values: the past, one sample per `step`, the last one just before the cut. crossing_h: hours from the cut to the
    first crossing, infinite where there is none within `known_h`, the hours that are known after the cut. origin:
    "simulator" or the name of a real set. kind: of failure, for a real series of its limit. pattern: what happens.
    decoy: whether that is a harmless pattern that looks like a failure. sought: whether a crossing was looked for in a
    real series to cut before it, so that such cases are more frequent than in life.
    """

    origin: str
    name: str
    kind: str
    pattern: str
    values: FloatArray
    step: timedelta
    limit: float
    crossing_h: float
    known_h: float
    direction: str = "above"
    capacity: float | None = None
    decoy: bool = False
    sought: bool = False

    def frame(self) -> pl.DataFrame:
        """The past as a file has it: `timestamp`, `value`; values that were not measured are left out."""
        start = END - len(self.values) * self.step
        times = pl.datetime_range(start, END, self.step, closed="left", time_unit="us", eager=True)
        return pl.DataFrame({"timestamp": times, "value": self.values}).filter(pl.col("value").is_finite())

    def history(self, step: timedelta = timedelta(hours=1)) -> History:
        """The past on the grid of the command's default frequency."""
        return series.build(self.frame(), step=step, capacity=self.capacity, where=self.name)

    def crossed(self, hours: float) -> bool | None:
        """Whether the limit is crossed within so many hours; None where that is not known."""
        # A step that begins at the end of the time is no part of it.
        if self.crossing_h < hours:
            return True
        return False if hours <= self.known_h else None


def first_crossing(values: FloatArray, limit: float, steps: int) -> float:
    """Index of the first sample of `steps` in a row past the limit; infinity where there is none."""
    past = np.concatenate([[0], np.cumsum(values >= limit)])
    runs = np.nonzero(past[steps:] - past[:-steps] == steps)[0]
    return float(runs[0]) if len(runs) else np.inf
