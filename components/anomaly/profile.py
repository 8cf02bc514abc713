"""The seasonal profile of a series: its usual level by time of day and by hour of the week, robustly."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from components.anomaly import robust
from components.anomaly.panel import DAY_US, HOUR_US, SECOND_US, FloatArray, Panel, TimeArray

#: Slots of a day: a quarter of an hour keeps a nightly batch apart from its neighbours.
_SLOT_US = 900 * SECOND_US
_LEAST_DAYS = 3
#: From this many weeks on their median is robust; below, only what all of them agree on counts.
_WEEKS_FOR_MEDIAN = 4


@dataclass(frozen=True)
class Profile:
    """Usual levels of k series.

    day: slots by k, by time of day; week: 168 by k, what the hour of the week adds (Monday 00:00 first).
    A series without a season has its median in every slot.
    """

    day: FloatArray
    week: FloatArray

    def expected(self, times: TimeArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Level at each instant and the lowest and highest level one slot earlier to one slot later."""
        around = [self._level(times + shift) for shift in (0, -self._slot_us, self._slot_us)]
        return around[0], np.minimum.reduce(around), np.maximum.reduce(around)

    def without(self, seasonal: np.ndarray, levels: FloatArray) -> Profile:
        """The same with a constant level where `seasonal` is false."""
        day = np.where(seasonal, self.day, levels)
        return Profile(day, np.where(seasonal, self.week, 0.0))

    @property
    def _slot_us(self) -> int:
        return DAY_US // len(self.day)

    def _level(self, times: TimeArray) -> FloatArray:
        level: FloatArray = self.day[times % DAY_US // self._slot_us] + self.week[hour_of_week(times)]
        return level


def hour_of_week(times: TimeArray) -> TimeArray:
    """0 for Monday 00:00 UTC to 167."""
    # The epoch was a Thursday.
    return (times // HOUR_US + 3 * 24) % 168


def learn_profile(history: Panel, step_us: int) -> Profile | None:
    """The profile of a history; None where it spans too few days or its rows are too far apart."""
    if step_us > HOUR_US or history.times[-1] - history.times[0] < _LEAST_DAYS * DAY_US - step_us:
        return None
    slot_us = _SLOT_US if step_us <= _SLOT_US else HOUR_US
    cells = _cells(history, slot_us)
    day = _filled(robust.median(cells))
    hours = np.moveaxis((cells - day).reshape(len(cells), 24, -1, cells.shape[2]), 2, 0)
    first_day = history.times[0] // DAY_US
    return Profile(day, _week(robust.median(hours), first_day))


def _cells(history: Panel, slot_us: int) -> FloatArray:
    """Mean value per day, slot of the day and series; NaN where there was none."""
    slots = DAY_US // slot_us
    first = history.times[0] // DAY_US
    place = (history.times // slot_us - first * slots).astype(int)
    days = int(history.times[-1] // DAY_US - first) + 1
    columns = []
    for values in history.values.T:
        known = np.isfinite(values)
        count = np.bincount(place[known], minlength=days * slots)
        total = np.bincount(place[known], weights=values[known], minlength=days * slots)
        columns.append(np.where(count > 0, total / np.maximum(count, 1), np.nan))
    return np.stack(columns, axis=1).reshape(days, slots, -1)


def _week(hours: FloatArray, first_day: int) -> FloatArray:
    """What the hour of the week adds, from days x 24 x series of differences to the time-of-day level."""
    adds = []
    for weekday in range(7):
        same = hours[(np.arange(len(hours)) + first_day + 3) % 7 == weekday]
        weeks = np.isfinite(same).sum(axis=0)
        adds.append(np.where(weeks >= _WEEKS_FOR_MEDIAN, np.nan_to_num(robust.median(same)), _agreed(same, weeks)))
    return np.concatenate(adds)


def _agreed(same: FloatArray, weeks: TimeArray) -> FloatArray:
    """The smallest difference where two weeks or more differ to the same side, else 0: one odd week teaches nothing."""
    low = np.where(np.isnan(same), np.inf, same).min(axis=0, initial=np.inf)
    high = np.where(np.isnan(same), -np.inf, same).max(axis=0, initial=-np.inf)
    agreed = np.where(low > 0, low, np.where(high < 0, high, 0.0))
    return np.where(weeks >= 2, agreed, 0.0)


def _filled(day: FloatArray) -> FloatArray:
    """Slots that were never seen take the series' median level; 0 where the series was never seen."""
    return np.where(np.isfinite(day), day, np.nan_to_num(robust.median(day)))
