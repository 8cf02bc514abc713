"""The suite of the table `metrics`."""

from __future__ import annotations

from typing import Any

from expectations import structure, zero

CRITICAL = {
    "duplicated_rows": "a series has one sample per instant and instance",
    "infinite": "no value is infinite",
    "impossible_low": "no watched metric is negative",
    "impossible_high": "no watched metric is above its capacity",
}
WARNING = {
    "null_values": "every sample has a value",
    "absent_series": "every series that was alive is still there",
    "flat_series": "every series that varied still varies",
}


def expectations(gxe: Any, slack_s: int) -> list[Any]:
    return [*structure(gxe, slack_s), *zero(gxe, CRITICAL, "critical"), *zero(gxe, WARNING, "warning")]
