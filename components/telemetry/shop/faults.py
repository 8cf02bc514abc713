"""The kinds of fault and decoy that the synthetic shop knows, as data: where, how long, and what they move."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from components.telemetry.shop.effects import Effect


@dataclass(frozen=True)
class Fault:
    """Ground truth about one fault or harmless decoy; nothing of it is ever written into the telemetry.

    `service` and `metric` are the root cause and the metric that shows it first; `start` and `end` bound the whole
    effect, `acute_start` is where callers begin to feel it (later than `start` only for slow growth);
    `crosses_limit_at` is the first instant at which `metric` passes its limit in the catalogue, None where it never
    does. `affected` names the services that feel it, nearest first.
    """

    id: str
    kind: str
    service: str
    metric: str
    start: datetime
    end: datetime
    cause_kind: str
    acute_start: datetime
    failure_kind: str | None = None
    crosses_limit_at: datetime | None = None
    decoy: bool = False
    affected: tuple[str, ...] = ()


class Event(NamedTuple):
    """A fault or decoy with what it does to the platform; `strength` scales what the logs say about it."""

    fault: Fault
    effects: tuple[Effect, ...]
    strength: float = 1.0


class Push(NamedTuple):
    """One effect of a recipe, at the root cause unless `service` says otherwise."""

    knob: str
    amount: float
    power: float = 0.0
    rise_s: float = 150.0
    service: str | None = None


@dataclass(frozen=True)
class Recipe:
    """A kind of fault; `minutes` bounds the acute part, `lead_h` the slow growth before it.

    `limit` is the catalogue's limit for `metric` where the growth can be forecast, `change` and `repair` are what the
    change log says at its start and end.
    """

    services: tuple[str, ...]
    metric: str
    cause_kind: str
    minutes: tuple[float, float]
    pushes: tuple[Push, ...]
    lead_h: tuple[float, float] = (0.0, 0.0)
    failure_kind: str | None = None
    limit: float | None = None
    change: str | None = None
    repair: str | None = None


_JVM = ("cart", "checkout", "payment", "catalogue", "search")
_APPS = ("cart", "checkout", "payment", "catalogue", "search", "shipping")
_DATABASES = ("orders-db", "catalogue-db")

RECIPES: Mapping[str, Recipe] = {
    "memory_leak": Recipe(
        _JVM,
        "memory_pressure_gradual",
        "memory",
        (38, 45),
        (
            Push("memory_fill", 0.87, 1.0),
            Push("memory_fill", 0.09, 120.0),
            Push("gc", 4.0, 2.0),
            Push("gc", 13.0, 60.0),
            Push("cpu", 16.0, 40.0),
            Push("own_ms", 2.2, 150.0),
            Push("threads", 18.0, 150.0),
            Push("error", 0.035, 300.0),
        ),
        lead_h=(84.0, 110.0),
        failure_kind="memory",
        limit=95.0,
    ),
    "swap_growth": Recipe(
        ("orders-db", "catalogue-db", "search"),
        "swap_usage_trend",
        "memory",
        (110, 140),
        (
            Push("swap", 58.0, 1.2),
            Push("memory_fill", 0.45, 0.6),
            Push("io", 26.0, 1.0),
            Push("own_ms", 1.7, 3.0),
        ),
        failure_kind="swap",
        limit=80.0,
    ),
    "slow_queries": Recipe(
        _DATABASES,
        "query_execution_time_trend",
        "database",
        (30, 45),
        (Push("own_ms", 1.5), Push("slow_queries", 2.6), Push("cpu", 18.0), Push("io", 22.0)),
        change="migration {version}: drop index idx_{table}_{column}",
        repair="migration {version}: create index idx_{table}_{column}",
    ),
    "pool_exhaustion": Recipe(
        ("checkout", "payment", "shipping", "catalogue"),
        "connection_pool_utilization",
        "database",
        (30, 45),
        (
            Push("pool", 80.0, 0.0, 1100.0),
            Push("own_ms", 2.4, 1.5),
            Push("threads", 30.0, 1.0),
            Push("error", 0.03, 2.0),
            Push("rollbacks", 0.5, 1.0, 150.0, "orders-db"),
        ),
        failure_kind="connection_pool",
        limit=95.0,
    ),
    "queue_growth": Recipe(
        ("email",),
        "request_queue_depth",
        "latency",
        (35, 45),
        (
            Push("own_ms", 1.7),
            Push("queued", 640.0, 1.0),
            Push("threads", 34.0),
            Push("queued", 420.0, 1.1, 150.0, "queue"),
        ),
        failure_kind="queue",
        limit=1000.0,
    ),
    "replication_lag": Recipe(
        _DATABASES,
        "replication_lag",
        "database",
        (30, 45),
        (
            Push("lag", 9.0, 0.7),
            Push("io", 16.0),
            Push("own_ms", 0.6),
            Push("error", 0.006),
            Push("rollbacks", 2.0),
        ),
        failure_kind="replication",
        limit=60.0,
    ),
    "bad_release": Recipe(
        _APPS,
        "error_rate_trend",
        "code",
        (20, 35),
        (Push("error", 0.055, 0.0, 60.0), Push("own_ms", 0.18), Push("cpu", 4.0)),
        change="deploy {service} {version}",
        repair="rollback {service} to {previous}",
    ),
    "packet_errors": Recipe(
        _APPS,
        "network_packet_errors",
        "network",
        (20, 40),
        (Push("packets", 8.0), Push("own_ms", 1.1), Push("error", 0.014)),
    ),
    "noisy_neighbour": Recipe(
        _APPS,
        "cpu_utilization",
        "cpu",
        (25, 45),
        (Push("cpu", 44.0), Push("own_ms", 1.5), Push("threads", 14.0)),
    ),
    "disk_fill": Recipe(
        ("orders-db", "queue", "shipping"),
        "disk_usage_percent",
        "disk",
        (300, 420),
        (Push("inodes", 9.0, 1.0), Push("error", 0.04, 120.0), Push("own_ms", 0.8, 120.0)),
        failure_kind="disk",
        limit=95.0,
    ),
}
# Those that may strike at any time of the history and the future.
QUICK = (
    "slow_queries",
    "pool_exhaustion",
    "queue_growth",
    "replication_lag",
    "bad_release",
    "packet_errors",
    "noisy_neighbour",
    "swap_growth",
)
LAST_DAY = ("memory_leak", *QUICK)
