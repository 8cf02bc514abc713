"""The state of the synthetic shop at given ticks: load, own time, latency and errors, through the call tree."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from components.telemetry.shop.effects import Effect, Knobs, active
from components.telemetry.shop.noise import Floats, Ints, streams, textured
from components.telemetry.shop.services import INDEX, NAMES, SERVICES, column, leaves_first
from components.telemetry.shop.traffic import TICK_S, seconds_of, traffic

# How strongly a service slows down under load, and the periods of its own jitter in ticks of 30 s.
_CONGESTION = 0.10
_JITTER = {1: 0.8, 4: 0.6, 20: 0.6, 120: 0.6, 720: 0.4}

_OWN_MS = column(service.own_ms for service in SERVICES)
_ERROR = column(service.error for service in SERVICES)


@dataclass(frozen=True)
class State:
    """One row per service, one column per tick.

    `load` is relative to the mean; `own_ms` and `own_error` (a fraction) belong to the service itself,
    `latency_ms` and `error` include its callees; `strain` is latency relative to an ordinary day.
    """

    ticks: Ints
    knobs: Knobs
    load: Floats
    own_ms: Floats
    own_error: Floats
    latency_ms: Floats
    error: Floats

    @property
    def strain(self) -> Floats:
        return self.latency_ms / REFERENCE_MS


def state_at(seed: int, effects: Iterable[Effect], ticks: Ints) -> State:
    """The state at these ticks (30 s since 1970, ascending)."""
    seconds = seconds_of(ticks)
    felt = active(effects, float(seconds[0]), float(seconds[-1]) + TICK_S) if len(seconds) else ()
    knobs = Knobs(seconds, felt)
    sale = knobs("traffic")[:1]
    own_error = np.clip(_ERROR * _noise(seed, "own_error", ticks, 0.25) + knobs("error"), 0.0, 0.95)
    error = _inherit(own_error)
    demand = traffic(seed, ticks, sale) * _noise(seed, "load", ticks, 0.03)
    load = demand * (1.0 - _lost(error))
    own_ms = _OWN_MS * _noise(seed, "own_ms", ticks, 0.055) * (1.0 + knobs("own_ms"))
    own_ms = own_ms * (1.0 + _CONGESTION * demand * demand)
    return State(ticks, knobs, load, own_ms, own_error, _add_up(own_ms), error)


def _noise(seed: int, name: str, ticks: Ints, spread: float) -> Floats:
    """Log-normal noise around 1, one row per service."""
    noise: Floats = np.exp(spread * textured(streams(seed, name, NAMES), ticks, _JITTER))
    return noise


def _add_up(own_ms: Floats) -> Floats:
    """A service's latency is its own time and its share of its callees' latencies."""
    latency = own_ms.copy()
    for service in leaves_first():
        for callee, share in service.calls.items():
            latency[INDEX[service.name]] += share * latency[INDEX[callee]]
    return latency


def _inherit(own_error: Floats) -> Floats:
    """A request fails where the service fails or a callee it needs; retries and fallbacks absorb a fifth."""
    passed = 1.0 - own_error
    for service in leaves_first():
        for callee, share in service.calls.items():
            passed[INDEX[service.name]] *= 1.0 - 0.8 * share * (1.0 - passed[INDEX[callee]])
    return 1.0 - passed


def _lost(error: Floats) -> Floats:
    """The share of requests that never reach a service because the checkout before it failed."""
    lost = np.zeros_like(error)
    for name in ("payment", "shipping", "queue", "email"):
        lost[INDEX[name]] = error[INDEX["checkout"]]
    return lost


REFERENCE_MS = _add_up(_OWN_MS * (1.0 + _CONGESTION))
