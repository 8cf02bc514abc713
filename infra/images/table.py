"""The table of sizes and seconds that a build prints, and `SIZES.md` keeps."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

_HEAD = """# Sizes and build times

Written by `make images FRESH=1`, which builds every layer anew, in this order, with the packages already downloaded.
`core` is the base with the packages of `components/core`: all images share its layers, and "own" is what an image
adds to them. Size: uncompressed, in MB (10^6 bytes).

"""


@dataclass(frozen=True)
class Row:
    """One image: how big it is, how many Python packages it holds, how long its build took."""

    name: str
    size: int
    packages: int
    seconds: float


def row(builder: str, name: str, reference: str, seconds: float) -> Row:
    """Look at a built image."""
    size = _output(builder, "image", "inspect", "--format", "{{.Size}}", reference)
    count = "import importlib.metadata as m; print(len({d.name for d in m.distributions()}))"
    run = [builder, "run", "--rm", "--network=none", "--entrypoint", "/opt/traceo/bin/python", reference, "-c", count]
    return Row(name, int(size), int(_output(*run)), seconds)


def render(rows: Sequence[Row]) -> str:
    """The table as Markdown; the first row is what all others share."""
    shared, total = rows[0], sum(row.seconds for row in rows)
    lines = ["| image | packages | size | own | seconds |", "|---|---:|---:|---:|---:|"]
    for entry in rows:
        own = "" if entry is shared else f"{(entry.size - shared.size) / 1e6:.0f}"
        lines.append(f"| `{entry.name}` | {entry.packages} | {entry.size / 1e6:.0f} | {own} | {entry.seconds:.0f} |")
    disk = shared.size + sum(entry.size - shared.size for entry in rows[1:])
    lines.append(f"| all, on disk | | {disk / 1e6:.0f} | | {total:.0f} |")
    machine = f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}"
    return _HEAD + "\n".join(lines) + f"\n\nBuilt on {machine}.\n"


def _output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
