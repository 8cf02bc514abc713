"""The synthetic shop's log lines: what spans say, what services say anyway, and what faults make them say."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import polars as pl

from components.core.schema import TABLES
from components.core.times import TIME_DTYPE
from components.telemetry.shop.effects import Effect, unix
from components.telemetry.shop.faults import Event
from components.telemetry.shop.formats import format_bodies
from components.telemetry.shop.lines import (
    ACCESS,
    BACKGROUND,
    COMPLAINTS,
    FAILED,
    INHERITED,
    SAID,
    Complaint,
)
from components.telemetry.shop.noise import Floats, Ints, Words, scramble, stream, streams, uniform, words
from components.telemetry.shop.spans import LONGEST_TRACE_S, SECOND_US, trees

# Complaints are drawn once in so many seconds, and grow to their full rate within `_RISE_S`.
_SLOT_S = 5
_RISE_S = 240.0
_BACKGROUND_CHANCE = 0.92
# What a line is made of before it is written out.
_RAW: Mapping[str, pl.DataType] = {
    "at_us": pl.Int64(),
    "service": pl.String(),
    "severity": pl.String(),
    "template": pl.String(),
    "trace_id": pl.String(),
    "span_id": pl.String(),
    "name": pl.String(),
    "status_code": pl.String(),
    "blame": pl.String(),
    "duration_us": pl.Int64(),
    "draw": pl.UInt64(),
}


def logs_frame(seed: int, events: Sequence[Event], start_us: int, end_us: int) -> pl.DataFrame:
    """Schema `logs`, sorted by time."""
    columns = [name for name in TABLES["logs"].columns if name != "attributes"]
    raw = [*_traced(seed, events, start_us, end_us), *_background(seed, start_us, end_us)]
    raw += _complaints(seed, events, start_us, end_us)
    inside = [frame.filter(pl.col("at_us").is_between(start_us, end_us, closed="left")) for frame in raw]
    lines = pl.concat([frame.select(list(_RAW)) for frame in inside if len(frame)] or [pl.DataFrame(schema=dict(_RAW))])
    times = pl.col("at_us").cast(pl.Datetime("us")).dt.replace_time_zone("UTC").cast(TIME_DTYPE)
    lines = lines.with_columns(times.alias("timestamp"), pl.concat_str("service", pl.lit("-1")).alias("instance"))
    lines = format_bodies(_worded(lines)).with_columns(pl.col("trace_id", "span_id").replace("", None))
    return lines.select(columns).sort("timestamp", "service", "body")


# --- which lines there are ---------------------------------------------------------------------------


def _traced(seed: int, events: Sequence[Event], start_us: int, end_us: int) -> Iterator[pl.DataFrame]:
    """Lines written by spans, when they end."""
    if start_us >= end_us:
        return
    effects = [effect for event in events for effect in event.effects]
    spans = trees(seed, effects, start_us - LONGEST_TRACE_S * SECOND_US, end_us)
    spans = spans.with_columns((pl.col("start_time").dt.epoch("us") + pl.col("duration_us")).alias("at_us"))
    for number, said in enumerate(SAID):
        own = spans.filter((pl.col("service") == said.service) & (pl.col("name") == said.operation))
        own = own.filter(pl.Series(_chance(own["draw"], stream(seed, "said", number)) < said.chance, dtype=pl.Boolean))
        if said.message != ACCESS:
            own = own.filter(pl.col("status_code") == "OK")
        yield _say(own, said.severity, said.message)
    yield _say(spans.filter(pl.col("blame") != ""), "WARNING", INHERITED)
    yield from _failed(seed, events, spans.filter(pl.col("own_error")))


def _failed(seed: int, events: Sequence[Event], failed: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """Lines of spans in which an error began; while a fault is on they speak of that."""
    usual = failed.select(pl.col("service").replace_strict(FAILED, return_dtype=pl.String)).to_series().to_list()
    severity = ["ERROR"] * len(usual)
    for event in events:
        complaints = COMPLAINTS.get(event.fault.kind, ())
        if not complaints or event.fault.decoy:
            continue
        during = (failed["service"] == event.fault.service) & failed["at_us"].is_between(*_acute_us(event))
        picks = _chance(failed["draw"], stream(seed, "complaint")) * len(complaints)
        for row in during.arg_true():
            chosen = complaints[int(picks[row])]
            usual[row], severity[row] = chosen.message, chosen.severity
    lines = failed.with_columns(pl.Series("template", usual, pl.String), pl.Series("severity", severity, pl.String))
    yield lines.filter(pl.col("service") != "frontend")


def _background(seed: int, start_us: int, end_us: int) -> Iterator[pl.DataFrame]:
    for number, item in enumerate(BACKGROUND):
        key = streams(seed, "background", [number])
        slots = _slots(start_us, end_us, item.every_s)
        slots = slots[uniform(scramble(key), slots)[0] < _BACKGROUND_CHANCE]
        yield _untraced(key, slots, item.every_s, item.service, item.severity, item.message)


def _complaints(seed: int, events: Sequence[Event], start_us: int, end_us: int) -> Iterator[pl.DataFrame]:
    for event in events:
        if event.fault.decoy:
            continue
        for number, complaint in enumerate(COMPLAINTS[event.fault.kind]):
            key = streams(seed, "complaints", [f"{event.fault.id}/{number}"])
            slots = _slots(start_us, end_us, _SLOT_S)
            slots = slots[uniform(scramble(key), slots)[0] < _rate(event, complaint, slots)]
            yield _untraced(key, slots, _SLOT_S, event.fault.service, complaint.severity, complaint.message)


def _rate(event: Event, complaint: Complaint, slots: Ints) -> Floats:
    """The chance of a line in each slot: it rises with the fault and ends with it."""
    start, end = unix(event.fault.acute_start), unix(event.fault.end)
    felt = Effect(event.fault.service, "log", event.strength, start, end, rise_s=_RISE_S)
    return complaint.per_minute * _SLOT_S / 60.0 * felt.at(slots.astype(np.float64) * _SLOT_S)


def _acute_us(event: Event) -> tuple[int, int]:
    return round(unix(event.fault.acute_start) * SECOND_US), round(unix(event.fault.end) * SECOND_US)


def _slots(start_us: int, end_us: int, every_s: int) -> Ints:
    """The numbers of the slots of `every_s` seconds that touch [start_us, end_us)."""
    every_us = every_s * SECOND_US
    return np.arange(start_us // every_us, -(-end_us // every_us), dtype=np.int64)


def _say(spans: pl.DataFrame, severity: str, template: str) -> pl.DataFrame:
    return spans.with_columns(pl.lit(severity).alias("severity"), pl.lit(template).alias("template"))


def _untraced(key: Words, slots: Ints, every_s: int, service: str, severity: str, template: str) -> pl.DataFrame:
    """Lines that belong to no trace, anywhere within their slots."""
    draws = words(key, slots)[0]
    offset = (uniform(scramble(scramble(key)), slots)[0] * every_s * SECOND_US).astype(np.int64)
    fixed = {"service": service, "severity": severity, "template": template}
    fixed |= dict.fromkeys(("trace_id", "span_id", "name", "status_code", "blame"), "")
    lines = pl.DataFrame({"at_us": slots * (every_s * SECOND_US) + offset, "draw": draws})
    duration = (pl.col("draw") % 40_000).cast(pl.Int64).alias("duration_us")
    return lines.with_columns(duration, *(pl.lit(value).alias(name) for name, value in fixed.items()))


def _chance(draws: pl.Series, salt: int) -> Floats:
    """A uniform number per span, of its own for every salt."""
    shuffled: Floats = scramble(draws.to_numpy() ^ np.uint64(salt)).astype(np.float64) * 2.0**-64
    return shuffled


# --- what they say -----------------------------------------------------------------------------------


def _number(prime: int, count: int, least: int = 0) -> pl.Expr:
    """A number in [least, least + count) made from the line's random word."""
    return (pl.col("draw") // prime % count + least).cast(pl.String)


_JAVA_STACK = (
    "\tat com.shop.pricing.Discounts.apply(Discounts.java:41)\n\tat com.shop.pricing.Basket.total(Basket.java:117)"
)
_PYTHON_STACK = (
    "Traceback (most recent call last):\n"
    '  File "/app/pricing/discounts.py", line 41, in apply\n    return total * discount.share\n'
    "AttributeError: 'NoneType' object has no attribute 'share'"
)
_FAILED = pl.col("status_code") == "ERROR"
_SKU = pl.concat_str(pl.lit("SKU-"), _number(31, 9000, 1000))
_FIELDS: Mapping[str, pl.Expr] = {
    "amount": pl.concat_str(_number(3, 400, 5), pl.lit("."), _number(7, 90, 10)),
    "blame": pl.col("blame"),
    "clf": pl.col("timestamp").dt.strftime("%d/%b/%Y:%H:%M:%S +0000"),
    "code": pl.when(_FAILED & (pl.col("blame") != ""))
    .then(pl.lit("503"))
    .when(_FAILED)
    .then(pl.lit("500"))
    .otherwise(pl.lit("200")),
    "count": _number(11, 240, 10),
    "gcms": _number(13, 900, 20),
    "ms": (pl.col("duration_us") / 1000.0).round(1).cast(pl.String),
    "n": _number(17, 9, 1),
    "order": _number(29, 900_000, 100_000),
    "request": pl.col("name").str.replace("{id}", _SKU, literal=True),
    "seconds": (pl.col("duration_us") / 1e6).round(3).cast(pl.String),
    "sku": _SKU,
    "slow": _number(37, 9000, 800),
    "small": _number(41, 5, 1),
    "stack": pl.when(pl.col("service").is_in(["shipping", "email"]))
    .then(pl.lit(_PYTHON_STACK))
    .otherwise(pl.lit(_JAVA_STACK)),
    "trace": pl.col("trace_id"),
    "user": _number(43, 90_000, 10_000),
}
_FIELD = re.compile(r"\{(\w+)\}")


def _worded(lines: pl.DataFrame) -> pl.DataFrame:
    """Add `message`: the template with its fields filled in."""
    parts = [
        part.with_columns(_filled(str(part["template"][0])).alias("message"))
        for part in lines.partition_by("template", maintain_order=True)
    ]
    return pl.concat(parts) if parts else lines.with_columns(pl.lit("").alias("message"))


def _filled(template: str) -> pl.Expr:
    pieces = _FIELD.split(template)  # text and field names take turns
    filled = [_FIELDS[piece] if place % 2 else pl.lit(piece) for place, piece in enumerate(pieces) if piece]
    return pl.concat_str(filled)
