"""Where the message and the fields stand in each kind of line, as polars expressions."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from components.logs.header import MIN_SHARE, NO_HEADER, Header, learn_headers
from components.logs.json_places import NUMBERED, find_places, json_text, nothing_said
from components.logs.severities import LETTERS, SEVERITY_OF
from components.logs.stamps import read_stamps
from components.logs.time_formats import TimeFormat
from components.logs.wrappers import NO_WRAPPER, Wrapper

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

_TRACE_IN_TEXT = r"(?i)trace[_.\-]?id[\"'\\]*\s*[:=]\s*[\"'\\]*([0-9a-f][0-9a-f\-]{7,63})"
_TRACEPARENT = r"\b00-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}\b"
_NEVER = r"^(a)(b)\z."
_OBJECT = r"(?s)^\s*\{.*\}\s*$"
# A number with leading zeros; such ones among the texts and the other numbers of an object.
_PADDED = r"(?:\"\s*:|[\[,])\s*-?0[0-9]"
_PADDED_NUMBER = r'("(?:[^"\\]|\\.)*")|(-?)0+([0-9][0-9.eE+-]*)|([0-9][0-9.eE+-]*)'
_VALUE = r'(?:"(?:[^"\\]|\\.)*"|[^\s"]*)'
_PAIRS = rf"^\s*[\w.@/-]+={_VALUE}(?:\s+[\w.@/-]+={_VALUE}){{2,}}\s*$"


_TEXT = pl.col("text")


@dataclass(frozen=True)
class Kind:
    """One kind of line: which lines (column `text`) are of it, and where their message and fields stand.

    header: of lines whose message follows a header; the others' fields are `fields`, text by the names of FIELDS.
    parsed: the column `parsed` of `message` and `fields`, of lines that are read in another form than they have.
    """

    fits: pl.Expr
    message: pl.Expr
    fields: Mapping[str, pl.Expr] = field(default_factory=dict)
    header: Header | None = None
    parsed: pl.Expr = _TEXT

    @property
    def time_format(self) -> TimeFormat | None:
        return self.header.time_format if self.header else None


@dataclass(frozen=True)
class Layout:
    """How lines become messages and fields: out of their wrapper first, then by the first kind that fits."""

    kinds: Sequence[Kind] = ()
    wrapper: Wrapper = NO_WRAPPER

    def messages(self, lines: pl.Series) -> pl.Series:
        """The message of each line."""
        return self._read(lines, lambda rows, kind: rows.select("row", message=kind.message))["message"]

    def records(self, lines: pl.Series, year: int) -> pl.DataFrame:
        """`message, timestamp, severity, service, trace_id, continues` of each line; null where it does not say.

        continues: the line is of no kind in a file that has kinds, as the lines of a stack trace are.
        """
        frame = self._read(lines, lambda rows, kind: _fields(rows, kind, year))
        outer = {name: frame.get_column(f"outer_{name}", default=None) for name in FIELDS}
        if outer["timestamp"] is not None:
            outer["timestamp"] = read_stamps(outer["timestamp"], None, year)
        frame = frame.with_columns(
            pl.coalesce(values, pl.col(name)).alias(name) for name, values in outer.items() if values is not None
        )
        return _finished(frame)

    @property
    def sliceable(self) -> bool:
        """Whether fields of lines may stand in their headers, so that `places` is worth asking."""
        return self.wrapper.is_end and not self.wrapper.fields

    def places(self, lines: pl.Series) -> pl.DataFrame:
        """Where fields stand within lines, in bytes: `message, message_at, kind, time_at, time_bytes, …` of each line.

        `message_at` is null where the message is no end of the line or a field is not in a header; the severity is
        given as it is, since it has no digits.
        """
        frame = lines.alias("line").to_frame().with_columns(self.wrapper.inside.alias("text"))
        frame = frame.with_columns(self.kind_of(pl.col("text")).alias("kind")).with_row_index("row")
        parts = [
            _places(frame.filter(pl.col("kind") == place), kind) for place, kind in enumerate((*self.kinds, _PLAIN))
        ]
        continues = (pl.col("kind") == len(self.kinds)) & bool(self.kinds)
        return pl.concat(parts).sort("row").with_columns(continues.alias("continues")).drop("row")

    def kind_of(self, text: pl.Expr) -> pl.Expr:
        """The number of each text's kind; the number of kinds where it has none."""
        number = pl.lit(len(self.kinds), dtype=pl.UInt8)
        for place in reversed(range(len(self.kinds))):
            fits = self.kinds[place].fits
            number = pl.when(fits).then(pl.lit(place, dtype=pl.UInt8)).otherwise(number)
        return number

    def _read(self, lines: pl.Series, read: Callable[[pl.DataFrame, Kind], pl.DataFrame]) -> pl.DataFrame:
        outer = [expression.alias(f"outer_{name}") for name, expression in self.wrapper.fields.items()]
        frame = lines.alias("line").to_frame().with_columns(self.wrapper.inside.alias("text"), *outer)
        frame = frame.with_columns(self.kind_of(pl.col("text")).alias("kind")).with_row_index("row")
        parts = []
        for place, kind in enumerate((*self.kinds, _PLAIN)):
            rows = frame.filter(pl.col("kind") == place)
            if len(rows):
                parts.append(read(rows.with_columns(kind.parsed.alias("parsed")), kind))
        if not parts:
            parts = [read(frame, _PLAIN)]
        found = parts[0] if len(parts) == 1 else pl.concat(parts).sort("row")
        continues = (frame["kind"] == len(self.kinds)) & bool(self.kinds)
        return pl.concat([found, frame.select(continues.alias("continues"), pl.col("^outer_.*$"))], how="horizontal")


