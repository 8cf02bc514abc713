"""The suite of the table `spans`."""

from __future__ import annotations

from typing import Any

from expectations import structure, zero

CRITICAL = {
    "duplicated_rows": "a span is reported once",
    "negative_durations": "no span ends before it starts",
}


def expectations(gxe: Any, slack_s: int) -> list[Any]:
    return [*structure(gxe, slack_s), *zero(gxe, CRITICAL, "critical")]
