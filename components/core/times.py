"""Instants and half-open windows, UTC throughout; the only place that parses a time."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import polars as pl

from components.core.errors import InputError

DAY = timedelta(days=1)
TIME_DTYPE = pl.Datetime("us", "UTC")

# Unix times between 1973 and 5138 are told apart by magnitude: seconds below 1e11, then ms, us, ns.
_UNIX_UNITS = ((1e11, 1_000_000.0), (1e14, 1_000.0), (1e17, 1.0), (float("inf"), 1e-3))
#: Microseconds since 1970 of the first and the last instant of the years 1 to 9999, a day off either end so that a zone
#: cannot lead out of them.
_FIRST_US, _LAST_US = -62_135_510_400_000_000, 253_402_214_400_000_000


@dataclass(frozen=True, order=True)
class Window:
    """A half-open span of time, `start` included and `end` excluded."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        if self.start > self.end:
            raise InputError(f"window ends before it starts: {iso(self.start)} > {iso(self.end)}; swap them")

    @property
    def length(self) -> timedelta:
        return self.end - self.start

    def split_by_day(self) -> Iterator[Window]:
        """Yield the pieces of this window that lie within one UTC day each."""
        start = self.start
        while start < self.end:
            midnight = start.replace(hour=0, minute=0, second=0, microsecond=0) + DAY
            yield Window(start, min(midnight, self.end))
            start = min(midnight, self.end)


def merge(windows: Iterable[Window]) -> list[Window]:
    """Join windows that touch or overlap; sorted by start."""
    merged: list[Window] = []
    for window in sorted(windows):
        if merged and window.start <= merged[-1].end:
            merged[-1] = Window(merged[-1].start, max(merged[-1].end, window.end))
        else:
            merged.append(window)
    return merged


def subtract(window: Window, covered: Iterable[Window]) -> list[Window]:
    """The parts of `window` that no window in `covered` covers; sorted by start."""
    gaps, start = [], window.start
    for done in merge(covered):
        if done.end <= start or done.start >= window.end:
            continue
        if done.start > start:
            gaps.append(Window(start, done.start))
        start = max(start, done.end)
    if start < window.end:
        gaps.append(Window(start, window.end))
    return gaps


def floor(instant: datetime, step: timedelta) -> datetime:
    """The latest multiple of `step` (counted from the Unix epoch) at or before `instant`."""
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    return epoch + ((instant.astimezone(UTC) - epoch) // step) * step


def iso(instant: datetime) -> str:
    """ISO 8601 in UTC with a trailing Z, microseconds only where there are any."""
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")


def parse_instant(value: object) -> datetime:
    """Read one instant: a datetime, ISO 8601 text (UTC where no zone is given), or Unix s, ms, us or ns."""
    if isinstance(value, datetime):
        try:
            return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
        except OverflowError:
            raise InputError(f"not a time: '{value}' is outside the years 1 to 9999") from None
    text = str(value).strip()
    try:
        number = float(text)
    except ValueError:
        try:
            return parse_instant(datetime.fromisoformat(text))
        except ValueError:
            raise InputError(
                f"not a time: {text!r}; write ISO 8601 like 2026-01-31T12:00:00Z or Unix seconds"
            ) from None
    try:
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=number * unix_unit_us(abs(number)))
    except (OverflowError, ValueError):
        raise InputError(f"not a time: {text!r} is outside the years 1 to 9999") from None


def unix_unit_us(magnitude: float) -> float:
    """Microseconds per unit of a Unix time of this magnitude (seconds, ms, us and ns are told apart)."""
    return next((unit for bound, unit in _UNIX_UNITS if magnitude < bound), math.nan)