_PLAIN = Kind(pl.lit(True), pl.col("text"))


def learn_layout(sample: Sequence[str], wrapper: Wrapper = NO_WRAPPER) -> Layout:
    """The layout of raw lines: JSON objects, logfmt and headers may stand in one file."""
    inside = pl.DataFrame({"line": list(sample)}, schema={"line": pl.String}).select(wrapper.inside).to_series()
    lines = [line for line in inside.to_list() if line and line.strip()]
    objects = [line for line in lines if _object(line) is not None]
    pairs = [line for line in lines if re.match(_PAIRS, line[:4000]) and _named(line)]
    kinds, least = [], max(1.0, MIN_SHARE * len(lines))
    if len(objects) >= least:
        kinds.append(json_kind(objects))
    if len(pairs) >= least:
        kinds.append(_logfmt_kind(pairs))
    taken = {*objects} if len(objects) >= least else set()
    taken |= {*pairs} if len(pairs) >= least else set()
    kinds += [_header_kind(header) for header in learn_headers([line for line in lines if line not in taken])]
    return Layout(kinds, wrapper)


def json_kind(sample: Sequence[str]) -> Kind:
    """JSON objects with the keys that the sample shows; an object without a message is message from end to end."""
    records = [record for line in sample if (record := _object(line)) is not None]
    text = pl.col("text")
    paths = {role: [json_text(place) for place in places] for role, places in find_places(records, KEYS).items()}
    silent = [key for key in KEYS["message"] if any(record.get(key, "") is None for record in records)]
    message = pl.coalesce(*paths.pop("message"), nothing_said(silent), text)
    fields = {role: pl.coalesce(*path) for role, path in paths.items() if path}
    if "severity" in fields:
        fields["severity"] = fields["severity"].replace(NUMBERED)
    return Kind(text.str.contains(_OBJECT), message, fields, parsed=text.map_batches(_plain_numbers, pl.String))


def _plain_numbers(texts: pl.Series) -> pl.Series:
    """Objects without the leading zeros that printf writes ("ms":037), which are no JSON.

    Folded they are (111), so that a line would have the template of a message that it lacks.
    """
    padded = texts.str.contains(_PADDED)
    if not padded.any():
        return texts
    plain = texts.filter(padded).str.replace_all(_PADDED_NUMBER, "$1$2$3$4")
    return texts.clone().scatter(padded.arg_true(), plain)


def _logfmt_kind(sample: Sequence[str]) -> Kind:
    """Lines of pairs with the keys that the sample shows; a line without a message is message from end to end."""
    shown = {key for line in sample for key in _keys(line)}
    paths = {role: [_pair(key) for key in keys if key in shown] for role, keys in KEYS.items()}
    message = pl.coalesce(*paths.pop("message"), pl.col("text"))
    fields = {role: pl.coalesce(*path) for role, path in paths.items() if path}
    return Kind(pl.col("text").str.contains(_PAIRS), message, fields)


def _pair(key: str) -> pl.Expr:
    """The value behind `key=`, without its quotes and their escapes."""
    value = pl.col("text").str.extract(rf"(?:^|\s){re.escape(key)}=({_VALUE})", 1)
    quoted = value.str.extract(r'(?s)^"(.*)"$', 1).str.replace_all(r'\\(["\\])', "$1")
    return pl.coalesce(quoted, pl.when(value != "").then(value))


