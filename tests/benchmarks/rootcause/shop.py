"""The synthetic shop's faults of 30 days, and its harmless decoys, cut around the moment they begin to be felt.

Noticed at the outermost service that feels it, halfway through but ten minutes after it begins to be felt at most; what
grows slowly (memory, swap) shows in its own metric first, so it is noticed there and halfway. A decoy is noticed at its
own service.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import polars as pl

from components.core.times import Window
from components.rootcause.case import COLUMNS, Case, Incident
from components.telemetry.shop import Fault, Shop
from tests.benchmarks.rootcause.labelled import Labelled

ANCHOR = datetime(2026, 3, 14, 12, tzinfo=UTC)
_BEFORE, _AFTER, _NOTICED = timedelta(hours=2), timedelta(minutes=10), timedelta(minutes=10)
_SLOW = ("memory_leak", "swap_growth")


def incidents(seed: int, days: int = 30) -> list[Labelled]:
    return [_labelled(shop, fault, seed) for shop, fault in _faults(seed, days) if not fault.decoy]


def decoys(seed: int, days: int = 30) -> list[Labelled]:
    return [_labelled(shop, fault, seed) for shop, fault in _faults(seed, days) if fault.decoy]


def _faults(seed: int, days: int) -> Iterator[tuple[Shop, Fault]]:
    shop = Shop(seed, ANCHOR)
    for fault in shop.faults(Window(ANCHOR - timedelta(days=days), ANCHOR)):
        if ANCHOR - timedelta(days=days) + _BEFORE < fault.acute_start < ANCHOR - _AFTER:
            yield shop, fault


def _labelled(shop: Shop, fault: Fault, seed: int) -> Labelled:
    begins = fault.start if fault.decoy else fault.acute_start
    half = (fault.end - begins) / 2
    at = begins + (half if fault.kind in _SLOW else min(_NOTICED, half))
    window = Window(at - _BEFORE, at + _AFTER)
    slow = fault.kind in _SLOW
    noticed = fault.affected[-1] if fault.affected and not fault.decoy and not slow else fault.service
    case = Case(
        Incident(at, noticed, fault.metric if slow else None),
        metrics=_table("metrics", shop.metrics(window)),
        spans=_table("spans", shop.spans(window)),
        logs=_table("logs", shop.logs(window)),
        changes=_table("changes", shop.changes(window)),
        calls=pl.DataFrame(shop.calls(), schema=dict(COLUMNS["calls"]), orient="row"),
    )
    service = None if fault.decoy else fault.service
    return Labelled(f"shop seed {seed}", fault.id, case, service, frozenset({fault.cause_kind}), (), 30.0)


def _table(name: str, frame: pl.DataFrame) -> pl.DataFrame:
    return frame.select(pl.col(column).cast(dtype) for column, dtype in COLUMNS[name].items())
