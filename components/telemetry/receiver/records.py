"""Fluent Bit's records as rows of the table `logs`.

Bodies are what its `http` output writes with `format json` (an array of objects), `json_lines` (one object a line) or
`json_stream` (objects one after the other).

| column | the first of these that the record has |
|---|---|
| timestamp | `_time`, `date` (Fluent Bit's `json_date_key`), `@timestamp`, `timestamp`, `time` |
| service | `service`, `service.name`, the pod's label `app.kubernetes.io/name`, `k8s-app` or `app`, its container |
| instance | `instance`, the pod's name, `host`, `hostname` |
| severity | `severity`, `level`, `severity_text`, `levelname`, in capitals |
| body | `log`, `message`, `msg`, `body`; a record without any is kept whole, as JSON |
| trace_id, span_id | `trace_id`, `traceId`, `trace.id` and the like |
| attributes | everything else, Kubernetes' metadata under OpenTelemetry's names (`k8s.namespace.name`, …) |
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import polars as pl

from components.core.errors import InputError
from components.core.schema import TABLES
from components.core.times import parse_instant

TIMES = ("_time", "date", "@timestamp", "timestamp", "time")
_SERVICES = ("service", "service.name", "service_name")
_LABELS = ("app.kubernetes.io/name", "k8s-app", "app")
_INSTANCES = ("instance", "host", "hostname")
_SEVERITIES = ("severity", "level", "severity_text", "levelname", "log.level")
_BODIES = ("log", "message", "msg", "body")
_TRACES, _SPANS = ("trace_id", "traceId", "trace.id"), ("span_id", "spanId", "span.id")
_KUBERNETES = {
    "namespace_name": "k8s.namespace.name",
    "pod_name": "k8s.pod.name",
    "pod_id": "k8s.pod.uid",
    "container_name": "k8s.container.name",
    "container_image": "container.image.name",
    "host": "k8s.node.name",
}
_STREAM = {"stream": "log.iostream"}
#: A record costs up to a hundred times its JSON while it is read; a chunk of Fluent Bit has some thousands.
MOST_RECORDS = 100_000
_DECODER = json.JSONDecoder(parse_constant=lambda name: None)


class TooManyRecordsError(InputError):
    """One request holds more records than are read at once."""


def read_rows(body: bytes) -> pl.DataFrame:
    """The rows of one request, in its order; InputError names the first record that cannot be one.

    TooManyRecordsError from MOST_RECORDS on, before the rest is read.
    """
    rows = [_row(record, number) for number, record in enumerate(_records(body.decode(errors="replace")), 1)]
    schema = TABLES["logs"]
    return pl.DataFrame(rows, schema=dict(schema.columns)) if rows else schema.empty()


def _records(text: str) -> Iterator[Any]:
    """The values of a JSON array, or of JSON texts one after the other."""
    text = text.strip()
    listed = text.startswith("[")
    position, end, number = int(listed), len(text) - int(listed), 0
    if listed and not text.endswith("]"):
        raise InputError("the JSON array is cut off; its end ']' is missing")
    position = _after_blanks(text, position)
    while position < end:
        number += 1
        if number > MOST_RECORDS:
            raise TooManyRecordsError(
                f"more than {MOST_RECORDS} records in one request; send smaller chunks (a shorter `flush`)"
            )
        try:
            value, position = _DECODER.raw_decode(text, position)
        except (ValueError, RecursionError) as error:
            raise InputError(f"record {number} is not JSON: {error}") from None
        yield value
        position = _after_blanks(text, position)
        if listed and position < end:
            if text[position] != ",":
                raise InputError(f"after record {number} stands {text[position]!r} where a comma should be")
            position = _after_blanks(text, position + 1)


def _after_blanks(text: str, position: int) -> int:
    while position < len(text) and text[position] in " \t\r\n":
        position += 1
    return position


def _row(record: Any, number: int) -> dict[str, Any]:
    if not isinstance(record, dict):
        raise InputError(f"record {number} is not a JSON object but {_shown(record)}")
    rest = dict(record)
    kubernetes = rest.pop("kubernetes", None)
    pod = kubernetes if isinstance(kubernetes, dict) else {}
    row = {
        "timestamp": _time(rest, number),
        "service": _first(rest, _SERVICES) or _service_of(pod),
        "instance": _first(rest, _INSTANCES[:1]) or _text(pod.get("pod_name")) or _first(rest, _INSTANCES[1:]),
        "severity": (_first(rest, _SEVERITIES) or "").upper(),
        "trace_id": _first(rest, _TRACES),
        "span_id": _first(rest, _SPANS),
    }
    body = _first(rest, _BODIES)
    if body is None:
        body, rest = _json(rest), {}
    return {**row, "body": body.rstrip("\r\n"), "attributes": _json(_attributes(rest, pod))}


def _time(rest: dict[str, Any], number: int) -> Any:
    name = next((name for name in TIMES if name in rest), None)
    if name is None:
        raise InputError(f"record {number} has no time; set `json_date_key _time` in the output")
    try:
        return parse_instant(rest.pop(name))
    except InputError as error:
        raise InputError(f"record {number}: field {name!r}: {error}") from None


def _first(rest: dict[str, Any], names: Sequence[str]) -> str | None:
    """Take the first of these fields that holds something."""
    for name in names:
        if rest.get(name) not in (None, ""):
            return _text(rest.pop(name))
    return None


def _service_of(pod: Mapping[str, Any]) -> str:
    labels = pod.get("labels")
    known = labels if isinstance(labels, dict) else {}
    named = [_text(known.get(label)) for label in _LABELS]
    return next((name for name in [*named, _text(pod.get("container_name"))] if name), "")


def _attributes(rest: Mapping[str, Any], pod: Mapping[str, Any]) -> dict[str, Any]:
    found = {_STREAM.get(name, name): value for name, value in rest.items()}
    found |= {name: pod[key] for key, name in _KUBERNETES.items() if key in pod}
    labels = pod.get("labels")
    return found | {
        f"k8s.pod.label.{key}": value for key, value in (labels if isinstance(labels, dict) else {}).items()
    }


def _text(value: Any) -> str | None:
    if value is None:
        return None
    return _whole(value) if isinstance(value, str) else _json(value)


def _json(value: Any) -> str:
    return _whole(json.dumps(value, sort_keys=True, ensure_ascii=False))


def _whole(text: str) -> str:
    # Half of a surrogate pair is JSON, but no text that can be stored.
    return text.encode(errors="replace").decode()


def _shown(value: Any) -> str:
    return _json(value)[:60]
