"""The one curve that drives the synthetic shop: how much its customers ask of it, 1 on average."""

from __future__ import annotations

import numpy as np

from components.telemetry.shop.noise import Floats, Ints, stream, textured

TICK_S = 30
DAY_S = 86_400
# The highest load of an ordinary week, against which sampling rates are set.
PEAK = 1.5

# Quarter-hourly, two-hourly and half-daily swings, in ticks of 30 s.
_TEXTURE = {30: 0.5, 240: 1.0, 1440: 0.8}


def season(seconds: Floats) -> Floats:
    """Daily rhythm (lowest at 03:30, highest in the evening, UTC) times weekly rhythm (Sunday lowest)."""
    hour = 2.0 * np.pi * (seconds / DAY_S)
    lowest = 2.0 * np.pi * 3.5 / 24.0
    daily = 1.0 - 0.46 * np.cos(hour - lowest) - 0.10 * np.cos(2.0 * (hour - lowest) + 0.9)
    # 1 January 1970 was a Thursday: day 3 after it is a Sunday.
    weekly = 1.0 - 0.07 * np.cos(2.0 * np.pi * (seconds / DAY_S - 3.5) / 7.0)
    curve: Floats = daily * weekly
    return curve


def seconds_of(ticks: Ints) -> Floats:
    """Unix seconds of these ticks."""
    return ticks.astype(np.float64) * float(TICK_S)


def traffic(seed: int, ticks: Ints, bump: Floats) -> Floats:
    """Load at each tick, shape (1, ticks); `bump` is the relative extra of sales."""
    keys = np.array([stream(seed, "traffic")], dtype=np.uint64)
    wander = np.exp(0.035 * textured(keys, ticks, _TEXTURE))
    return season(seconds_of(ticks))[None, :] * wander * (1.0 + bump)
