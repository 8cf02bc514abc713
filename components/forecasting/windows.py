"""Windows of histories as arrays for networks: a week known, a week ahead, in patches of six hours.

Each window stands on its own scale: the known week's median is taken away, its mean absolute deviation divides, and
asinh tames what is left. Networks learn what to add to an anchor, the median of the same hour on the known days, so
that one which has learnt nothing forecasts that.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from components.forecasting.model import Unfit
from components.forecasting.series import FloatArray, History

PATCH_H = 6
PATCHES = 28
LENGTH_H = PATCH_H * PATCHES
#: Hours that have to be known before a window, and after it for one that is learnt from.
LEAST_KNOWN_H, LEAST_AHEAD_H = 48, 24
DAY_H, WEEK_H = 24, 168
#: Widths of the parts of `past` and `future`, for networks that weigh them apart: values, known share, hour, weekday;
#: anchor, hour, weekday, lead.
PAST_PARTS, FUTURE_PARTS = (PATCH_H, 1, 2, 2), (PATCH_H, 2, 2, 1)
STATIC = 4


@dataclass(frozen=True)
class Windows:
    """Arrays with one row per window.

    past: (n, PATCHES, 11), oldest first. future: (n, PATCHES, 11), what is known of the week ahead. static: (n, 4).
    target: (n, PATCHES, PATCH_H) scaled values minus anchor, NaN where unknown. anchor: the same shape, scaled.
    centre, spread: (n,) in the series' unit.
    """

    past: FloatArray
    future: FloatArray
    static: FloatArray
    target: FloatArray
    anchor: FloatArray
    centre: FloatArray
    spread: FloatArray

    def __len__(self) -> int:
        return len(self.centre)

    def pick(self, rows: NDArray[Any]) -> Windows:
        """Some of the windows."""
        return Windows(*(getattr(self, field.name)[rows] for field in fields(Windows)))

    def values(self, found: FloatArray) -> FloatArray:
        """(n, LENGTH_H) values in the series' unit from what a network adds to the anchor, (n, PATCHES, PATCH_H)."""
        # Past twenty spreads asinh has been outrun: nothing that was learnt says so.
        scaled = np.clip(self.anchor + found, np.arcsinh(-20.0), np.arcsinh(20.0)).reshape(len(self), -1)
        values: FloatArray = self.centre[:, None] + self.spread[:, None] * np.sinh(scaled)
        return values


def newest(history: History) -> Windows:
    """The one window whose known week is the history's last; Unfit where the grid is not hourly or too short."""
    if history.day != DAY_H:
        raise Unfit("networks forecast hourly steps alone")
    if len(history) < LEAST_KNOWN_H:
        raise Unfit(f"networks need {LEAST_KNOWN_H} hours of history")
    return _windows(history, np.array([len(history)]))


def many(histories: Iterable[History], most: int) -> tuple[Windows, NDArray[np.intp]]:
    """Up to `most` windows of every hourly history, spread evenly, and the number of each one's history.

    Unfit where there is none to learn from.
    """
    parts: list[Windows] = []
    for history in histories:
        last = len(history) - LEAST_AHEAD_H
        if history.day == DAY_H and last >= LEAST_KNOWN_H and float(np.ptp(history.values)) > 0:
            count = min(most, last - LEAST_KNOWN_H + 1)
            parts.append(_windows(history, np.linspace(LEAST_KNOWN_H, last, count).astype(int)))
    if not parts:
        raise Unfit(f"nothing to learn from: networks need {LEAST_KNOWN_H + LEAST_AHEAD_H} hours of a changing series")
    joined = Windows(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Windows)))
    return joined, np.repeat(np.arange(len(parts)), [len(part) for part in parts])


def _windows(history: History, origins: NDArray[np.intp]) -> Windows:
    n = len(history)
    measured = history.values if history.observed is None else np.where(history.observed, history.values, np.nan)
    padded = np.concatenate([np.full(LENGTH_H, np.nan), history.values, np.full(LENGTH_H, np.nan)])
    truth = np.concatenate([np.full(LENGTH_H, np.nan), measured, np.full(LENGTH_H, np.nan)])
    known = sliding_window_view(padded, LENGTH_H)[origins]
    ahead = sliding_window_view(truth, LENGTH_H)[origins + LENGTH_H]
    centre = np.nanmedian(known, axis=1)
    spread = np.nanmean(np.abs(known - centre[:, None]), axis=1)
    # An idle week is on the scale of what its series did before.
    fallback = max(float(np.std(history.values)), 1e-9 * max(1.0, float(np.abs(history.values).max())))
    spread = np.where(spread > 1e-3 * fallback, spread, fallback)
    scaled = np.arcsinh((known - centre[:, None]) / spread[:, None])
    cycle = np.nanmedian(scaled.reshape(len(origins), -1, DAY_H), axis=1)
    anchor = np.tile(cycle, (1, LENGTH_H // DAY_H))
    target = np.arcsinh((ahead - centre[:, None]) / spread[:, None]) - anchor
    first = history.start.weekday() * DAY_H + history.start.hour
    clock = first + origins[:, None] + PATCH_H * np.arange(-PATCHES, PATCHES)
    cycles = np.stack([f(2 * np.pi * clock / period) for period in (DAY_H, WEEK_H) for f in (np.sin, np.cos)], axis=2)
    lead = np.broadcast_to(np.arange(PATCHES) / PATCHES, (len(origins), PATCHES))[..., None]
    patches = (len(origins), PATCHES, PATCH_H)
    present = np.isfinite(scaled).reshape(patches).mean(axis=2, keepdims=True)
    return Windows(
        past=np.concatenate([np.nan_to_num(scaled).reshape(patches), present, cycles[:, :PATCHES]], axis=2),
        future=np.concatenate([anchor.reshape(patches), cycles[:, PATCHES:], lead], axis=2),
        static=_static(known, scaled, cycle, centre, spread, n),
        target=target.reshape(patches),
        anchor=anchor.reshape(patches),
        centre=centre,
        spread=spread,
    )


def _static(
    known: FloatArray, scaled: FloatArray, cycle: FloatArray, centre: FloatArray, spread: FloatArray, length: int
) -> FloatArray:
    """What a window is like: level against spread, share of its commonest idle value, regularity, length of history."""
    idle = np.nanmean(known == np.nanmin(known, axis=1, keepdims=True), axis=1)
    rest = np.nanmean(np.abs(scaled.reshape(len(known), -1, DAY_H) - cycle[:, None]), axis=(1, 2))
    regular = rest / np.maximum(np.nanmean(np.abs(scaled), axis=1), 1e-9)
    months = np.full(len(known), min(length / (30 * DAY_H), 2.0))
    static: FloatArray = np.stack([np.arcsinh(centre / spread) / 5.0, idle, regular, months], axis=1)
    return static
