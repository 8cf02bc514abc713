"""JSON lines of the usual loggers: where the message and the fields stand."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from components.logs.source import open_source

AT = "2026-01-02T03:04:05Z"
SECONDS = int(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC).timestamp())
# Each: a record; its severity, service and message.
RECORDS: dict[str, tuple[dict[str, Any], tuple[str | None, str | None, str | None]]] = {
    "clef": ({"@t": AT, "@m": "paid 1", "@l": "Warning", "SourceContext": "Cart"}, ("WARN", "Cart", "paid 1")),
    "clef of a template": ({"@t": AT, "@mt": "paid {N}"}, (None, None, "paid {N}")),
    "gelf": ({"short_message": "paid 1", "timestamp": SECONDS, "level": 3}, ("ERROR", None, "paid 1")),
    "pino": ({"level": 40, "time": SECONDS * 1000, "msg": "paid 1", "name": "cart"}, ("WARN", "cart", "paid 1")),
    "gcp": ({"textPayload": "paid 1", "severity": "ERROR", "timestamp": AT}, ("ERROR", None, "paid 1")),
    "gcp with fields": ({"jsonPayload": {"message": "paid 1"}, "timestamp": AT}, (None, None, "paid 1")),
    "otlp": (
        {"timeUnixNano": f"{SECONDS}000000000", "severityText": "WARN", "body": {"stringValue": "paid 1"}},
        ("WARN", None, "paid 1"),
    ),
    "ecs": ({"@timestamp": AT, "log.level": "warn", "message": "paid 1"}, ("WARN", None, "paid 1")),
    "nested ecs": (
        {"@timestamp": AT, "log": {"level": "warn", "logger": "a.B"}, "message": "paid 1"},
        ("WARN", "a.B", "paid 1"),
    ),
    "mongo": ({"t": {"$date": AT}, "s": "W", "c": "NETWORK", "msg": "paid 1"}, ("WARN", "NETWORK", "paid 1")),
    "seconds are no severity": ({"ts": AT, "s": "12.5", "msg": "paid 1"}, (None, None, "paid 1")),
    "no message": ({"ts": AT, "level": "info", "msg": None, "n": 1}, ("INFO", None, "")),
    "nothing known": ({"ts": AT, "other": 'it\'s "odd"', "it's": {"x": 1}}, (None, None, None)),
}


@pytest.mark.parametrize("kind", RECORDS)
def test_json_records(tmp_path: Path, kind: str) -> None:
    record, (severity, service, message) = RECORDS[kind]
    line = json.dumps(record)
    (tmp_path / "a.log").write_text(f"{line}\n{line}\n")
    source = open_source(tmp_path / "a.log")
    found = pl.concat([source.records(block, 2026) for block in source.blocks()]).row(1, named=True)
    assert found["timestamp"] == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert (found["severity"], found["service"]) == (severity, service)
    assert found["message"] == (line if message is None else message)
