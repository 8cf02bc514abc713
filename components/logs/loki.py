"""Loki's JSON: what is pushed to it and what its queries give, a document per line or one in all."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from components.core.errors import InputError
from components.logs.reading import read_bytes, read_lines

#: Bytes of one document, which is read whole.
MAX_DOCUMENT = 128 << 20
_BEGINNINGS = ('{"streams":[', '{"status":"success","data":{')
#: Lines in which the beginning stands.
_HEAD = 10
_LABELS = {
    "service": ("service_name", "service", "app", "container", "job", "pod"),
    "severity": ("level", "severity", "detected_level"),
}
_SCHEMA = dict.fromkeys(("timestamp", "service", "severity", "body"), pl.String)


def is_loki(sample: Sequence[str]) -> bool:
    """Whether a file with these first lines begins as Loki's JSON does, in a line or over several."""
    return "".join("".join(line[:200] for line in sample[:_HEAD]).split()).startswith(_BEGINNINGS)


def read_loki(path: Path, size: int) -> Iterator[pl.DataFrame]:
    """`timestamp, service, severity, body` of the documents; InputError where one is damaged or too large."""
    found = False
    for text in _documents(path, size):
        try:
            rows = _rows(json.loads(text))
        except (ValueError, RecursionError) as error:
            raise InputError(
                f"{path}: begins as Loki's JSON, but holds a document that is damaged ({error}); copy the file again, "
                "or read its lines as they are with --format text"
            ) from None
        if rows:
            found = True
            yield pl.DataFrame(rows, schema=_SCHEMA, orient="row")
    if not found:
        raise InputError(f"{path}: Loki's JSON without a single line; it needs at least one")


def _documents(path: Path, size: int) -> Iterator[str]:
    """The documents, a line each; of a file whose first line is none, the whole text."""
    is_first = True
    for lines in read_lines(path, size):
        texts = [text for text in lines.to_pylist() if text.strip()]
        if is_first and texts and not _is_whole(texts[0]):
            break
        is_first = is_first and not texts
        for text in texts:
            _check_size(path, len(text))
            yield text
    else:
        return
    _check_size(path, size)
    yield b"".join(read_bytes(path, size)).decode(errors="replace")


def _is_whole(line: str) -> bool:
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True


def _check_size(path: Path, size: int) -> None:
    if size > MAX_DOCUMENT:
        raise InputError(
            f"{path}: a JSON document of more than {MAX_DOCUMENT >> 20} MB; export it in parts, or as lines "
            "(logcli query --output=raw)"
        )


def _rows(document: Any) -> list[tuple[str, str | None, str | None, str]]:
    if not isinstance(document, dict):
        return []
    data = document.get("data")
    streams = document.get("streams") or (data.get("result") if isinstance(data, dict) else None)
    rows = []
    for stream in streams if isinstance(streams, list) else []:
        labels = stream.get("stream") if isinstance(stream, dict) else None
        if not isinstance(labels, dict) or not isinstance(stream.get("values"), list):
            raise ValueError("a stream without labels or values")
        service, severity = (next((str(labels[key]) for key in keys if labels.get(key)), None)
                             for keys in _LABELS.values())  # fmt: skip
        rows += [_entry(value, service, severity) for value in stream["values"]]
    return rows


def _entry(value: Any, service: str | None, severity: str | None) -> tuple[str, str | None, str | None, str]:
    if not isinstance(value, list) or len(value) < 2 or not all(isinstance(part, str) for part in value[:2]):
        raise ValueError(f"an entry that is no pair of a time and a line: {str(value)[:40]}")
    return value[0], service, severity, value[1]
