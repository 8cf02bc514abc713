"""The suite of the table `changes`."""

from __future__ import annotations

from typing import Any

from expectations import structure, zero

CRITICAL = {"duplicated_rows": "a change is recorded once"}


def expectations(gxe: Any, slack_s: int) -> list[Any]:
    return [*structure(gxe, slack_s), *zero(gxe, CRITICAL, "critical")]