def _named(line: str) -> bool:
    """Whether key=value pairs are a record of a logger: a message, a level or a time is among them."""
    names = {*KEYS["message"], *KEYS["severity"], *KEYS["timestamp"]}
    return any(name in names for name in _keys(line))


def _keys(line: str) -> list[str]:
    return re.findall(r"(?:^|\s)([\w.@/-]+)=", line[:4000])


def _header_kind(header: Header) -> Kind:
    text = pl.col("text")
    patterns = {"timestamp": header.time, "severity": header.severity, "service": header.service}
    fields = {name: text.str.extract(pattern, 2) for name, pattern in patterns.items() if pattern}
    return Kind(text.str.contains(header.fits), text.str.replace(header.pattern, ""), fields, header)


def _fields(rows: pl.DataFrame, kind: Kind, year: int) -> pl.DataFrame:
    absent = pl.lit(None, dtype=pl.String)
    frame = rows.select("row", message=kind.message, **{name: kind.fields.get(name, absent) for name in FIELDS})
    return frame.with_columns(read_stamps(frame["timestamp"], kind.time_format, year).alias("timestamp"))


def _places(rows: pl.DataFrame, kind: Kind) -> pl.DataFrame:
    frame = rows.with_columns(kind.parsed.alias("parsed")).with_columns(kind.message.alias("message"))
    bytes_before = pl.col("line").str.len_bytes().cast(pl.Int64) - pl.col("text").str.len_bytes()
    found: dict[str, pl.Expr] = {}
    header = kind.header or NO_HEADER
    for name, pattern in (("time", header.time), ("service", header.service)):
        before, value = (pl.col("text").str.extract(pattern or _NEVER, group).str.len_bytes() for group in (1, 2))
        found |= {f"{name}_at": bytes_before + before, f"{name}_bytes": value}
    severity = pl.col("text").str.extract(header.severity, 2) if header.severity else pl.lit(None, dtype=pl.String)
    at_end = pl.col("line").str.ends_with(pl.col("message")) & (kind.header is not None or kind is _PLAIN)
    at = pl.col("line").str.len_bytes().cast(pl.Int64) - pl.col("message").str.len_bytes()
    return frame.select(
        "row",
        "kind",
        "message",
        pl.when(at_end).then(at).alias("message_at"),
        level(severity).alias("severity"),
        **found,
    )


def table_records(block: pl.DataFrame, year: int) -> pl.DataFrame:
    """The same of the rows of a table with the messages in `body`."""
    plain = {name for name, dtype in block.schema.items() if not dtype.is_nested()}
    named = {role: next((key for key in KEYS[role] if key in plain), None) for role in FIELDS}
    absent = pl.lit(None, dtype=pl.String)
    frame = block.select(
        pl.col("body").cast(pl.String).fill_null("").alias("message"),
        *(pl.col(name).alias(role) if name else absent.alias(role) for role, name in named.items()),
    )
    times = read_stamps(frame["timestamp"], None, year)
    texts = [pl.col(name).cast(pl.String, strict=False) for name in FIELDS if name != "timestamp"]
    return _finished(frame.with_columns(times.alias("timestamp"), *texts, continues=pl.lit(False)))


def _finished(frame: pl.DataFrame) -> pl.DataFrame:
    filled = {name: pl.when(pl.col(name) != "").then(pl.col(name)) for name in ("service", "trace_id")}
    return frame.select("message", "timestamp", level(pl.col("severity")).alias("severity"), **filled,
                        continues="continues")  # fmt: skip


def level(severity: pl.Expr) -> pl.Expr:
    """The level that a severity as written means: INFO for notice, FATAL for panic."""
    return severity.str.strip_chars().str.to_uppercase().replace(SEVERITY_OF | LETTERS).replace("", None)


def trace_in_text(message: pl.Expr) -> pl.Expr:
    """The trace id that a message names: trace_id=…, TraceID: …, "traceId":"…", or a W3C traceparent."""
    return pl.coalesce(message.str.extract(_TRACE_IN_TEXT, 1), message.str.extract(_TRACEPARENT, 1))


def _object(line: str) -> dict[str, Any] | None:
    if not line.lstrip().startswith("{"):
        return None
    try:
        record = json.loads(re.sub(_PADDED_NUMBER, r"\1\2\3\4", line) if re.search(_PADDED, line) else line)
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) else None
