"""The cells of a py:percent file with the lines they stand on, read without jupytext."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Literal

_MARKER = re.compile(r"^# ?%%+(?P<rest>.*)$")
_TAGS = re.compile(r"tags=(\[[^\]]*\])")
_HEADING = re.compile(r"^#{1,6} +(.+?) *#*$", re.MULTILINE)


@dataclass(frozen=True)
class Cell:
    """One cell: `number` counts from 1, `line` is the line of the file on which `source` begins."""

    number: int
    kind: Literal["markdown", "code"]
    title: str
    tags: frozenset[str]
    line: int
    source: str


def cells(text: str) -> list[Cell]:
    """The cells of a py:percent file in order; what stands before the first marker is no cell.

    A cell's title is what its marker says, else the last Markdown heading above it.
    """
    found: list[Cell] = []
    lines = text.splitlines()
    starts = [number for number, line in enumerate(lines) if _MARKER.match(line)]
    heading = ""
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        rest = lines[start].split("%%", 1)[1].lstrip("%")
        kind: Literal["markdown", "code"] = "markdown" if "[markdown]" in rest or "[md]" in rest else "code"
        source = "\n".join(lines[start + 1 : end]).rstrip()
        if kind == "markdown":
            source = "\n".join(line.removeprefix("#").removeprefix(" ") for line in source.splitlines())
            heading = ([heading, *_HEADING.findall(source)])[-1]
        title = re.sub(r"\[\w+\]|\w+=.*", "", rest).strip() or heading
        found.append(Cell(len(found) + 1, kind, title, _tags(rest), start + 2, source))
    return found


def _tags(rest: str) -> frozenset[str]:
    given = _TAGS.search(rest)
    try:
        return frozenset(map(str, json.loads(given[1]))) if given else frozenset()
    except ValueError:
        return frozenset()
