"""The synthetic shop's dozen services: who calls whom, and the level of each metric on an ordinary day."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from components.telemetry.shop.noise import Floats


@dataclass(frozen=True)
class Service:
    """One service at mean load.

    `calls` maps a callee to the share of its latency and errors that this service inherits; `own_ms` is the time
    spent in the service itself; `error` a fraction; cpu, memory, disk, io, threads and pool are percentages,
    first the part that is always there and, where there are two numbers, the part that grows with load.
    """

    name: str
    rate: float
    own_ms: float
    calls: Mapping[str, float] = field(default_factory=dict)
    error: float = 0.004
    cpu: tuple[float, float] = (8.0, 15.0)
    memory: float = 52.0
    swap: float = 13.0
    disk: float = 40.0
    rotation_h: float = 0.0  # hours between log rotations that free a visible part of the disk; 0: none
    io: tuple[float, float] = (6.0, 10.0)
    threads: tuple[float, float] = (11.0, 16.0)
    queued: float = 8.0
    gc: float | None = None  # % of time; None: not a garbage-collected runtime
    pool: tuple[float, float] | None = None
    database: bool = False
    lag_s: float | None = None


SERVICES: tuple[Service, ...] = (
    Service(
        "frontend",
        80,
        14,
        {"catalogue": 0.7, "search": 0.4, "cart": 0.4, "checkout": 0.35},
        0.003,
        cpu=(10, 17),
        memory=46,
        disk=36,
        rotation_h=24,
        gc=1.8,
        queued=14,
    ),
    Service("cart", 26, 9, {"cache": 1.0}, 0.004, cpu=(6, 12), memory=55, gc=2.2, queued=6),
    Service(
        "checkout",
        6,
        30,
        {"cart": 0.8, "payment": 1.0, "shipping": 0.6, "orders-db": 1.0, "queue": 0.8},
        0.006,
        cpu=(9, 16),
        memory=58,
        gc=2.6,
        pool=(18, 16),
        queued=7,
        threads=(13, 20),
    ),
    Service("payment", 6, 45, {"orders-db": 0.8}, 0.005, cpu=(7, 11), memory=50, gc=2.0, pool=(16, 14), queued=5),
    Service(
        "catalogue",
        70,
        14,
        {"cache": 0.8, "catalogue-db": 0.7},
        0.004,
        cpu=(9, 17),
        memory=57,
        gc=2.4,
        pool=(18, 17),
        queued=11,
        disk=44,
    ),
    Service(
        "search",
        24,
        35,
        {"catalogue": 0.5, "cache": 0.6},
        0.005,
        cpu=(12, 20),
        memory=60,
        gc=3.0,
        disk=52,
        rotation_h=12,
        io=(9, 15),
        queued=9,
    ),
    Service("shipping", 6, 18, {"orders-db": 0.7}, 0.004, cpu=(6, 10), memory=48, gc=1.9, pool=(15, 12), queued=5),
    Service("email", 5, 60, {}, 0.006, cpu=(5, 9), memory=44, queued=110, gc=1.6, threads=(17, 18)),
    Service(
        "cache",
        150,
        1.2,
        {},
        0.001,
        cpu=(7, 14),
        memory=64,
        swap=8,
        disk=22,
        io=(3, 5),
        threads=(9, 15),
        lag_s=0.4,
        queued=4,
    ),
    Service("queue", 9, 3, {"email": 0.3}, 0.0018, cpu=(6, 11), memory=49, disk=38, io=(10, 16), queued=140),
    Service(
        "orders-db",
        22,
        10,
        {},
        0.003,
        cpu=(10, 16),
        memory=66,
        swap=16,
        disk=47,
        io=(14, 22),
        pool=(21, 18),
        database=True,
        lag_s=1.6,
        queued=6,
    ),
    Service(
        "catalogue-db",
        46,
        8,
        {},
        0.0025,
        cpu=(11, 17),
        memory=63,
        swap=15,
        disk=55,
        rotation_h=8,
        io=(12, 20),
        pool=(20, 17),
        database=True,
        lag_s=1.2,
        queued=6,
    ),
)
NAMES: tuple[str, ...] = tuple(service.name for service in SERVICES)
INDEX: Mapping[str, int] = {name: row for row, name in enumerate(NAMES)}

_HOST = (
    "cpu_utilization",
    "disk_io_utilization",
    "disk_usage_percent",
    "inode_usage_percent",
    "memory_pressure_gradual",
    "network_packet_errors",
    "swap_usage_trend",
)
_REQUESTS = ("error_rate_trend", "latency_p99_trend", "request_queue_depth", "request_rate", "thread_pool_saturation")
_DATABASE = ("query_execution_time_trend", "slow_query_rate", "transaction_rollback_rate")


def metrics_of(service: Service) -> tuple[str, ...]:
    """The names of the metrics this service reports, sorted."""
    names = [*_HOST, *_REQUESTS]
    if service.gc is not None:
        names.append("garbage_collection_time")
    if service.pool is not None:
        names.append("connection_pool_utilization")
    if service.lag_s is not None:
        names.append("replication_lag")
    if service.database:
        names.extend(_DATABASE)
    return tuple(sorted(names))


def call_graph() -> list[tuple[str, str]]:
    """Every (caller, callee), sorted."""
    return sorted((service.name, callee) for service in SERVICES for callee in service.calls)


def callers_of(name: str) -> tuple[str, ...]:
    """Every service that calls this one, directly or through others; nearest first."""
    found: list[str] = []
    frontier = [name]
    while frontier:
        callers = [s.name for s in SERVICES if set(frontier) & set(s.calls) and s.name not in found]
        found.extend(callers)
        frontier = callers
    return tuple(found)


def leaves_first() -> list[Service]:
    """The services ordered so that every callee comes before its callers."""
    ordered: list[Service] = []
    while len(ordered) < len(SERVICES):
        done = {service.name for service in ordered}
        ordered += [s for s in SERVICES if s.name not in done and set(s.calls) <= done]
    return ordered


def column(values: Iterable[float | None]) -> Floats:
    """One number per service as a column vector; a missing one counts as zero."""
    return np.array([value or 0.0 for value in values], dtype=np.float64)[:, None]
