"""Where JSON objects hold the message and the fields of a log record: learnt from the keys of a sample."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import polars as pl

from components.logs.severities import LETTERS, SEVERITY_OF

#: The keys from the outermost object inwards.
Place = tuple[str, ...]

# What loggers that write JSON call a field, beside the usual names; a dot may stand for an object within the object.
_MORE: dict[str, Place] = {
    "message": ("@m", "@mt", "short_message", "textPayload", "MessageTemplate"),
    "timestamp": ("@t", "timeUnixNano", "observedTimeUnixNano"),
    "severity": ("@l", "levelname", "log_level", "s"),
    "service": ("logger_name", "log.logger", "SourceContext", "kubernetes.container_name", "c"),
}
# An object within the record that carries the message of the application: GCP's jsonPayload, the fields of tracing.
_CARRIED = ("message", "msg", "Message", "MESSAGE")
#: Levels as numbers: those of syslog, and those of bunyan and pino.
NUMBERED = dict(zip("01234567", ("FATAL",) * 3 + ("ERROR", "WARN", "INFO", "INFO", "DEBUG"), strict=True)) | {
    "10": "TRACE", "20": "DEBUG", "30": "INFO", "40": "WARN", "50": "ERROR", "60": "FATAL",
}  # fmt: skip


def find_places(records: Sequence[Mapping[str, Any]], keys: Mapping[str, Place]) -> dict[str, list[Place]]:
    """The places of each role's values in the records, the usual ones first."""
    found = {}
    for role, names in keys.items():
        places = dict.fromkeys(place for name in (*names, *_MORE.get(role, ())) for place in _spellings(name))
        found[role] = [typed for place in places for typed in _typed(records, place)]
    bare = [record for record in records if all(_value(record, place) is None for place in found["message"])]
    carried = [(holder, name) for name in _CARRIED for holder in _holders(bare)]
    found["message"] += [place for place in carried if any(_is_scalar(_value(one, place)) for one in bare)]
    return found


def json_text(place: Place) -> pl.Expr:
    """The text at a place of the objects in the column `parsed`; null where there is none."""
    return pl.col("parsed").str.json_path_match("$" + "".join(f"['{name}']" for name in place))


def nothing_said(keys: Sequence[str]) -> pl.Expr:
    """An empty message where one of the keys is null: the record means to say nothing."""
    names = "|".join(pl.Series(keys, dtype=pl.String).str.escape_regex())
    is_null = pl.col("text").str.contains(rf'"(?:{names})"\s*:\s*null\b') if keys else pl.lit(False)
    return pl.when(is_null).then(pl.lit(""))


def _spellings(name: str) -> Iterator[Place]:
    yield (name,)
    if "." in name:
        yield tuple(name.split("."))


def _typed(records: Sequence[Mapping[str, Any]], place: Place) -> Iterator[Place]:
    """The place itself where it holds values, and those of values with their type: `{"$date": …}`."""
    values = [_value(record, place) for record in records]
    if place == ("s",) and not any(isinstance(value, str) and value in SEVERITY_OF | LETTERS for value in values):
        return
    if any(map(_is_scalar, values)):
        yield place
    types = {name for value in values if isinstance(value, dict) and len(value) == 1 for name in value}
    yield from ((*place, name) for name in sorted(types) if name.startswith("$") or name.endswith("Value"))


def _value(record: Mapping[str, Any], place: Place) -> Any:
    value: Any = record
    for name in place:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _holders(records: Sequence[Mapping[str, Any]]) -> list[str]:
    found = {name for record in records for name, value in record.items() if isinstance(value, dict)}
    return sorted(name for name in found if re.fullmatch(r"[\w.@$-]+", name))


def _is_scalar(value: Any) -> bool:
    return isinstance(value, str | int | float) and not isinstance(value, bool)
