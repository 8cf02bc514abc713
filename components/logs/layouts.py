"""Where the message and the fields stand in each kind of file, as polars expressions."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from components.core.times import TIME_DTYPE, parse_times
from components.logs.header import SEVERITY_OF, Header, TimeFormat

#: The names that loggers give a field, the usual ones first.
KEYS: dict[str, tuple[str, ...]] = {
    "message": ("message", "msg", "body", "log", "text", "event", "Message", "MESSAGE", "Body"),
    "timestamp": ("timestamp", "@timestamp", "time", "ts", "datetime", "date", "Timestamp", "t", "eventTime"),
    "severity": (
        "severity",
        "level",
        "severity_text",
        "severityText",
        "SeverityText",
        "loglevel",
        "log.level",
        "lvl",
        "Level",
    ),
    "service": (
        "service",
        "service.name",
        "service_name",
        "serviceName",
        "app",
        "application",
        "component",
        "container",
        "logger",
        "name",
    ),
    "trace_id": ("trace_id", "traceId", "traceID", "TraceID", "trace.id", "TraceId", "dd.trace_id"),
}
FIELDS = ("timestamp", "severity", "service", "trace_id")

# "trace_id=…", "TraceID: …", "\"traceId\":\"…\"", and the W3C traceparent.
_TRACE_IN_TEXT = r"(?i)trace[_.\-]?id[\"'\\]*\s*[:=]\s*[\"'\\]*([0-9a-f][0-9a-f\-]{7,63})"
_TRACEPARENT = r"\b00-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}\b"


@dataclass(frozen=True)
class Layout:
    """How a block's columns become messages and fields.

    fields: text as written, by the names of FIELDS; those a file does not have are absent.
    folds: `message` reads the column `line` and treats all digits alike.
    """

    message: pl.Expr
    fields: Mapping[str, pl.Expr] = field(default_factory=dict)
    time_format: TimeFormat | None = None
    folds: bool = False

    def messages(self, block: pl.DataFrame) -> pl.Series:
        return block.select(self.message.alias("message")).to_series()

    def records(self, block: pl.DataFrame, year: int) -> pl.DataFrame:
        """`message, timestamp, severity, service, trace_id` of each line; null where the line does not say."""
        absent = pl.lit(None, dtype=pl.String)
        names = {name: self.fields.get(name, absent).alias(name) for name in FIELDS}
        frame = block.select(self.message.alias("message"), *names.values())
        times = _read_times(frame["timestamp"], self.time_format, year)
        in_text = [pl.col("message").str.extract(pattern, 1) for pattern in (_TRACE_IN_TEXT, _TRACEPARENT)]
        trace = pl.coalesce(_filled("trace_id"), *in_text)
        return frame.with_columns(times.alias("timestamp"), _severity(), _filled("service"), trace.alias("trace_id"))


def text_layout(header: Header) -> Layout:
    """Raw lines with a learnt header; a line without it is message from end to end."""
    line = pl.col("line")
    message = line.str.replace(header.pattern, "")
    head = line.str.head(line.str.len_chars() - message.str.len_chars())
    patterns = {"timestamp": header.time, "severity": header.severity, "service": header.service}
    fields = {name: head.str.extract(pattern, 1) for name, pattern in patterns.items() if pattern}
    # Of the time formats only Unix times ask for a certain digit.
    folds = header.time_format is None or bool(header.time_format.format)
    return Layout(message, fields, header.time_format, folds)


def json_layout(sample: Sequence[str]) -> Layout:
    """JSON lines with the keys that the sample shows; a line that is no object is message from end to end."""
    records = [record for line in sample if (record := _object(line)) is not None]
    line = pl.col("line")
    found = {role: [key for key in keys if any(_has(record, key) for record in records)] for role, keys in KEYS.items()}
    paths = {role: [line.str.json_path_match(f"$['{key}']") for key in keys] for role, keys in found.items()}
    message = pl.coalesce(*paths.pop("message"), line)
    return Layout(message, {role: pl.coalesce(*path) for role, path in paths.items() if path})


def table_layout(columns: Mapping[str, pl.DataType]) -> Layout:
    """A table with the messages in `body`."""
    fields = {}
    for role in FIELDS:
        name = next((key for key in KEYS[role] if key in columns), None)
        if name:
            fields[role] = pl.col(name) if role == "timestamp" else pl.col(name).cast(pl.String)
    return Layout(pl.col("body").cast(pl.String).fill_null(""), fields)


def _read_times(column: pl.Series, time_format: TimeFormat | None, year: int) -> pl.Series:
    if column.null_count() == len(column):
        return pl.Series(column.name, [None], dtype=TIME_DTYPE).new_from_index(0, len(column))
    if time_format is None or not time_format.format:
        return _parse_any(column)
    text = (
        time_format.prefix.format(year=f"{year:04}")
        + column.to_frame().select(pl.col(column.name).str.replace(",", ".", literal=True)).to_series()
    )
    if time_format.zoned:
        return text.str.to_datetime(time_format.format, strict=False, time_unit="us", time_zone="UTC")
    return text.str.to_datetime(time_format.format, strict=False, time_unit="us").dt.replace_time_zone("UTC")


def _parse_any(column: pl.Series) -> pl.Series:
    from components.core.errors import InputError

    try:
        return parse_times(column, "timestamp")
    except InputError:
        # A column of that name which holds no times is no reason to refuse the lines.
        return pl.Series(column.name, [None], dtype=TIME_DTYPE).new_from_index(0, len(column))


def _severity() -> pl.Expr:
    given = pl.col("severity").str.strip_chars().str.to_uppercase()
    return given.replace(SEVERITY_OF).replace("", None).alias("severity")


def _filled(name: str) -> pl.Expr:
    return pl.when(pl.col(name) != "").then(pl.col(name)).alias(name)


def _object(line: str) -> dict[str, Any] | None:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) else None


def _has(record: Mapping[str, Any], key: str) -> bool:
    return isinstance(record.get(key), str | int | float) and not isinstance(record[key], bool)
