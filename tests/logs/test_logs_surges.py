"""New and multiplied templates of five minutes, against the hours before them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl

from components.core.times import Window
from components.logs.surges import find_surges

T0 = datetime(2026, 3, 1, tzinfo=UTC)
SLOT = timedelta(minutes=5)
DAY = timedelta(days=1)
COVERED = [Window(T0, T0 + 2 * DAY)]


def counts(per_slot: dict[str, dict[int, int]]) -> pl.DataFrame:
    """Rows of log_counts: template → {slot number: count}."""
    rows = [
        {"timestamp": T0 + slot * SLOT, "template_id": template, "template": template, "count": count}
        for template, slots in per_slot.items()
        for slot, count in slots.items()
    ]
    constants = {"service": "a", "severity": "ERROR", "example": "e"}
    return pl.DataFrame(rows).with_columns(pl.lit(value).alias(name) for name, value in constants.items())


STEADY = dict.fromkeys(range(400), 10)


def surges(frame: pl.DataFrame, first: int = 288, last: int = 400) -> pl.DataFrame:
    return find_surges(frame, Window(T0 + first * SLOT, T0 + last * SLOT), COVERED, DAY, 0.001)


def test_a_burst_is_multiplied_and_an_unseen_template_is_new() -> None:
    found = surges(counts({"steady": STEADY, "burst": {**STEADY, 300: 80}, "unseen": {301: 12}}))
    assert found.select("template_id", "change", "count").rows() == [("burst", "multiplied", 80), ("unseen", "new", 12)]
    assert found["expected"].round(1).to_list() == [10.0, 0.0]


def test_chance_and_single_lines_are_not_told() -> None:
    assert surges(counts({"steady": {**STEADY, 300: 17}, "rare": {350: 1}})).is_empty()


def test_without_hours_to_compare_with_nothing_is_new() -> None:
    assert surges(counts({"unseen": {10: 50}}), first=0, last=20).is_empty()


def test_the_cut_of_the_time_does_not_matter() -> None:
    frame = counts({"burst": {**STEADY, 300: 80, 301: 70}, "unseen": {301: 12, 320: 40}})
    whole = surges(frame)
    pieces = [surges(frame, first, first + 14) for first in range(288, 400, 14)]
    assert pl.concat(pieces).equals(whole)


def test_templates_that_surge_together_and_say_the_same_are_a_cluster() -> None:
    alike = [f"connection to replica {name} of the orders database was lost" for name in ("east", "west")]
    frame = counts({"steady": STEADY, alike[0]: {300: 12}, alike[1]: {300: 30}, "disk full": {300: 12, 301: 9}})
    found = surges(frame.with_columns(trace_id=pl.lit("abc")))
    assert dict(found.filter(pl.col("timestamp") == T0 + 300 * SLOT).select("template_id", "cluster").iter_rows()) == {
        alike[0]: alike[1],
        alike[1]: alike[1],
        "disk full": "disk full",
    }
    assert found["trace_id"].to_list() == ["abc"] * 4


def test_an_empty_window_has_no_surge() -> None:
    assert surges(counts({"steady": STEADY}).clear()).is_empty()
