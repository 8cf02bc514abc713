"""Clocks that are off by a zone: which table is moved by what, and when nothing is moved."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import timedelta

import polars as pl
import pytest

from components.rootcause.case import Case
from components.rootcause.clocks import aligned
from tests.rootcause.cases import NOTICED, case, frame

MINUTE = timedelta(minutes=1)


def _case(changes: Sequence[float] = (), **hours: float) -> Case:
    """Tables from two hours before to ten minutes after the incident, each `hours` ahead; changes at these minutes."""
    tables = {}
    for name in hours:
        times = [NOTICED + timedelta(hours=hours[name]) + i * MINUTE for i in range(-120, 11)]
        rows = {
            "metrics": [(time, "web", "latency", 1.0) for time in times],
            "spans": [("t", str(i), None, "web", "op", time, 1.0, "OK") for i, time in enumerate(times)],
            "logs": [(time, "web", "INFO", "x") for time in times],
        }
        tables[name] = frame(name, rows[name])
    told = frame("changes", [(NOTICED + minute * MINUTE, "web", "v2") for minute in changes])
    return case(tables.pop("metrics", frame("metrics", [])), changes=told, **tables)


@pytest.mark.parametrize(
    ("ahead", "notes"),
    [
        ({"metrics": 0}, []),
        # Two hours of data and an hour of it after the incident: nothing tells that from a clock that is ahead.
        ({"metrics": 1}, []),
        ({"metrics": -1}, ["metrics were moved by +1 h to reach the incident's time"]),
        ({"metrics": 0, "logs": 5.5}, ["logs were moved by -5.5 h to reach the incident's time"]),
        ({"metrics": 0, "spans": 0, "logs": 1}, ["logs were moved by -1 h to begin and end with metrics and spans"]),
        ({"metrics": 1, "spans": 0, "logs": 0}, ["metrics were moved by -1 h to begin and end with spans and logs"]),
        (
            {"metrics": 1, "spans": 0},
            ["metrics and spans begin and end 1 h apart: check whether the clock of one is off"],
        ),
        ({"metrics": 0, "spans": 0, "logs": 0.25}, []),
        (
            {"metrics": -1, "spans": -1},
            [f"{name} were moved by +1 h to reach the incident's time" for name in ("metrics", "spans")],
        ),
    ],
)
def test_a_table_is_moved_on_good_evidence_alone(ahead: dict[str, float], notes: list[str]):
    found = aligned(_case(**ahead))
    assert list(found.notes) == notes
    starts = {name: getattr(found, name)[0, "start_time" if name == "spans" else "timestamp"] for name in ahead}
    moved = any("moved" in note for note in notes)
    off = {} if moved else {name: timedelta(hours=hours) for name, hours in ahead.items()}
    assert starts == {name: NOTICED - 120 * MINUTE + off.get(name, timedelta()) for name in ahead}


def test_a_table_that_ends_just_before_a_whole_hour_still_reaches_past_the_incident():
    """An hour to six after the incident: five hours earlier it reaches past it, six hours earlier it ends before."""
    ahead = _case(metrics=5)
    times = [NOTICED + timedelta(minutes=m) for m in range(60, 356)]
    late = frame("metrics", [(time, "web", "latency", 1.0) for time in times])
    found = aligned(dataclasses.replace(ahead, metrics=late))
    assert list(found.notes) == ["metrics were moved by -5 h to reach the incident's time"]


@pytest.mark.parametrize(
    ("minutes", "ahead", "minute", "note"),
    [
        ([-5.0], 0, -5, None),
        ([295.0], 5, -5, "changes were moved by -5 h like the other tables"),
        ([-5.0], 5, -5, "changes were not moved: nothing shows whether their clock is off too"),
        # All tables an hour late and the changes after their end: they need not move further from the incident.
        ([55.0], -1, 55, "1 changes lie after the last sample: check whether their clock is ahead"),
        ([-65.0], -1, -65, "changes were not moved: nothing shows whether their clock is off too"),
        ([-65.0, 55.0], 0, -65, "1 changes lie after the last sample: check whether their clock is ahead"),
    ],
)
def test_changes_follow_the_other_tables_only_from_after_their_end(minutes, ahead, minute, note):
    found = aligned(_case(minutes, metrics=ahead))
    assert found.changes[0, "timestamp"] == NOTICED + minute * MINUTE
    assert [text for text in found.notes if "change" in text] == ([note] if note else [])


@pytest.mark.parametrize(("minutes", "told"), [(0, False), (30, False), (56, True), (65, True), (85, False)])
def test_a_table_that_ends_whole_hours_after_the_others_is_told(minutes: int, told: bool):
    ahead = _case(metrics=minutes / 60, spans=0)
    cut = dataclasses.replace(ahead, spans=ahead.spans.tail(60))
    note = "metrics go on for 1 h after the other tables: check whether their clock is ahead"
    assert list(aligned(cut).notes) == ([note] if told else [])


def test_a_table_at_the_end_of_time_is_left_where_it_is():
    late = _case(metrics=0)
    far = late.metrics.with_columns(pl.col("timestamp") + timedelta(days=365 * 7970))
    assert aligned(dataclasses.replace(late, metrics=far)).notes == ()
