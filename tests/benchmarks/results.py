"""RESULTS.md: one section per benchmark, written by the benchmark and by nothing else."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path

RESULTS = Path(__file__).parents[2] / "RESULTS.md"
_HEAD = "# Results\n\nWritten by `make bench`; every section names the command that writes it.\n"


def write_section(name: str, content: str, path: Path = RESULTS) -> None:
    """Replace the section `name` of RESULTS.md, or add it at the end."""
    text = path.read_text() if path.exists() else _HEAD
    begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    section = f"{begin}\n{content.strip()}\n{end}"
    pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    text = pattern.sub(lambda _: section, text) if pattern.search(text) else f"{text.rstrip()}\n\n{section}\n"
    path.write_text(text)


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def wilson(hits: int, total: int) -> str:
    """A share with its 95 % Wilson interval, as "11/12 = 92 % (65–99)"."""
    if not total:
        return "0/0"
    z, share = 1.96, hits / total
    centre = (share + z * z / (2 * total)) / (1 + z * z / total)
    half = z * math.sqrt(share * (1 - share) / total + z * z / (4 * total * total)) / (1 + z * z / total)
    low, high = 100 * max(0.0, centre - half), 100 * min(1.0, centre + half)
    return f"{hits}/{total} = {share:.0%} ({low:.0f}–{high:.0f})"
