"""Log files in blocks of whole lines, told apart by where they begin and end: each counts once, whatever is retried."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from components.core.errors import InputError
from components.logs.reading import COMPRESSIONS

#: Read at once to find the end of a line.
_PART = 1 << 16


@dataclass(frozen=True, order=True)
class BlockRef:
    """The bytes from `start` to `end` of a file, which begin and end where lines do."""

    path: str
    start: int
    end: int

    @property
    def name(self) -> str:
        """What the block's results are called: the same on every run."""
        return f"{_digest(self.path)}-{self.start:015}-{self.end:015}"


def plan_blocks(folder: Path, done: Collection[str], block_bytes: int) -> list[BlockRef]:
    """The blocks of a folder's files that are not in `done`; a line that is still being written waits for its end.

    done: names of blocks that have their results. A compressed file is one block, as is one of Loki's JSON.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder of log files; check the path")
    blocks = []
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith(".")):
        name = path.relative_to(folder).as_posix()
        if path.suffix.lower() in (*COMPRESSIONS, ".json"):
            whole = BlockRef(name, 0, path.stat().st_size)
            blocks += [whole] if whole.end and not [*_ranges(name, done)] else []
        else:
            blocks += _plan_file(path, name, done, block_bytes)
    return blocks


def _plan_file(path: Path, name: str, done: Collection[str], block_bytes: int) -> Iterator[BlockRef]:
    """Blocks of what is not done of one file."""
    size, at = path.stat().st_size, 0
    for start, end in [*sorted(_ranges(name, done)), (size, size)]:
        while at < start:
            cut = _line_end(path, min(at + block_bytes, start), at, start)
            if cut <= at:
                break
            yield BlockRef(name, at, cut)
            at = cut
        at = max(at, end)


def _ranges(name: str, done: Collection[str]) -> Iterator[tuple[int, int]]:
    digest = _digest(name)
    for one in done:
        part, _, rest = one.partition("-")
        if part == digest:
            start, _, end = rest.partition("-")
            yield int(start), int(end)


def _line_end(path: Path, near: int, least: int, most: int) -> int:
    """Where the last line up to `near` ends; where there is none behind `least`, the end of the first line after it."""
    with path.open("rb") as stream:
        for begin in range(near, least, -_PART):
            low = max(least, begin - _PART)
            stream.seek(low)
            cut = stream.read(begin - low).rfind(b"\n") + 1
            if cut:
                return low + cut
        stream.seek(near)
        for begin in range(near, most, _PART):
            cut = stream.read(min(_PART, most - begin)).find(b"\n") + 1
            if cut:
                return begin + cut
    return least


def _digest(path: str) -> str:
    return hashlib.blake2b(path.encode(), digest_size=8).hexdigest()
