"""What a fault or a decoy does to the platform: a knob of one service, moved for some time.

Knobs are added to zero. `own_ms`, `traffic` and `rollbacks` are relative (0.5 is half as much again), `error` is a
fraction of requests, `memory_fill` and `disk_fill` are fractions of the room that is left on an ordinary day, and
every other knob is in its metric's unit.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from components.telemetry.shop.noise import Floats
from components.telemetry.shop.services import INDEX, NAMES

RISE_S = 150.0
FALL_S = 90.0


@dataclass(frozen=True)
class Effect:
    """`amount` on `knob` of `service` between `start` and `end` (Unix seconds).

    With power 0 the amount is reached within `rise_s` and held; otherwise it grows as a power of the elapsed share.
    """

    service: str
    knob: str
    amount: float
    start: float
    end: float
    power: float = 0.0
    rise_s: float = RISE_S

    def at(self, seconds: Floats) -> Floats:
        """The amount at each instant."""
        elapsed, left = seconds - self.start, self.end - seconds
        leaving = np.clip(left / FALL_S, 0.0, 1.0)
        if self.power == 0.0:
            return self.amount * np.minimum(np.clip(elapsed / self.rise_s, 0.0, 1.0), leaving)
        share = np.clip(elapsed / (self.end - self.start), 0.0, 1.0)
        return self.amount * share**self.power * leaving


@dataclass(frozen=True)
class Knobs:
    """The sum of all effects at the given instants, by knob."""

    seconds: Floats
    effects: tuple[Effect, ...]

    def __call__(self, knob: str) -> Floats:
        """One row per service; a single zero where nothing moves the knob, so that adding it costs nothing."""
        moving = [effect for effect in self.effects if effect.knob == knob]
        if not moving:
            return np.zeros((1, 1))
        total = np.zeros((len(NAMES), len(self.seconds)))
        for effect in moving:
            total[INDEX[effect.service]] += effect.at(self.seconds)
        return total


def active(effects: Iterable[Effect], start: float, end: float) -> tuple[Effect, ...]:
    """The effects that are felt anywhere in [start, end)."""
    return tuple(effect for effect in effects if effect.start < end and effect.end > start)


def unix(instant: datetime) -> float:
    """Seconds since 1970."""
    return instant.timestamp()
