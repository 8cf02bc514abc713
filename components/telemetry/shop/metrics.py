"""The synthetic shop's metrics at 30 s, derived from its state: every number follows load, strain, knobs and noise."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from components.core.schema import TABLES
from components.core.times import TIME_DTYPE
from components.telemetry.shop.effects import Effect
from components.telemetry.shop.noise import Floats, Ints, stream, streams, textured
from components.telemetry.shop.services import INDEX, NAMES, SERVICES, column, metrics_of
from components.telemetry.shop.state import State, state_at
from components.telemetry.shop.traffic import TICK_S, seconds_of

DECIMALS = 3
# Periods in ticks of 30 s: quick metrics jitter from sample to sample, slow ones wander over hours.
_QUICK = {1: 0.8, 4: 0.5, 20: 0.5, 120: 0.4, 720: 0.3}
_SLOW = {4: 0.15, 60: 0.5, 480: 1.0, 2880: 0.8}


def _levels(name: str, part: int) -> Floats:
    pairs = (getattr(service, name) for service in SERVICES)
    return column(pair[part] if pair else None for pair in pairs)


_RATE, _GC, _LAG = (column(getattr(s, name) for s in SERVICES) for name in ("rate", "gc", "lag_s"))
_MEMORY, _SWAP, _DISK = (column(getattr(s, name) for s in SERVICES) for name in ("memory", "swap", "disk"))
_QUEUED, _ROTATION_H = (column(getattr(s, name) for s in SERVICES) for name in ("queued", "rotation_h"))
_OWN_MS = column(service.own_ms for service in SERVICES)
# Which database's strain a service's connections wait for: the database's own, or its client's callee.
_POOL_OF = [
    INDEX[next((callee for callee in service.calls if callee.endswith("-db")), service.name)] for service in SERVICES
]


@dataclass(frozen=True)
class Panel:
    """The state together with the seed: what a metric's formula needs."""

    seed: int
    state: State

    def noise(self, metric: str, texture: Mapping[int, float] = _QUICK) -> Floats:
        return textured(streams(self.seed, metric, NAMES), self.state.ticks, dict(texture))

    def factor(self, metric: str, spread: float) -> Floats:
        """Log-normal noise around 1."""
        factor: Floats = np.exp(spread * self.noise(metric))
        return factor

    def sawtooth(self, metric: str, period_h: Floats) -> Floats:
        """Rises from 0 to 1 and falls back at once, every `period_h` hours, out of step between services."""
        offset = np.array([[stream(self.seed, metric, "offset", name) % 86_400] for name in NAMES], dtype=np.float64)
        seconds = seconds_of(self.state.ticks)
        teeth: Floats = (seconds[None, :] + offset) / (3600.0 * np.maximum(period_h, 1e-9)) % 1.0
        return teeth


def _cpu(panel: Panel) -> Floats:
    state = panel.state
    noise = 1.6 * panel.noise("cpu_utilization")
    return _levels("cpu", 0) + _levels("cpu", 1) * state.load + noise + state.knobs("cpu")


def _disk_io(panel: Panel) -> Floats:
    state = panel.state
    noise = panel.factor("disk_io_utilization", 0.10)
    return (_levels("io", 0) + _levels("io", 1) * state.load) * noise + state.knobs("io")


def _disk_usage(panel: Panel) -> Floats:
    logs = np.where(_ROTATION_H > 0.0, 13.0 * panel.sawtooth("rotation", _ROTATION_H), 0.0)
    weekly = 1.5 * panel.sawtooth("cleanup", np.full((1, 1), 168.0))
    wander = 0.12 * panel.noise("disk_usage_percent") + 0.35 * panel.noise("disk_usage", _SLOW)
    return _DISK + logs + weekly + wander + panel.state.knobs("disk_fill") * (100.0 - _DISK)


def _inodes(panel: Panel) -> Floats:
    weekly = 0.8 * panel.sawtooth("cleanup", np.full((1, 1), 168.0))
    wander = 0.06 * panel.noise("inode_usage_percent") + 0.25 * panel.noise("inode_usage", _SLOW)
    return 12.0 + 0.2 * _DISK + weekly + wander + panel.state.knobs("inodes")


def _memory(panel: Panel) -> Floats:
    """Collected runtimes show the saw teeth of their heap; a leak lifts the floor and shrinks the teeth."""
    state = panel.state
    filled = state.knobs("memory_fill")
    teeth = np.where(_GC > 0.0, 3.5 * panel.sawtooth("heap", np.full((1, 1), 0.8)), 0.0) * (1.0 - 0.9 * filled)
    wander = 0.35 * panel.noise("memory_pressure_gradual") + 1.7 * panel.noise("memory_pressure", _SLOW)
    level = _MEMORY + 2.5 * (state.load - 1.0) + wander * (1.0 - 0.6 * filled) + teeth
    return level + filled * (100.0 - _MEMORY)


def _swap(panel: Panel) -> Floats:
    wander = 0.25 * panel.noise("swap_usage_trend") + 2.4 * panel.noise("swap_usage", _SLOW)
    return _SWAP + wander + panel.state.knobs("swap")


def _packet_errors(panel: Panel) -> Floats:
    return 1.2 * panel.factor("network_packet_errors", 0.5) + panel.state.knobs("packets")


