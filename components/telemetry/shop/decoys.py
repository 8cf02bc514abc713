"""What looks like trouble in the synthetic shop and is none: log rotation, the nightly batch, flash sales."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from components.telemetry.shop.effects import Effect, unix
from components.telemetry.shop.faults import Event, Fault
from components.telemetry.shop.noise import draw
from components.telemetry.shop.services import SERVICES

_DAY = timedelta(days=1)
_YEAR = timedelta(days=366)
# The weekly sale: Thursdays, 18:40 UTC. Unix day 0 was a Thursday.
_SALE_AT = timedelta(hours=18, minutes=40)
_SALE_MINUTES = 45
_BATCH_AT = timedelta(hours=2, minutes=10)

_BATCH = (
    ("orders-db", "io", 30.0),
    ("orders-db", "cpu", 16.0),
    ("orders-db", "pool", 9.0),
    ("orders-db", "lag", 1.6),
    ("catalogue-db", "io", 26.0),
    ("catalogue-db", "cpu", 13.0),
    ("search", "io", 18.0),
    ("search", "cpu", 10.0),
)


def decoys(seed: int, anchor: datetime, start: datetime, end: datetime) -> Iterator[Event]:
    """The recurring decoys that are felt in [start, end); the last day's own sale is not among them."""
    day = start.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - _DAY
    while day < end:
        yield _nightly_batch(seed, day)
        sale = day + _SALE_AT
        near = anchor - 1.25 * _DAY < sale < anchor + timedelta(hours=3)
        if int(unix(day)) // 86_400 % 7 == 0 and not near:
            yield flash_sale(sale, sale + timedelta(minutes=_SALE_MINUTES))
        day += _DAY
    for service in SERVICES:
        if service.rotation_h:
            metric = "disk_usage_percent"
            yield _decoy("log_rotation", service.name, metric, "disk", (anchor - _YEAR, anchor + _YEAR), ())


def flash_sale(start: datetime, end: datetime) -> Event:
    """A sale that nearly doubles the traffic for a while; the platform carries it."""
    effect = Effect("frontend", "traffic", 0.8, unix(start), unix(end), rise_s=420.0)
    return _decoy("flash_sale", "frontend", "request_rate", "traffic", (start, end), (effect,))


def _nightly_batch(seed: int, day: datetime) -> Event:
    late = timedelta(minutes=int(6 * draw(seed, "batch", unix(day))))
    start, end = day + _BATCH_AT + late, day + _BATCH_AT + late + timedelta(minutes=42)
    effects = tuple(Effect(name, knob, amount, unix(start), unix(end)) for name, knob, amount in _BATCH)
    return _decoy("nightly_batch", "orders-db", "disk_io_utilization", "disk", (start, end), effects)


def _decoy(
    kind: str, service: str, metric: str, cause: str, times: tuple[datetime, datetime], effects: tuple[Effect, ...]
) -> Event:
    start, end = times
    name = f"{kind}-{service}-{end:%Y%m%dT%H%M}"
    fault = Fault(name, kind, service, metric, start, end, cause, acute_start=start, decoy=True)
    return Event(fault, effects)