def parse_times(column: pl.Series, where: str) -> pl.Series:
    """Read a column of times as UTC microseconds; a value that is no time of the years 1 to 9999 becomes null.

    Accepts what `parse_instant` accepts; the Unix unit is chosen from the column's median magnitude.
    Raises InputError, naming `where` and the column, when not one value is a time.
    """
    if column.dtype.is_nested() or column.dtype in (pl.Duration, pl.Time):
        raise InputError(f"{where}: column {column.name!r} holds {column.dtype}, not times; write one time per row")
    parsed = _within(_parse_times(column), 1.0)
    if len(column) and parsed.null_count() == len(column):
        raise InputError(
            f"{where}: column {column.name!r} holds no time (first value {column[0]!r}); "
            "write ISO 8601 or Unix seconds, ms, us or ns"
        )
    return parsed.alias(column.name)


def _parse_times(column: pl.Series) -> pl.Series:
    dtype = column.dtype
    if isinstance(dtype, pl.Datetime):
        # First: polars panics where it cannot convert.
        column = _within(column, {"ms": 1e3, "us": 1.0, "ns": 1e-3}[dtype.time_unit])
        zoned = column.dt.replace_time_zone("UTC") if dtype.time_zone is None else column.dt.convert_time_zone("UTC")
        return zoned.cast(TIME_DTYPE)
    if dtype == pl.Date:
        return column.cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    if dtype.is_numeric():
        return _from_unix(column)
    text = column.cast(pl.String).str.strip_chars()
    numbers = text.cast(pl.Float64, strict=False)
    if numbers.null_count() < max(1, len(numbers)) / 2:
        # Nanoseconds do not fit a float exactly; integers first.
        whole = text.cast(pl.Int64, strict=False)
        return _from_unix(whole if whole.null_count() <= numbers.null_count() else numbers)
    return _from_text(text)


def _within(times: pl.Series, unit_us: float) -> pl.Series:
    """Instants with those outside the years 1 to 9999 null; `unit_us` is microseconds per physical unit."""
    physical = times.to_physical()
    first, last = max(-(2**63), math.ceil(_FIRST_US / unit_us)), min(2**63 - 1, math.floor(_LAST_US / unit_us))
    usable = physical.is_between(first, last)
    return times if usable.all() else times.set(~usable.fill_null(False), None)


def _from_text(text: pl.Series) -> pl.Series:
    # Zoned and zoneless texts may stand in one column; each is tried and the first success kept.
    zoneless = text.str.replace(r"[zZ]$", "")
    try:
        naive = zoneless.str.to_datetime(strict=False, time_unit="us", format=None, ambiguous="null")
        results = [naive.dt.replace_time_zone("UTC")] if naive.dtype == pl.Datetime("us") else []
    except pl.exceptions.ComputeError:  # not one value suggests a format
        results = []
    for pattern in ("%Y-%m-%dT%H:%M:%S%.f%#z", "%Y-%m-%d %H:%M:%S%.f%#z"):
        results.append(text.str.to_datetime(pattern, strict=False, time_unit="us", time_zone="UTC"))
    for pattern in ("%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"):
        results.append(zoneless.str.to_datetime(pattern, strict=False, time_unit="us").dt.replace_time_zone("UTC"))
    days = zoneless.str.to_date("%Y-%m-%d", strict=False)
    results.append(days.cast(pl.Datetime("us")).dt.replace_time_zone("UTC"))
    frame = pl.DataFrame([series.cast(TIME_DTYPE).alias(str(i)) for i, series in enumerate(results)])
    return frame.select(pl.coalesce(pl.all())).to_series()


def _from_unix(column: pl.Series) -> pl.Series:
    if column.dtype.is_float():
        column = column.fill_nan(None).replace([float("inf"), float("-inf")], [None, None])
    median = column.cast(pl.Float64).abs().median()
    unit_us = unix_unit_us(float(median)) if isinstance(median, int | float) else 1.0
    if column.dtype.is_integer():
        # What lies outside would overflow when it is multiplied.
        whole = _within(column.cast(pl.Int64, strict=False), unit_us)
        scaled = whole // 1000 if unit_us < 1 else whole * int(unit_us)
    else:
        scaled = (column * unit_us).round().cast(pl.Int64, strict=False)
    return scaled.cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