def _error_rate(panel: Panel) -> Floats:
    return 100.0 * panel.state.error * panel.factor("error_rate_trend", 0.3)


def _latency_p99(panel: Panel) -> Floats:
    return 2.9 * panel.state.latency_ms * panel.factor("latency_p99_trend", 0.07)


def _queue_depth(panel: Panel) -> Floats:
    state = panel.state
    depth = _QUEUED * (0.4 + 0.6 * state.load) * state.strain**0.8 * panel.factor("request_queue_depth", 0.22)
    return depth + state.knobs("queued")


def _request_rate(panel: Panel) -> Floats:
    return _RATE * panel.state.load * panel.factor("request_rate", 0.03)


def _threads(panel: Panel) -> Floats:
    state = panel.state
    busy = _levels("threads", 0) + _levels("threads", 1) * state.load * state.strain**0.6
    return busy + 1.8 * panel.noise("thread_pool_saturation") + state.knobs("threads")


def _gc(panel: Panel) -> Floats:
    state = panel.state
    return _GC * (0.6 + 0.4 * state.load) * panel.factor("garbage_collection_time", 0.3) + state.knobs("gc")


def _pool(panel: Panel) -> Floats:
    state = panel.state
    busy = _levels("pool", 0) + _levels("pool", 1) * state.load * state.strain[_POOL_OF] ** 0.5
    noise = panel.noise("connection_pool_utilization")
    # A full pool still flickers as connections change hands.
    full: Floats = np.minimum(busy + 2.2 * noise + state.knobs("pool"), 98.9 + 0.35 * noise)
    return full


def _query_time(panel: Panel) -> Floats:
    return panel.state.own_ms * panel.factor("query_execution_time_trend", 0.09)


def _slow_queries(panel: Panel) -> Floats:
    state = panel.state
    slowness = state.own_ms / _OWN_MS
    return 0.02 * _RATE * state.load * slowness * panel.factor("slow_query_rate", 0.25) + state.knobs("slow_queries")


def _lag(panel: Panel) -> Floats:
    state = panel.state
    return _LAG * (0.5 + 0.5 * state.load) * panel.factor("replication_lag", 0.32) + state.knobs("lag")


def _rollbacks(panel: Panel) -> Floats:
    state = panel.state
    failing = 1.0 + 6.0 * state.error + state.knobs("rollbacks")
    return 0.02 * _RATE * state.load * failing * panel.factor("transaction_rollback_rate", 0.22)


FORMULAS: Mapping[str, Callable[[Panel], Floats]] = {
    "connection_pool_utilization": _pool,
    "cpu_utilization": _cpu,
    "disk_io_utilization": _disk_io,
    "disk_usage_percent": _disk_usage,
    "error_rate_trend": _error_rate,
    "garbage_collection_time": _gc,
    "inode_usage_percent": _inodes,
    "latency_p99_trend": _latency_p99,
    "memory_pressure_gradual": _memory,
    "network_packet_errors": _packet_errors,
    "query_execution_time_trend": _query_time,
    "replication_lag": _lag,
    "request_queue_depth": _queue_depth,
    "request_rate": _request_rate,
    "slow_query_rate": _slow_queries,
    "swap_usage_trend": _swap,
    "thread_pool_saturation": _threads,
    "transaction_rollback_rate": _rollbacks,
}
# Percentages of something that is full at 100; the pool and thread metrics stop just there.
_PERCENT = {
    name for name in FORMULAS if name.endswith(("_percent", "_utilization", "_saturation", "_trend", "_gradual"))
}
_PERCENT = (_PERCENT | {"garbage_collection_time"}) - {"latency_p99_trend", "query_execution_time_trend"}
SERIES: tuple[tuple[str, str], ...] = tuple((s.name, metric) for s in SERVICES for metric in metrics_of(s))


def values(seed: int, effects: Iterable[Effect], ticks: Ints, metrics: Iterable[str] = FORMULAS) -> dict[str, Floats]:
    """The values of these metrics, one row per service (also where a service lacks the metric), one column per tick."""
    panel = Panel(seed, state_at(seed, effects, ticks))
    bounded = {}
    for metric in metrics:
        level: Floats = np.clip(FORMULAS[metric](panel), 0.0, 100.0 if metric in _PERCENT else np.inf)
        rounded: Floats = np.round(level, DECIMALS)
        bounded[metric] = rounded
    return bounded


def metrics_frame(seed: int, effects: Iterable[Effect], ticks: Ints) -> pl.DataFrame:
    """Schema `metrics`, ordered by time, then service and metric as in `SERIES`."""
    if not len(ticks):
        return TABLES["metrics"].empty().drop("attributes")
    by_metric = values(seed, effects, ticks)
    table = np.stack([by_metric[metric][INDEX[service]] for service, metric in SERIES], axis=1)
    names = pl.DataFrame(
        {
            "service": [service for service, _ in SERIES] * len(ticks),
            "instance": [f"{service}-1" for service, _ in SERIES] * len(ticks),
            "metric": [metric for _, metric in SERIES] * len(ticks),
        }
    )
    times = pl.Series("timestamp", np.repeat(ticks * (TICK_S * 1_000_000), len(SERIES))).cast(pl.Datetime("us"))
    return names.select(
        times.dt.replace_time_zone("UTC").cast(TIME_DTYPE),
        "service",
        "metric",
        pl.Series("value", table.ravel()),
        "instance",
    )
