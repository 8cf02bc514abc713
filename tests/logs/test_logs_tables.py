"""Tables are read many rows at a time, whatever their bytes are cut into."""

from __future__ import annotations

import gzip
from pathlib import Path

import polars as pl
import pytest

from components.core.errors import InputError
from components.logs import reading, tables
from components.logs.source import open_source
from components.logs.tables import read_tables

FRAME = pl.DataFrame(
    {
        "timestamp": [f"2026-01-02T03:04:{n:02}Z" for n in range(60)],
        "body": [f'order {n} "paid",\nby u-{n} — ü' if n % 3 else f"line {n}" for n in range(60)],
    }
)


def _write(path: Path) -> Path:
    plain = path.with_suffix("") if path.suffix == ".gz" else path
    FRAME.write_parquet(plain) if plain.suffix == ".parquet" else FRAME.write_csv(plain)
    if plain != path:
        path.write_bytes(gzip.compress(plain.read_bytes()))
    return path


@pytest.mark.parametrize("name", ["a.csv", "a.parquet", "a.csv.gz", "a.parquet.gz"])
@pytest.mark.parametrize("block_bytes", [1, 7, 64, 1000, 1 << 20])
def test_all_rows_in_order(name: str, block_bytes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "BLOCK_BYTES", block_bytes)
    monkeypatch.setattr(tables, "_ROWS", max(1, block_bytes // 64))
    path = _write(tmp_path / name)
    parts = list(read_tables(path, path.stat().st_size))
    assert pl.concat(parts).equals(FRAME)
    assert max(map(len, parts)) < 60 or block_bytes >= 1000


def test_a_source_reads_a_table_as_often_as_asked(tmp_path: Path) -> None:
    source = open_source(_write(tmp_path / "a.csv"))
    for _ in range(2):
        assert [line for block in source.blocks() for line in block.lines.to_pylist()] == FRAME["body"].to_list()


def test_a_byte_order_mark_and_broken_bytes_are_no_matter(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"\xef\xbb\xbfbody,level\nbroken \xff here,INFO\n")
    assert pl.concat(read_tables(path, 1000)).rows() == [("broken \ufffd here", "INFO")]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", b"message\nx\n", "no column 'body'"),
        ("a.csv", b"body,level\n", "no rows below the header"),
        ("a.csv", b"", "empty"),
        ("a.csv", b'body,level\n"open quote,INFO\nmore\n', "cannot be read"),
        ("a.csv", b"body\nx,y,z\n", "cannot be read"),
        ("a.parquet", b"PAR1 and no more", "cannot be read"),
        ("a.csv.gz", gzip.compress(b"body\nx\n")[:-9], "truncated or damaged"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(name: str, content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        list(read_tables(path, len(content)))
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)
