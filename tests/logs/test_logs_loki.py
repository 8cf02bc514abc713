"""Loki's JSON, as it is pushed and as queries give it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from components.core.errors import InputError
from components.logs import loki, reading
from components.logs.source import open_source

STREAM = (
    '{"stream":{"app":"cart","level":"error"},'
    '"values":[["1767323045000000000","lost 1"],["1767323046000000000","lost 2"]]}'
)
PUSH = f'{{"streams":[{STREAM}]}}'
QUERY = f'{{"status":"success","data":{{"resultType":"streams","result":[{STREAM}]}}}}'


def records_of(path: Path, text: str) -> pl.DataFrame:
    path.write_text(text)
    source = open_source(path)
    return pl.concat([source.records(block, 2026) for block in source.blocks()])


@pytest.mark.parametrize(
    ("text", "documents"),
    [
        (PUSH, 1),
        (QUERY, 1),
        (f"{PUSH}\n{PUSH}\n\n{PUSH}\n", 3),
        (PUSH.replace(",", ",\n"), 1),
        (f"\n{PUSH}", 1),
        (json.dumps(json.loads(QUERY), indent=1), 1),
    ],
    ids=["push", "query", "a document per line", "over several lines", "behind an empty line", "indented"],
)
@pytest.mark.parametrize("piece", [40, 1 << 20])
def test_the_lines_of_documents(
    text: str, documents: int, piece: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "PIECE_BYTES", piece)
    monkeypatch.setattr(reading, "BLOCK_BYTES", piece)
    found = records_of(tmp_path / "a.json", text)
    assert (
        found.select("message", "severity", "service").rows()
        == [
            ("lost 1", "ERROR", "cart"),
            ("lost 2", "ERROR", "cart"),
        ]
        * documents
    )
    assert found["timestamp"][0] == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"{PUSH}\n{PUSH[:-9]}\n", "damaged"),
        (PUSH[:-9], "damaged"),
        ('{"streams":[{"stream":3}]}', "without labels or values"),
        ('{"streams":[{"stream":{"a":"b"},"values":[5]}]}', "no pair of a time and a line"),
        ('{"streams":[{"stream":{"a":"b"},"values":[["1",null]]}]}', "no pair of a time and a line"),
        ('{"streams":[]}', "without a single line"),
        (f"{PUSH}{' ' * 500}", "more than 0 MB"),
    ],
)
def test_what_is_wrong_is_said(text: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loki, "MAX_DOCUMENT", 400)
    with pytest.raises(InputError, match=message) as caught:
        records_of(tmp_path / "a.json", text)
    assert str(tmp_path / "a.json") in str(caught.value)
