"""Tables of a case whose clock is off by a time zone: moved where the evidence is good, told of where it is not."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import timedelta

import polars as pl

from components.rootcause.case import TIME_COLUMN, Case

#: Clocks that are off by a zone are off by half hours, 14 hours at most.
_ZONES = sorted((half / 2 for half in range(-28, 29)), key=lambda hours: (abs(hours), hours))
#: A table may end so long before the incident's time, in seconds.
_SLACK_S = 600.0
#: Tables that were cut out of one period begin and end within so many seconds of one another.
_SAME_S = 300.0
_TABLES = ("metrics", "spans", "logs", "log_counts")

#: First and last instant, seconds since the epoch.
Range = tuple[float, float]


def aligned(case: Case) -> Case:
    """The case with tables whose clock is off moved onto the incident's, and a note for each.

    A table is moved where it does not reach the incident's time as it stands and hours make it: half hours so that it
    begins and ends with a table that does reach it, else the whole hours by which it ends soonest after the incident.
    It is also moved where two tables begin and end together and the third the same half hours before or after them.
    """
    at = case.incident.time.timestamp()
    ranges = {name: found for name in _TABLES if (found := _range(getattr(case, name), name))}
    shifts = _late(ranges, at)
    notes = [f"{name} were moved by {hours:+g} h to reach the incident's time" for name, hours in shifts.items()]
    odd, told = _odd_one_out(ranges) if not shifts else ({}, [])
    notes += told
    moved = shifts | odd
    frames = {name: _moved(getattr(case, name), name, hours) for name, hours in moved.items()}
    changes, told = _changes(case, {name: _shifted(ranges[name], moved.get(name, 0.0)) for name in ranges}, shifts)
    if not frames and not told and not notes:
        return case
    return dataclasses.replace(case, **frames, changes=changes, notes=(*case.notes, *notes, *told))  # type: ignore[arg-type]


def _range(frame: pl.DataFrame, name: str) -> Range | None:
    times = frame[TIME_COLUMN.get(name, "timestamp")].drop_nulls().dt.epoch("us")
    return None if times.is_empty() else (float(times.min()) / 1e6, float(times.max()) / 1e6)  # type: ignore[arg-type]


def _moved(frame: pl.DataFrame, name: str, hours: float) -> pl.DataFrame:
    return frame.with_columns(pl.col(TIME_COLUMN.get(name, "timestamp")) + timedelta(hours=hours))


def _shifted(found: Range, hours: float) -> Range:
    return found[0] + 3600 * hours, found[1] + 3600 * hours


def _together(one: Range, other: Range) -> bool:
    return abs(one[0] - other[0]) <= _SAME_S and abs(one[1] - other[1]) <= _SAME_S


def _late(ranges: Mapping[str, Range], at: float) -> dict[str, float]:
    """The hours to add to each table that does not reach the incident's time."""

    def reaches(found: Range) -> bool:
        return found[0] <= at <= found[1] + _SLACK_S

    there = [found for found in ranges.values() if reaches(found)]
    hours: dict[str, float] = {}
    for name, found in ranges.items():
        able = [h for h in _ZONES if reaches(_shifted(found, h))]
        fitting = [h for h in able if any(_together(_shifted(found, h), other) for other in there)]
        # Ending soonest after the incident goes before ending within the slack before it.
        whole = sorted((h for h in able if h == int(h)), key=lambda h: (_shifted(found, h)[1] < at, h))
        best = next(iter(fitting + whole), 0.0)
        if best and not reaches(found):
            hours[name] = best
    return hours


def _odd_one_out(ranges: Mapping[str, Range]) -> tuple[dict[str, float], list[str]]:
    """Of tables that all reach the incident's time, the hours to add to the one that stands apart from two others."""
    apart = {
        (name, other): hours
        for name, found in ranges.items()
        for other, reference in ranges.items()
        for hours in _ZONES
        if hours and name != other and _together(_shifted(found, hours), reference)
    }
    for name in ranges:
        others = [other for other in ranges if other != name]
        hours = {apart.get((name, other)) for other in others}
        if len(others) > 1 and len(hours) == 1 and (off := hours.pop()):
            return {name: off}, [f"{name} were moved by {off:+g} h to begin and end with {' and '.join(others)}"]
    if apart:
        (name, other), off = next(iter(apart.items()))
        return {}, [f"{name} and {other} begin and end {abs(off):g} h apart: check whether the clock of one is off"]
    return {}, _goes_on(ranges)


def _goes_on(ranges: Mapping[str, Range]) -> list[str]:
    """A note on the table that ends whole hours after all others: its clock may be ahead, or it was kept longer."""
    if len(ranges) < 2:
        return []
    (before, _), (last, name) = sorted((end, name) for name, (_, end) in ranges.items())[-2:]
    longer_h = round((last - before) / 3600)
    if not 1 <= longer_h <= _ZONES[-1] or abs(last - before - 3600 * longer_h) > _SLACK_S:
        return []
    return [f"{name} go on for {longer_h} h after the other tables: check whether their clock is ahead"]


def _changes(case: Case, ranges: Mapping[str, Range], shifts: Mapping[str, float]) -> tuple[pl.DataFrame, list[str]]:
    """The changes, moved with all the other tables where they lie after the end of them as they stand."""
    found = _range(case.changes, "changes")
    if not found or not ranges:
        return case.changes, []
    last = max(end for _, end in ranges.values()) + _SLACK_S
    hours = set(shifts.values()) if len(shifts) == len(ranges) else set()
    if len(hours) == 1 and found[0] > last and (off := hours.pop()) < 0:
        return _moved(case.changes, "changes", off), [f"changes were moved by {off:+g} h like the other tables"]
    late = int((case.changes["timestamp"].dt.epoch("us") / 1e6 > last).sum())
    if late:
        return case.changes, [f"{late} changes lie after the last sample: check whether their clock is ahead"]
    if shifts:
        return case.changes, ["changes were not moved: nothing shows whether their clock is off too"]
    return case.changes, []
