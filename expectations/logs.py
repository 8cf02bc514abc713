"""The suite of the table `logs`."""

from __future__ import annotations

from typing import Any

from expectations import structure, zero

# A program may well write the same line twice within one tick of its clock.
WARNING = {"duplicated_rows": "no line is there twice"}


def expectations(gxe: Any, slack_s: int) -> list[Any]:
    return [*structure(gxe, slack_s), *zero(gxe, WARNING, "warning")]
