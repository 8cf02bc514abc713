"""Whether anything is abnormal at all, judged by what the same procedure finds in the normal period."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from components.rootcause.signals import MAX_STRENGTH, Signal, strength

#: Below so many normal windows their largest finding says nothing; then only the bar of each series counts.
_MIN_WINDOWS = 6
#: Doublings by which the incident must stand out: a dozen windows do not show how large the usual can get.
_MARGIN = 0.7


@dataclass(frozen=True)
class Alarm:
    """found: the strongest signal of the incident; usual: the strongest of all normal windows but one in twenty."""

    found: float
    usual: float
    windows: int

    @property
    def abnormal(self) -> bool:
        return self.found > self.usual + _MARGIN


def alarm(signals: Sequence[Signal], min_deviation: float) -> Alarm:
    """Compare the strongest signal with the strongest ones of the case's normal windows."""
    found = max((s.strength for s in signals), default=0.0)
    slots: dict[int, float] = defaultdict(float)
    for signal in signals:
        item = signal.deviation
        if item is None or not len(item.normal_at):
            continue
        width = float(np.median(np.diff(item.normal_at))) if len(item.normal_at) > 1 else 1.0
        for at, z in zip(item.normal_at, item.normal_z, strict=True):
            slot = int(at // max(width, 1.0))
            slots[slot] = max(slots[slot], signal.weight * strength(float(z), item.noise, min_deviation))
    usual = float(np.quantile(list(slots.values()), 0.95)) if len(slots) >= _MIN_WINDOWS else 0.0
    return Alarm(found, min(usual, MAX_STRENGTH - 1), len(slots))
