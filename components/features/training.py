"""At which instants a training set looks at the series."""

from __future__ import annotations

from datetime import datetime, timedelta

from components.core.times import Window, floor
from components.features.aggregates import STEP


def instants(window: Window, series: int, max_rows: int) -> list[datetime]:
    """Instants in (start, end], evenly spaced by a whole number of five minutes, the last at the end.

    The stride is the smallest with which `series` × instants stays within `max_rows`.
    """
    end = floor(window.end, STEP)
    steps = max(0, (end - window.start) // STEP)
    allowed = max(1, max_rows // max(1, series))
    stride = max(1, -(-steps // allowed))
    return [end - i * stride * STEP for i in range(-(-steps // stride))][::-1]


def stride_min(chosen: list[datetime]) -> float:
    """Minutes between two instants; the step of the features where there is one instant or none."""
    apart = chosen[1] - chosen[0] if len(chosen) > 1 else STEP
    return apart / timedelta(minutes=1)
