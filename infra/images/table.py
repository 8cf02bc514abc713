"""The table of sizes and seconds that a build prints, and `SIZES.md` keeps."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass

from infra.images.engine import ask

_HEAD = """# Sizes and build times

Written by `make images FRESH=1`, which builds every layer anew, in this order; Python packages that uv's cache holds
are not downloaded again. `base` is made of Debian packages; `core` adds the packages of `components/core`, and all
images share its layers; "own" is what an image adds to them. Sizes: uncompressed, in MB (10^6 bytes).

"""


@dataclass(frozen=True)
class Row:
    """One image: its bytes, its Python packages (None: a layer that others build on), the seconds its build took."""

    name: str
    size: int
    packages: int | None
    seconds: float


def size(builder: str, reference: str) -> int:
    """Bytes of a built image, uncompressed, with the layers that it shares; ImageError where the builder fails."""
    return int(ask([builder, "image", "inspect", "--format", "{{.Size}}", reference]))


def render(rows: Sequence[Row]) -> str:
    """The table as Markdown; what the images after `core` share is its size."""
    total = sum(row.seconds for row in rows)
    shared = next(row.size for row in rows if row.name == "core")
    lines = ["| image | packages | size | own | seconds |", "|---|---:|---:|---:|---:|"]
    for entry in rows:
        packages = "" if entry.packages is None else str(entry.packages)
        own = "" if entry.packages is None else f"{(entry.size - shared) / 1e6:.0f}"
        lines.append(f"| `{entry.name}` | {packages} | {entry.size / 1e6:.0f} | {own} | {entry.seconds:.0f} |")
    disk = shared + sum(entry.size - shared for entry in rows if entry.packages is not None)
    lines.append(f"| all, on disk | | {disk / 1e6:.0f} | | {total:.0f} |")
    machine = f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}"
    return _HEAD + "\n".join(lines) + f"\n\nBuilt on {machine}.\n"
