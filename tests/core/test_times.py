"""Instants, windows and columns of times."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from components.core.errors import InputError
from components.core.times import Window, floor, iso, merge, parse_instant, parse_times, subtract

T0 = datetime(2026, 1, 31, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-31T12:00:00Z",
        "2026-01-31 12:00:00",
        "2026-01-31T13:00:00+01:00",
        "1769860800",
        "1769860800000",
        1769860800.0,
        "1769860800000000",
        "1769860800000000000",
    ],
)
def test_one_instant_in_every_notation(text: object) -> None:
    assert parse_instant(text) == T0


@pytest.mark.parametrize("text", ["yesterday", "", "2026-13-01", "nan", "1e30", "0001-01-01T00:00:00+05:00"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="not a time"):
        parse_instant(text)


@pytest.mark.parametrize(
    "values",
    [
        ["2026-01-31T12:00:00Z", "2026-01-31T13:00:00Z"],
        ["2026-01-31 12:00:00.000", "2026-01-31 13:00"],
        ["2026-01-31T12:00:00+00:00", "2026-01-31T14:00:00+01:00"],
        [1769860800, 1769864400],
        [1769860800000, 1769864400000],
        ["1769860800000000000", "1769864400000000000"],
        [1769860800.0, 1769864400.0],
        [T0, T0 + HOUR],
    ],
)
def test_a_column_in_every_notation(values: list[object]) -> None:
    assert parse_times(pl.Series("timestamp", values), "f.csv").to_list() == [T0, T0 + HOUR]


def test_a_value_that_is_no_time_becomes_null() -> None:
    parsed = parse_times(pl.Series("timestamp", ["2026-01-31T12:00:00Z", "soon", None]), "f.csv")
    assert parsed.to_list() == [T0, None, None]


@pytest.mark.parametrize(
    ("usual", "wild"),
    [
        ("2026-01-31T12:00:00Z", ["+12000-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "0001-01-01", "-0004-01-01"]),
        (1769860800, [10**15, -(10**12), 2**63 - 1, -(2**63)]),
        (1769860800.0, [1e300, -1e300, 1e15]),
        (1769860800000, [10**18]),
        (1769860800000000000, []),
    ],
)
def test_a_value_outside_the_years_1_to_9999_becomes_null(usual: object, wild: list[object]) -> None:
    values = [usual] * (len(wild) + 1) + wild
    assert parse_times(pl.Series("timestamp", values), "f.csv").to_list() == [T0] * (len(wild) + 1) + [None] * len(wild)


def test_times_that_their_type_alone_can_hold_become_null() -> None:
    unsigned = pl.Series("timestamp", [1769860800] * 2 + [2**64 - 1], dtype=pl.UInt64)
    stamps = pl.Series("timestamp", [1769860800000] * 2 + [10**16]).cast(pl.Datetime("ms"))
    for column in (unsigned, stamps):
        assert parse_times(column, "f.parquet").to_list() == [T0, T0, None]


@pytest.mark.parametrize("dtype", [pl.Duration("us"), pl.Time])
def test_spans_of_time_are_no_times(dtype: pl.DataType) -> None:
    with pytest.raises(InputError, match=r"f\.parquet: column 'timestamp' holds (Duration|Time).*, not times"):
        parse_times(pl.Series("timestamp", [1, 2]).cast(dtype), "f.parquet")


def test_a_column_without_any_time_is_named() -> None:
    with pytest.raises(InputError, match=r"f\.csv: column 'timestamp' holds no time .*'soon'"):
        parse_times(pl.Series("timestamp", ["soon", "later"]), "f.csv")


def test_gaps_are_what_no_window_covers() -> None:
    def at(*hours: int) -> Window:
        return Window(*(T0 + hour * HOUR for hour in hours))

    assert merge([at(2, 3), at(0, 1), at(1, 2), at(5, 6)]) == [at(0, 3), at(5, 6)]
    assert subtract(at(0, 8), [at(1, 2), at(4, 5), at(7, 9)]) == [at(0, 1), at(2, 4), at(5, 7)]
    assert subtract(at(0, 2), [at(0, 5)]) == []


def test_a_window_splits_at_midnight_utc() -> None:
    pieces = list(Window(T0, T0 + timedelta(hours=30)).split_by_day())
    assert [piece.length for piece in pieces] == [timedelta(hours=12), timedelta(hours=18)]


def test_a_window_that_ends_before_it_starts_is_refused() -> None:
    with pytest.raises(InputError, match="ends before it starts"):
        Window(T0, T0 - HOUR)


def test_floor_and_iso() -> None:
    assert iso(floor(T0 + timedelta(minutes=7, seconds=3), timedelta(minutes=5))) == "2026-01-31T12:05:00Z"
