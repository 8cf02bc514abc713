"""What is unusual about an anomalous value, in words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from components.anomaly.detector import Scores
from components.anomaly.panel import DAY_US, HOUR_US, Panel
from components.anomaly.profile import hour_of_week

_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
#: From this ratio on "3.2×" reads better than a percentage.
_TIMES = 1.5


def describe(panel: Panel, scores: Scores, seasons: Sequence[int] | np.ndarray) -> list[list[str]]:
    """A reason for every anomalous value (rows by columns), empty text elsewhere.

    seasons: per column 0 where the usual level is the recent one, 1 by hour of the day, 2 by hour of the week.
    """
    words = [[""] * panel.values.shape[1] for _ in range(len(panel))]
    for row, column in np.argwhere(scores.columns > 1):
        value, expected = float(panel.values[row, column]), float(scores.expected[row, column])
        words[row][column] = reason(value, expected, level_name(int(panel.times[row]), int(seasons[column])))
    return words


def level_name(time_us: int, season: int) -> str:
    """What the expected value is called: "recent level", "usual 09:00 level" or "usual Monday 09:00 level"."""
    hour = f"{time_us % DAY_US // HOUR_US:02d}:00"
    if season == 0:
        return "recent level"
    weekday = _WEEKDAYS[int(hour_of_week(np.array([time_us]))[0]) // 24]
    return f"usual {weekday} {hour} level" if season > 1 else f"usual {hour} level"


def reason(value: float, expected: float, level: str) -> str:
    """A value against its level, such as "3.2× the usual Monday 09:00 level (41, usual 13)"."""
    if not np.isfinite(value) or not np.isfinite(expected):
        return "an unusual combination of the service's metrics"
    figures = f"({value:.3g}, usual {expected:.3g})"
    ratio = value / expected if expected * value > 0 else np.inf
    if _TIMES <= ratio < 1000 or 0.001 < ratio <= 1 / _TIMES:
        return f"{ratio:.2g}× the {level} {figures}" if ratio < 100 else f"{ratio:.0f}× the {level} {figures}"
    side = "above" if value > expected else "below"
    if np.isfinite(ratio) and 0.001 < ratio < 1000:
        return f"{abs(ratio - 1):.0%} {side} the {level} {figures}"
    return f"{side} the {level} {figures}"
