"""Plain files: what is mended, and what is refused in which words."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from components.core.errors import InputError
from components.core.files import read_frame, read_series, write_frame


def test_order_duplicates_and_missing_values_are_mended_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "s.csv"
    path.write_text(
        "timestamp,value,label\n"
        "2026-01-01T02:00:00Z,2,0\n"
        "2026-01-01T01:00:00Z,1,0\n"
        "2026-01-01T02:00:00Z,3,0\n"
        "2026-01-01T03:00:00Z,nan,1\n"
        "2026-01-01T04:00:00Z,inf,1\n"
        "never,9,1\n"
    )
    series = read_series(path)
    assert series.columns == ["value"]
    assert series.frame["value"].to_list() == [1.0, 3.0, None, None]
    assert series.frame["timestamp"][0] == datetime(2026, 1, 1, 1, tzinfo=UTC)
    assert series.rows.height == 6
    assert series.problems == {"duplicated": 1, "unsorted": 1, "untimed": 1, "missing": 2}
    assert series.describe_problems() == "1 duplicated and 1 unsorted and 1 untimed and 2 missing samples handled"


@pytest.mark.parametrize(("column", "message"), [("value", "not numbers"), ("timestamp", "not times")])
def test_lists_are_refused_by_name(tmp_path: Path, column: str, message: str) -> None:
    path = tmp_path / "bad.parquet"
    pl.DataFrame({"timestamp": [1, 2], "value": [1.0, 2.0]}).with_columns(pl.concat_list(column)).write_parquet(path)
    with pytest.raises(InputError, match=rf"column '{column}' holds List\(.*{message}"):
        read_series(path)


def test_bytes_that_parquet_does_not_call_text_are_read_as_text(tmp_path: Path) -> None:
    pl.DataFrame({"service": [b"web", b"d\xffb", None]}).write_parquet(tmp_path / "s.parquet")
    assert read_frame(tmp_path / "s.parquet")["service"].to_list() == ["web", "d\ufffdb", None]


def test_a_file_that_may_not_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    (tmp_path / "s.csv").write_text("a\n1\n")
    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(InputError, match=r"s\.csv: cannot be read \(Permission denied\); check its permissions"):
        read_frame(tmp_path / "s.csv")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"timestamp,value\n", "no rows below the header"),
        (b"time,value\n1,2\n", "no column 'timestamp' (found time, value)"),
        (b"timestamp\n1\n", "no numeric column beside 'timestamp'"),
        (b"timestamp,value\n1,red\n2,blue\n", "column 'value' is not numeric (first value 'red')"),
        (b"timestamp,value\nsoon,1\nlater,2\n", "column 'timestamp' holds no time (first value 'soon')"),
        (b"timestamp,value\n1,2,3,4\n", "cannot be read"),
    ],
)
def test_bad_csv_is_refused_by_name(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "bad.csv"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        read_series(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert message in str(caught.value)


def test_truncated_parquet_and_unknown_kinds_are_refused(tmp_path: Path) -> None:
    whole = tmp_path / "s.parquet"
    write_frame(whole, pl.DataFrame({"timestamp": [1, 2], "value": [1.0, 2.0]}))
    (tmp_path / "half.parquet").write_bytes(whole.read_bytes()[:50])
    with pytest.raises(InputError, match=r"half\.parquet: cannot be read"):
        read_frame(tmp_path / "half.parquet")
    (tmp_path / "s.xlsx").write_bytes(b"x")
    with pytest.raises(InputError, match=r"unknown kind '\.xlsx'"):
        read_frame(tmp_path / "s.xlsx")
    with pytest.raises(InputError, match="no such file"):
        read_frame(tmp_path / "none.csv")


def test_broken_utf8_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "s.csv"
    path.write_bytes(b"timestamp,value,note\n1700000000,1,\xff\xfe\n1700000060,2,x\n")
    assert read_series(path, ignore=("note",)).frame["value"].to_list() == [1.0, 2.0]


def test_written_csv_has_iso_times(tmp_path: Path) -> None:
    path = tmp_path / "o.csv"
    write_frame(path, pl.DataFrame({"timestamp": [datetime(2026, 1, 1, tzinfo=UTC)], "value": [1.5]}))
    assert read_series(path).frame["timestamp"].to_list() == [datetime(2026, 1, 1, tzinfo=UTC)]
    assert "2026-01-01T00:00:00" in path.read_text()
