"""The synthetic shop's change log: harmless deployments and migrations, and the few changes that did harm."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta

import polars as pl

from components.core.schema import TABLES
from components.core.times import Window
from components.telemetry.shop.faults import RECIPES, Event, Fault
from components.telemetry.shop.noise import draw, stream
from components.telemetry.shop.services import SERVICES

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_WEEK = timedelta(days=7)
# The change stands in the log shortly before its effect and its repair shortly before the end of it.
_BEFORE = timedelta(seconds=50)
_VERBS = ("create", "drop", "rename")
_TABLES, _COLUMNS = ("orders", "items", "prices", "stock"), ("ref", "sku", "customer", "created")


def changes_frame(seed: int, events: Iterable[Event], window: Window) -> pl.DataFrame:
    """Schema `changes`, sorted by time."""
    rows = [*_harmless(seed, window), *(row for event in events for row in _harmful(seed, event.fault))]
    inside = sorted(row for row in rows if window.start <= row[0] < window.end)
    return pl.DataFrame(inside, schema=dict(TABLES["changes"].columns), orient="row")


def _harmless(seed: int, window: Window) -> Iterator[tuple[datetime, str, str]]:
    """About one deployment per service and week, on working days, and now and then a setting or an index."""
    for week in range((window.start - _EPOCH) // _WEEK, (window.end - _EPOCH) // _WEEK + 1):
        for service in SERVICES:
            # Unix weeks begin on a Thursday: days 0, 1, 4, 5 and 6 are working days.
            day = (0, 1, 4, 5, 6)[int(5 * draw(seed, "deploy day", service.name, week))]
            seconds = 8 * 3600 + int(9 * 3600 * draw(seed, "deploy second", service.name, week))
            at = _EPOCH + week * _WEEK + timedelta(days=day, seconds=seconds)
            yield at, service.name, _harmless_text(seed, service.name, service.database, week)


def _harmless_text(seed: int, service: str, database: bool, week: int) -> str:
    if database:
        index = f"idx_{_pick(seed, _TABLES, service, week)}_{_pick(seed, _COLUMNS, service, week)}"
        return f"migration {_version(seed, service, week)}: {_pick(seed, _VERBS, service, week)} index {index}"
    if draw(seed, "config", service, week) < 0.15:
        return f"config {service}: log level set to info"
    return f"deploy {service} {_version(seed, service, week)}"


def _harmful(seed: int, fault: Fault) -> Iterator[tuple[datetime, str, str]]:
    recipe = None if fault.decoy else RECIPES[fault.kind]
    if recipe is None or recipe.change is None or recipe.repair is None:
        return
    week = (fault.end - _EPOCH) // _WEEK
    words = {
        "service": fault.service,
        "version": _version(seed, fault.service, week, patch=1),
        "previous": _version(seed, fault.service, week),
        "table": _pick(seed, _TABLES, fault.id, week),
        "column": _pick(seed, _COLUMNS, fault.id, week),
    }
    yield fault.start - _BEFORE, fault.service, recipe.change.format(**words)
    yield fault.end - 2 * _BEFORE, fault.service, recipe.repair.format(**words)


def _version(seed: int, service: str, week: int, patch: int = 0) -> str:
    patch += stream(seed, "patch", service, week) % 9
    return f"{3 + stream(seed, 'major', service) % 4}.{week % 100}.{patch}"


def _pick(seed: int, names: tuple[str, ...], *key: object) -> str:
    return names[stream(seed, "pick", *names, *key) % len(names)]
