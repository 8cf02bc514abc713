"""The synthetic shop's head-sampled traces: whole call trees whose times add up, made for any span of time at once.

Time is cut into slots of five seconds; a slot holds one sampled trace or none, with a probability that follows the
traffic. A span lasts as long as its own time and its children together, children run one after the other inside it,
and a failing child usually fails its parent.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from components.core.schema import TABLES
from components.core.times import TIME_DTYPE
from components.telemetry.shop.effects import Effect
from components.telemetry.shop.journeys import JOURNEYS, Call
from components.telemetry.shop.noise import Floats, Ints, Words, normal, scramble, stream, streams, uniform, words
from components.telemetry.shop.services import INDEX, NAMES
from components.telemetry.shop.state import State, state_at
from components.telemetry.shop.traffic import PEAK, TICK_S, traffic

Flags = npt.NDArray[np.bool_]

SLOT_S = 5
SECOND_US = 1_000_000
# One trace per ten seconds at the peak of an ordinary week.
_SAMPLED = 0.5
# An operation's own time is log-normal around the service's mean; nothing takes longer than this by itself.
_SPREAD = 0.42
_LONGEST_US = 10 * SECOND_US
_INHERITED = 0.8
# A trace is over within this time: ten spans of the longest own time.
LONGEST_TRACE_S = 120
_MOST_SPANS = 16
_PRIVATE = ("own_error", "blame", "draw")


@dataclass(frozen=True)
class Traces:
    """The sampled traces of one journey: when each began and the state of the platform at that time."""

    seed: int
    journey: int
    slots: Ints
    start_us: Ints
    state: State

    def rows(self, call: int) -> Ints:
        """A counter that is unique to each trace and call."""
        return self.slots * _MOST_SPANS + call

    def uniform(self, name: str, call: int) -> Floats:
        drawn: Floats = uniform(_key(self.seed, name), self.rows(call))[0]
        return drawn

    def at(self, values: Floats, service: str) -> Floats:
        """A service's value at the time of each trace."""
        ticks = self.slots * SLOT_S // TICK_S - self.state.ticks[0]
        picked: Floats = values[INDEX[service]][ticks]
        return picked


