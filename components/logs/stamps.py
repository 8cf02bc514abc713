"""The instants that log lines name, whatever way they are written."""

from __future__ import annotations

import polars as pl

from components.core.errors import InputError
from components.core.times import TIME_DTYPE, parse_times
from components.logs.time_formats import TimeFormat

# What nearly every structured log writes; tried before all else.
_USUAL = "%Y-%m-%dT%H:%M:%S%.f%#z"


def read_stamps(column: pl.Series, time_format: TimeFormat | None, year: int) -> pl.Series:
    """A column of text as UTC microseconds; null where a text is no time. A format without a year is of `year`."""
    if column.dtype != pl.String:
        return _any(column)
    if column.null_count() == len(column):
        return pl.Series(column.name, [None], dtype=TIME_DTYPE).new_from_index(0, len(column))
    if time_format is None or not time_format.format:
        return _any(column)
    # A fraction may stand behind a comma; where dates have commas, it is the one before a digit.
    dated = "," in time_format.format
    point = pl.col(column.name).str.replace(",([0-9])", ".$1") if dated else _point(column.name)
    text = time_format.prefix.format(year=f"{year:04}") + column.to_frame().select(point).to_series()
    if time_format.zoned:
        return text.str.to_datetime(time_format.format, strict=False, time_unit="us", time_zone="UTC")
    return text.str.to_datetime(time_format.format, strict=False, time_unit="us").dt.replace_time_zone("UTC")


def _point(name: str) -> pl.Expr:
    return pl.col(name).str.replace(",", ".", literal=True)


def _any(column: pl.Series) -> pl.Series:
    if column.dtype == pl.String:
        usual = column.str.to_datetime(_USUAL, strict=False, time_unit="us", time_zone="UTC")
        if usual.null_count() == column.null_count():
            return usual
    try:
        return parse_times(column, "timestamp")
    except InputError:
        # A column of that name which holds no times is no reason to refuse the lines.
        return pl.Series(column.name, [None], dtype=TIME_DTYPE).new_from_index(0, len(column))
