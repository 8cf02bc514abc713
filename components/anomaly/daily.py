"""The usual level at each time of day, from the newest week: what yesterday and the days before had at this time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from components.anomaly import robust
from components.anomaly.panel import DAY_US, HOUR_US, FloatArray, Panel, TimeArray

_DAYS, _LEAST_DAYS = 7, 2


@dataclass(frozen=True)
class DailyLevel:
    """levels: slots of the day by columns, NaN where too few days had a value; a slot is as long as a step."""

    levels: FloatArray

    def at(self, times: TimeArray) -> FloatArray:
        """The level at each instant, rows by columns; NaN where it is not known."""
        slot_us = DAY_US // len(self.levels)
        result: FloatArray = self.levels[np.minimum(times % DAY_US // slot_us, len(self.levels) - 1)]
        return result


def learn_daily(history: Panel, step_us: int) -> tuple[DailyLevel, FloatArray]:
    """The median over the newest seven days by slot, and what was known so at each row of history from days before it.

    The second (rows by columns, NaN where no day before had a value) is how good the level is on days it has not
    seen: measured on the days it was learned from, a level looks better than it is. With steps over an hour, or
    less than a day, nothing is known.
    """
    columns = history.values.shape[1]
    past = np.full(history.values.shape, np.nan)
    if step_us > HOUR_US or history.times[-1] - history.times[0] < DAY_US - step_us:
        return DailyLevel(np.full((1, columns), np.nan)), past
    slots = max(1, int(DAY_US // step_us))
    day = (history.times[-1] - history.times) // DAY_US
    slot = np.minimum(history.times % DAY_US // (DAY_US // slots), slots - 1)
    near = day < 2 * _DAYS
    cells = np.full((2 * _DAYS, slots, columns), np.nan)
    cells[day[near], slot[near]] = history.values[near]
    for age in range(int(min(day[0], 2 * _DAYS - 1))):
        rows = day == age
        past[rows] = _level(cells[age + 1 : age + 1 + _DAYS])[slot[rows]]
    return DailyLevel(_level(cells[:_DAYS])), past


def _level(cells: FloatArray) -> FloatArray:
    """The median over days where two or more agree on it; one day alone is no habit."""
    known = np.isfinite(cells).sum(axis=0) >= _LEAST_DAYS
    result: FloatArray = np.where(known, robust.median(cells), np.nan)
    return result
