"""Tables are read many rows at a time, whatever their bytes are cut into."""

from __future__ import annotations

import gzip
from datetime import date, datetime
from pathlib import Path

import polars as pl
import pytest

from components.core.errors import InputError
from components.core.times import TIME_DTYPE, iso
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
    monkeypatch.setattr(reading, "PIECE_BYTES", block_bytes)
    monkeypatch.setattr(tables, "ROWS", max(1, block_bytes // 64))
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


def test_utf16_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes("body,level\nü 1,INFO\n".encode("utf-16"))
    assert pl.concat(read_tables(path, 1000)).rows() == [("ü 1", "INFO")]


def test_a_stray_quote_takes_no_longer_than_others() -> None:
    counted: list[int] = []

    class Text(bytes):
        def count(self, sign, begin=0, end=None) -> int:  # type: ignore[no-untyped-def,override]
            end = len(self) if end is None else end
            counted.append(end - begin)
            return super().count(sign, begin, end)

    text = Text(b'body\nb 5" disk\n' + b"line\n" * 1000)
    assert list(tables._records([text, text], Path("a.csv"))) == [text[:5], text[5:] + text]
    assert tables._record_end(Text(b'"' + text[6:].replace(b'"', b""))) == 0
    assert sum(counted) < 6 * len(text)


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        ([1767323045, None], "2026-01-02T03:04:05Z"),
        ([1767323045000, None], "2026-01-02T03:04:05Z"),
        ([datetime.fromisoformat("2026-01-02T03:04:05"), None], "2026-01-02T03:04:05Z"),
        ([date(2026, 1, 2), None], "2026-01-02T00:00:00Z"),
        ([True, None], None),
    ],
)
def test_parquet_columns_of_any_type_are_read(times: list[object], expected: str | None, tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pl.DataFrame({"timestamp": times, "body": [b"a \xff", None], "service": [["x"], []]}).write_parquet(path)
    source = open_source(path)
    block = next(source.blocks())
    records = source.records(block, 1970)
    assert block.lines.to_pylist() == ["a \ufffd", ""]
    assert records["message"].to_list() == ["a \ufffd", ""]
    assert records["service"].to_list() == [None, None]
    assert records["timestamp"].dtype == TIME_DTYPE
    assert [time and iso(time) for time in records["timestamp"]] == [expected, None]


def test_lists_are_no_messages(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pl.DataFrame({"body": [["x"]]}).write_parquet(path)
    with pytest.raises(InputError, match="column 'body' holds List"):
        open_source(path)


def test_a_quote_that_is_never_closed_does_not_fill_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "BLOCK_BYTES", 1000)
    monkeypatch.setattr(reading, "PIECE_BYTES", 1000)
    monkeypatch.setattr(tables, "MAX_RECORD", 1 << 20)
    path = tmp_path / "a.csv"
    path.write_text('body\n"open\n' + "line\n" * 300_000)
    with pytest.raises(InputError, match="a quote is never closed"):
        list(read_tables(path, path.stat().st_size))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", b"message\nx\n", "no column 'body'"),
        ("a.csv", b"body,level\n", "no rows below the header"),
        ("a.csv", b"", "empty"),
        ("a.csv", b'body,level\n"open quote,INFO\nmore\n', "cannot be read"),
        ("a.csv", b"body\nx,y,z\n", "cannot be read .* more fields than the header"),
        ("a.csv", b"body;level\nx;y\n", "separate columns by commas"),
        ("a.parquet", b"PAR1 and no more", "cannot be read"),
        ("a.csv.gz", gzip.compress(b"body\nx\n", mtime=0)[:-9], "truncated or damaged"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(name: str, content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        list(read_tables(path, len(content)))
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)
