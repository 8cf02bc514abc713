"""How fast `traceo logs` reads real lines, beside Drain3 and masking line by line in the same run."""

from __future__ import annotations

import gzip
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from components.logs.blocks import plan_blocks
from components.logs.reduction import archive_block
from components.logs.specs import CollectParams
from tests.benchmarks.drain import Drain
from tests.benchmarks.results import table

#: Bytes of lines that the slow ones are given: every so many-th line of the file.
_SLOW_BYTES = 3_000_000
_RUNS = 3


@dataclass(frozen=True)
class Run:
    """Wall and processor seconds, and the most memory held, of one command."""

    wall: float
    processor: float
    memory_mb: float


def report(data: Path, drain: Drain) -> list[str]:
    """The paragraphs of RESULTS.md on speed."""
    with tempfile.TemporaryDirectory() as folder:
        load, path = os.getloadavg()[0], Path(folder) / "nezha.log"
        size = write_lines(data, path)
        lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
        output = Path(folder) / "lines.parquet"
        assign = best([str(path), "--assign-only", "--output", str(output)])
        counted = pl.read_parquet(output)
        full = best([str(path), "--output", str(output), "--templates", str(Path(folder) / "t.csv")])
        kept_mb, gzip_mb = _stored(path, Path(folder) / "archive")
        total = pl.read_csv(Path(folder) / "t.csv")["count"].sum()
        one = Path(folder) / "one.log"
        one.write_text("2026-01-02 03:04:05 INFO shop.Cart: paid 17\n")
        start = best([str(one), "--assign-only", "--output", str(output)])
    some = lines[:: max(1, size // _SLOW_BYTES)]
    some_mb = sum(len(line.encode()) + 1 for line in some) / 1e6
    drain(some)
    masked = _masking(some)
    mb = size / 1e6
    rate = some_mb / drain.seconds[1]
    rows = [
        _row("Traceo, --assign-only", mb, assign.wall, assign.processor, len(counted)),
        _row("Traceo, full extraction", mb, full.wall, full.processor, len(counted)),
        _row("Traceo, --assign-only, without the start", mb, *_beyond(assign, start), len(counted)),
        _row("Traceo, full extraction, without the start", mb, *_beyond(full, start), len(counted)),
        _row("Drain3 (one process, import not counted)", some_mb, drain.seconds[1], drain.seconds[0], len(some)),
        _row("digits masked line by line (re.sub)", some_mb, masked, masked, len(some)),
    ]
    return [
        "### Speed",
        f"{mb:.0f} MB of Nezha's log files as they are ({len(counted):,} lines, {os.cpu_count()} cores; the machine's "
        f"load was {load:.1f} before: where it is not near 0, others had their share of the cores, and processor "
        "seconds say more than MB/s). Traceo: the whole command with its start, the best of "
        f"{_RUNS} runs; Drain3 and masking: every {max(1, size // _SLOW_BYTES)}th line.",
        table(("", "MB", "MB/s", "MB per processor second", "lines/s"), rows),
        f"A file of one line takes {start.wall:.2f} s ({start.processor:.2f} s of processor): the start, which a "
        f"larger file needs once as well. `--assign-only` is {mb / assign.wall / rate:.0f} times as fast as Drain3 "
        f"with its start and {mb / (assign.wall - start.wall) / rate:.0f} times without, as Drain3 is measured "
        f"({mb / (assign.processor - start.processor) / (some_mb / drain.seconds[0]):.0f} times per processor second). "
        f"The templates' counts add up to {total:,} of {len(counted):,} lines. Peak memory {assign.memory_mb:.0f} MB, "
        f"in full {full.memory_mb:.0f} MB. Archived (blocks of the default size; Parquet per hour, sorted by template, "
        f"parameters as columns; with the templates) the lines take {kept_mb:.1f} MB, "
        f"with gzip -6 {gzip_mb:.1f} MB: {gzip_mb / kept_mb:.2f} times as much.",
    ]


def _stored(path: Path, archive: Path) -> tuple[float, float]:
    """Megabytes of the lines in the archive and in a gzip file."""
    blocks = plan_blocks(path.parent, [], int(CollectParams().block_mb * 1_000_000))
    for block in blocks:
        if block.path == path.name:
            archive_block(str(path.parent), block, str(archive), 1970)
    with gzip.open(f"{path}.gz", "wb", compresslevel=6) as stream, path.open("rb") as lines:
        shutil.copyfileobj(lines, stream)
    kept = sum(file.stat().st_size for file in archive.rglob("*.*") if file.is_file())
    return kept / 1e6, Path(f"{path}.gz").stat().st_size / 1e6


def write_lines(data: Path, path: Path) -> int:
    """All rows of Nezha's log files in one file; its size in bytes."""
    with path.open("wb") as stream:
        for file in sorted((data / "rca" / "nezha").glob("*/log/*_log.csv")):
            stream.write(file.read_bytes())
    return path.stat().st_size


def best(arguments: Sequence[str]) -> Run:
    """The quickest of some runs of the command in processes of its own."""
    return min((run(arguments) for _ in range(_RUNS)), key=lambda one: one.wall)


# A process starts with the most memory that its parent ever held: a small one in between tells the command's own.
_MEASURE = """
import resource, subprocess, sys, time
started = time.perf_counter()
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(time.perf_counter() - started, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)
"""


def run(arguments: Sequence[str]) -> Run:
    """The command once, in a process of its own."""
    command = [sys.executable, "-m", "components.cli", "logs", *arguments]
    told = subprocess.run([sys.executable, "-c", _MEASURE, *command], check=True, capture_output=True, text=True)
    return Run(*map(float, told.stdout.split()))


def _masking(lines: Sequence[str]) -> float:
    from tests.benchmarks.logs import digit_mask

    started = time.process_time()
    digit_mask(lines)
    return time.process_time() - started


def _beyond(run: Run, start: Run) -> tuple[float, float]:
    """Wall and processor seconds of a run beyond those of its start."""
    return run.wall - start.wall, run.processor - start.processor


def _row(name: str, mb: float, wall: float, processor: float, lines: int) -> list[str]:
    return [name, f"{mb:.0f}", f"{mb / wall:.1f}", f"{mb / processor:.1f}", f"{lines / wall:,.0f}"]
