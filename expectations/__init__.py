"""Suites as code: what each table's partitions must be like.

A suite judges the frame of facts that `components/quality/facts.py` measures: one row per partition, one
column per fact, zero where nothing is wrong. `expectations(gxe, slack_s)` gets Great Expectations'
expectation module, so that only `components/quality/validation.py` has to import it. `critical` sends a partition
to the quarantine, `warning` is reported.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

#: Facts that must be zero in a partition of any table.
STRUCTURE = {
    "unreadable": "the file can be read and matches its sidecar",
    "missing_columns": "every required column is there",
    "wrong_types": "every column has, or can be cast to, its type",
    "null_required": "no cell is empty where a row needs one",
    "outside_window": "every row lies in the partition's window",
}
TOLERATED = {
    "extra_columns": "no column that the schema does not know",
    "cast_columns": "no column had to be cast",
}


def zero(gxe: Any, facts: Mapping[str, str], severity: str) -> list[Any]:
    """One expectation per fact: it is zero in every partition."""
    return [
        gxe.ExpectColumnValuesToBeBetween(column=fact, max_value=0, severity=severity, notes=notes)
        for fact, notes in facts.items()
    ]


def structure(gxe: Any, slack_s: int) -> list[Any]:
    """What holds for every table; `slack_s` is how far a clock may be ahead, in seconds."""
    clock = gxe.ExpectColumnValuesToBeBetween(
        column="ahead_s", max_value=slack_s, severity="critical", notes="no row lies in the future"
    )
    return [*zero(gxe, STRUCTURE, "critical"), clock, *zero(gxe, TOLERATED, "warning")]