def trees(seed: int, effects: Iterable[Effect], start_us: int, end_us: int) -> pl.DataFrame:
    """All spans that start in [start_us, end_us), sorted by time: schema `spans` and three columns for the logs.

    `own_error` says that the error began in this span, `blame` names the callee whose error it inherited, and `draw`
    is a random word of the span.
    """
    first = (start_us // SECOND_US - LONGEST_TRACE_S) // SLOT_S
    slots = np.arange(first, -(-end_us // (SLOT_S * SECOND_US)), dtype=np.int64)
    ticks = np.arange(first * SLOT_S // TICK_S, slots[-1] * SLOT_S // TICK_S + 1, dtype=np.int64)
    state = state_at(seed, effects, ticks)
    frames = [_journey_spans(traces) for traces in _sampled(seed, slots, state)]
    frame = pl.concat([frame for frame in frames if len(frame)] or [_empty()])
    inside = frame.filter(pl.col("start_time").is_between(start_us, end_us, closed="left"))
    times = pl.col("start_time").cast(pl.Datetime("us")).dt.replace_time_zone("UTC").cast(TIME_DTYPE)
    return inside.with_columns(times).sort("start_time", "trace_id", "span_id")


def spans_frame(seed: int, effects: Iterable[Effect], start_us: int, end_us: int) -> pl.DataFrame:
    """Schema `spans`, sorted by start."""
    columns = [name for name in TABLES["spans"].columns if name != "attributes"]
    if start_us >= end_us:
        return TABLES["spans"].empty().select(columns)
    return trees(seed, effects, start_us, end_us).select(columns)


def _sampled(seed: int, slots: Ints, state: State) -> list[Traces]:
    """Which slots hold a trace, of which journey, and when in the slot it starts."""
    ticks = slots * SLOT_S // TICK_S - state.ticks[0]
    demand = np.broadcast_to(traffic(seed, state.ticks, state.knobs("traffic")[:1]), (1, len(state.ticks)))[0][ticks]
    taken = uniform(_key(seed, "sampled"), slots)[0] < _SAMPLED * demand / PEAK
    edges = np.cumsum([journey.share for journey in JOURNEYS])
    journeys = np.searchsorted(edges / edges[-1], uniform(_key(seed, "journey"), slots)[0])
    offset = (uniform(_key(seed, "offset"), slots)[0] * SLOT_S * SECOND_US).astype(np.int64)
    starts = slots * (SLOT_S * SECOND_US) + offset
    chosen = [taken & (journeys == number) for number in range(len(JOURNEYS))]
    return [Traces(seed, number, slots[rows], starts[rows], state) for number, rows in enumerate(chosen)]


def _journey_spans(traces: Traces) -> pl.DataFrame:
    calls = JOURNEYS[traces.journey].calls
    present = _present(traces, calls)
    own_us = np.stack([_own_us(traces, number, call) for number, call in enumerate(calls)]) * present
    duration_us = _durations(calls, own_us)
    starts_us = _starts(calls, traces.start_us, own_us, duration_us, present)
    own_error, error, blame = _errors(traces, calls, present)
    trace_ids = _trace_ids(traces.seed, traces.slots)
    span_ids = [_span_ids(traces, number) for number in range(len(calls))]
    frames = []
    for number, call in enumerate(calls):
        frame = pl.DataFrame(
            {
                "trace_id": trace_ids,
                "span_id": span_ids[number],
                "parent_span_id": span_ids[call.parent] if call.parent is not None else [""] * len(trace_ids),
                "start_time": starts_us[number],
                "duration_us": duration_us[number],
                "status_code": pl.Series(np.where(error[number], "ERROR", "OK"), dtype=pl.String),
                "own_error": own_error[number],
                "blame": pl.Series(np.array(["", *NAMES])[blame[number] + 1], dtype=pl.String),
                "draw": words(_key(traces.seed, "draw"), traces.rows(number))[0],
            },
            schema_overrides={"parent_span_id": pl.String},
        ).filter(pl.Series(present[number]))
        constants = {"service": call.service, "name": call.name, "kind": call.kind}
        frames.append(frame.with_columns(pl.lit(value).alias(name) for name, value in constants.items()))
    return pl.concat(frames).select(_COLUMNS)


def _present(traces: Traces, calls: tuple[Call, ...]) -> Flags:
    """Which calls of each trace happen: rows are calls, columns traces."""
    present = np.ones((len(calls), len(traces.slots)), dtype=bool)
    for number, call in enumerate(calls):
        if call.chance < 1.0:
            present[number] = traces.uniform("present", number) < call.chance
        if call.parent is not None:
            present[number] &= present[call.parent]
    return present


def _own_us(traces: Traces, number: int, call: Call) -> Ints:
    spread = normal(_key(traces.seed, "own"), traces.rows(number))[0] * _SPREAD - _SPREAD**2 / 2
    own = 1000.0 * call.weight * traces.at(traces.state.own_ms, call.service) * np.exp(spread)
    whole: Ints = np.clip(own, 50, _LONGEST_US).astype(np.int64)
    return whole


def _durations(calls: tuple[Call, ...], own_us: Ints) -> Ints:
    """Own time plus the durations of the children."""
    duration = own_us.copy()
    for number in range(len(calls) - 1, 0, -1):
        duration[calls[number].parent] += duration[number]
    return duration


def _starts(calls: tuple[Call, ...], start_us: Ints, own_us: Ints, duration_us: Ints, present: Flags) -> Ints:
    """Children start one after the other, with a share of the parent's own time before each."""
    starts = np.empty_like(own_us)
    starts[0] = start_us
    for parent in range(len(calls)):
        children = [number for number, call in enumerate(calls) if call.parent == parent]
        pause = own_us[parent] // (len(children) + 1)
        clock = starts[parent].copy()
        for child in children:
            clock += pause
            starts[child] = clock
            clock += np.where(present[child], duration_us[child], 0)
    return starts


def _errors(traces: Traces, calls: tuple[Call, ...], present: Flags) -> tuple[Flags, Flags, Ints]:
    """Where an error begins, where a span fails, and the row of the service it was inherited from (-1: none)."""
    chances = [traces.at(traces.state.own_error, call.service) for call in calls]
    own = np.stack([traces.uniform("error", number) < chance for number, chance in enumerate(chances)]) & present
    error, blame = own.copy(), np.full(own.shape, -1, dtype=np.int64)
    for number in range(len(calls) - 1, 0, -1):
        parent = calls[number].parent
        passed = error[number] & ~own[parent] & (traces.uniform("inherited", number) < _INHERITED)
        blame[parent] = np.where(passed, INDEX[calls[number].service], blame[parent])
        error[parent] |= passed
    return own, error, blame


def _key(seed: int, name: str) -> Words:
    return streams(seed, "spans", [name])


def _trace_ids(seed: int, slots: Ints) -> pl.Series:
    return _hex(np.stack([words(_key(seed, f"trace{half}"), slots)[0] for half in "ab"], axis=1))


def _span_ids(traces: Traces, call: int) -> pl.Series:
    return _hex(scramble(traces.rows(call).astype(np.uint64) ^ np.uint64(stream(traces.seed, "span")))[:, None])


_DIGITS = np.array([f"{byte:02x}".encode() for byte in range(256)], dtype="S2").view(np.uint8).reshape(256, 2)


def _hex(numbers: Words) -> pl.Series:
    """Rows of 64-bit words as lower-case hexadecimal text, 16 digits per word."""
    count, width = numbers.shape
    digits = _DIGITS[numbers.astype(">u8").view(np.uint8)].reshape(-1)
    offsets = np.arange(count + 1, dtype=np.int64) * (16 * width)
    text = pa.LargeStringArray.from_buffers(count, pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(digits)))
    return pl.Series(pl.from_arrow(text), dtype=pl.String)


_COLUMNS = [*(name for name in TABLES["spans"].columns if name != "attributes"), *_PRIVATE]


def _empty() -> pl.DataFrame:
    types = {**TABLES["spans"].columns, "start_time": pl.Int64(), "own_error": pl.Boolean(), "blame": pl.String()}
    return pl.DataFrame(schema={name: types.get(name, pl.UInt64()) for name in _COLUMNS})
