"""The built-in source: a synthetic shop as a pure function of (seed, anchor, window)."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl

from components.core.errors import InputError
from components.core.times import Window
from components.telemetry.shop import changes, logs, metrics, spans
from components.telemetry.shop.effects import Effect, unix
from components.telemetry.shop.faults import RECIPES, Event, Fault
from components.telemetry.shop.noise import Ints
from components.telemetry.shop.script import Script
from components.telemetry.shop.services import INDEX, call_graph
from components.telemetry.shop.traffic import TICK_S

# Where the fault script lies unless the caller says: an arbitrary Saturday.
ANCHOR = datetime(2026, 1, 31, 12, tzinfo=UTC)
# The window of `faults()` when none is asked for, around the anchor.
_BEFORE, _AFTER = timedelta(days=30), timedelta(days=7)
# The most instants at which a fault's metric is compared with its limit: every fifteen minutes of a month.
_LOOKS = 3000
_MICROSECOND = timedelta(microseconds=1)
# Ticks and slots that a window cuts are computed whole.
_MARGIN = timedelta(seconds=2 * TICK_S)


class Shop:
    """A synthetic shop of a dozen services with faults whose truth is known.

    Every method is pure: any split of a window gives the same rows as the whole. The 24 hours before `anchor` hold
    one fault of every kind; InputError where `anchor` has no time zone.
    """

    def __init__(self, seed: int = 1, anchor: datetime = ANCHOR) -> None:
        if anchor.tzinfo is None:
            raise InputError(f"anchor {anchor.isoformat()} has no time zone; write it in UTC")
        self.seed, self.anchor = seed, anchor
        self._script = Script(seed, anchor)

    def metrics(self, window: Window) -> pl.DataFrame:
        """Schema `metrics` at 30 s: some 165 series, ordered by time."""
        return metrics.metrics_frame(self.seed, self._effects(window), _ticks(window))

    def spans(self, window: Window) -> pl.DataFrame:
        """Schema `spans`: about one sampled trace per ten seconds at peak; rows by the start of the span."""
        return spans.spans_frame(self.seed, self._effects(window, spans.LONGEST_TRACE_S), *_bounds_us(window))

    def logs(self, window: Window) -> pl.DataFrame:
        """Schema `logs`: some 25,000 lines a day in several formats, the traced ones with the ids of `spans`."""
        events = self._events(window, 2 * spans.LONGEST_TRACE_S)
        return logs.logs_frame(self.seed, events, *_bounds_us(window))

    def changes(self, window: Window) -> pl.DataFrame:
        """Schema `changes`: deployments, migrations and roll-backs."""
        return changes.changes_frame(self.seed, self._events(window, 600.0, later_s=600.0), window)

    def faults(self, window: Window | None = None) -> list[Fault]:
        """The truth about faults and decoys felt in `window` (from 30 days before to 7 after the anchor), by start."""
        window = window or Window(self.anchor - _BEFORE, self.anchor + _AFTER)
        return [self._with_crossing(event) for event in self._script.events(window.start, window.end)]

    def calls(self) -> list[tuple[str, str]]:
        """The true call graph as (caller, callee), sorted."""
        return call_graph()

    def _events(self, window: Window, earlier_s: float = 0.0, later_s: float = 0.0) -> list[Event]:
        """All that is felt in the window or so many seconds around it, where what it holds may have begun."""
        start = window.start - timedelta(seconds=earlier_s) - _MARGIN
        return self._script.events(start, window.end + timedelta(seconds=later_s) + _MARGIN)

    def _effects(self, window: Window, earlier_s: float = 0.0) -> list[Effect]:
        return [effect for event in self._events(window, earlier_s) for effect in event.effects]

    def _with_crossing(self, event: Event) -> Fault:
        """The fault with the instant at which its own metric, as generated, first passes its limit."""
        fault = event.fault
        limit = None if fault.decoy else RECIPES[fault.kind].limit
        if limit is None:
            return fault
        window = Window(fault.start, fault.end)
        ticks = _ticks(window)
        ticks = ticks[:: max(1, len(ticks) // _LOOKS)]
        levels = metrics.values(self.seed, self._effects(window), ticks, [fault.metric])[fault.metric]
        over = np.flatnonzero(levels[INDEX[fault.service]] >= limit)
        if not len(over):
            return fault
        seconds = int(ticks[over[0]]) * TICK_S
        return replace(fault, crosses_limit_at=datetime.fromtimestamp(seconds, UTC))


def _ticks(window: Window) -> Ints:
    """The ticks of 30 s in the half-open window."""
    first, last = (math.ceil(unix(instant) / TICK_S) for instant in (window.start, window.end))
    return np.arange(first, last, dtype=np.int64)


def _bounds_us(window: Window) -> tuple[int, int]:
    """Start and end in whole microseconds since 1970."""
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    return (window.start - epoch) // _MICROSECOND, (window.end - epoch) // _MICROSECOND
