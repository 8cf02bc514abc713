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


@pytest.mark.parametrize("text", ["yesterday", "", "2026-13-01", "nan", "1e30"])
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
