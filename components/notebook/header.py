"""A notebook's first cell: its title, its ports and what it needs."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import get_args

from components.core.spec import Kind, Port, Resources
from components.notebook.percent import Cell

#: What the step itself puts out, and flags of the command line.
RESERVED = ("report", "params", "help")
_SECTION = re.compile(r"^\*\*(?P<name>[^*]+)\*\*:?\s*$")
_ENTRY = re.compile(
    r"^- `(?P<name>[a-z][a-z0-9_]*)` \((?P<kind>\w+)(?: of (?P<schema>\w+))?(?P<optional>, optional)?\): (?P<words>.+)$"
)
_RESOURCE = re.compile(r"^- (?P<name>cpu|memory_mb|cell_timeout_s): (?P<value>\d+(?:\.\d+)?)$")
#: A cell that runs for longer hangs.
CELL_TIMEOUT_S = 600.0


class Malformed(ValueError):
    """A cell that is not as a component needs it; `line` counts within the file."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line


@dataclass
class Header:
    """What the first cell says; `cell_timeout_s` is how long one cell may run."""

    title: str
    inputs: list[Port] = field(default_factory=list)
    outputs: list[Port] = field(default_factory=list)
    resources: Resources = field(default_factory=Resources)
    cell_timeout_s: float = CELL_TIMEOUT_S


def read(cell: Cell) -> Header:
    """The header in the first cell of a notebook; Malformed where it is not one."""
    lines = _joined(cell)
    if cell.kind != "markdown" or not lines or not lines[0][1].startswith("# "):
        raise Malformed(cell.line, "the first cell must be Markdown and begin with '# Title'")
    header = Header(lines[0][1].removeprefix("# ").strip())
    section, needs = "", {"cpu": header.resources.cpu, "memory_mb": float(header.resources.memory_mb)}
    for number, line in lines[1:]:
        if found := _SECTION.match(line):
            section = found["name"].strip().lower()
        elif section in ("inputs", "outputs") and line.startswith("- "):
            ports = header.inputs if section == "inputs" else header.outputs
            ports.append(_port(number, line, header))
        elif section == "resources" and line.startswith("- "):
            needs |= _need(number, line)
    if not header.outputs:
        raise Malformed(cell.line, "the first cell lists no **Outputs**; name what the notebook finds")
    header.cell_timeout_s = needs.pop("cell_timeout_s", CELL_TIMEOUT_S)
    header.resources = Resources(cpu=needs["cpu"], memory_mb=int(needs["memory_mb"]))
    return header


def _joined(cell: Cell) -> list[tuple[int, str]]:
    """Lines with their numbers; an indented line continues the entry before it."""
    found: list[tuple[int, str]] = []
    for number, line in enumerate(cell.source.splitlines(), cell.line):
        if line.startswith("  ") and found and found[-1][1].startswith("- "):
            found[-1] = (found[-1][0], f"{found[-1][1]} {line.strip()}")
        else:
            found.append((number, line.rstrip()))
    return found


def _port(number: int, line: str, header: Header) -> Port:
    found = _ENTRY.match(line)
    if not found:
        raise Malformed(number, f"not a port: {line!r}; write - `name` (kind): description")
    name, kind = found["name"], found["kind"]
    if kind not in get_args(Kind):
        raise Malformed(number, f"port {name!r} has the kind {kind!r}; choose one of {', '.join(get_args(Kind))}")
    if name in RESERVED or name in {port.name for port in (*header.inputs, *header.outputs) if kind != "lake"}:
        raise Malformed(number, f"the port name {name!r} is taken; choose another")
    return Port(name, kind, found["words"], found["schema"], bool(found["optional"]))  # type: ignore[arg-type]


def _need(number: int, line: str) -> dict[str, float]:
    found = _RESOURCE.match(line)
    if not found or not float(found["value"]):
        raise Malformed(number, f"not a resource: {line!r}; write - cpu: 1, - memory_mb: 1024 or - cell_timeout_s: 60")
    return {found["name"]: float(found["value"])}
