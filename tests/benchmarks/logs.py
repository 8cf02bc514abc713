"""`make bench-logs`: are templates of real logs right, and links and anomalies; how fast is it?

Needs TRACEO_BENCH_DATA, the folder of the development data with logs/loghub_2k.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa

from components.core import storage
from components.logs.mining import mine
from components.logs.shaping import Shaper
from components.logs.source import as_text, open_source
from components.logs.specs import FileParams
from tests.benchmarks import log_anomalies, log_incidents, log_speed, log_traces, log_volume
from tests.benchmarks.drain import Drain
from tests.benchmarks.parsing import Accuracy, accuracy
from tests.benchmarks.results import table, write_section

Parser = Callable[[Sequence[str]], tuple[list[str], list[str]]]
_WORDS_WITH_DIGITS = re.compile(r"\S*[0-9]\S*")
_HEADER = ("system", "GA", "FGA", "PA", "FTA", "templates (true)")


def traceo(bodies: Sequence[str]) -> tuple[list[str], list[str]]:
    """Each line's template id and template by the command's defaults."""
    return _mined([as_text(pl.Series("message", bodies, dtype=pl.String))])


def traceo_with_headers(lines: Sequence[str]) -> tuple[list[str], list[str]]:
    """The same from raw lines: the header's shape is learnt from the file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "raw.log"
        storage.write_bytes(str(path), ("\n".join(lines) + "\n").encode())
        source = open_source(path, "text")
        return _mined((block.lines for block in source.blocks()), Shaper(source.messages))


def digit_mask(bodies: Sequence[str]) -> tuple[list[str], list[str]]:
    """The naive baseline: every word with a digit in it is a variable."""
    masked = [_WORDS_WITH_DIGITS.sub("<*>", body) for body in bodies]
    return masked, masked


def _mined(blocks: Iterable[pa.LargeStringArray], shaper: Shaper | None = None) -> tuple[list[str], list[str]]:
    mined = mine(blocks, FileParams().min_siblings, shaper)
    lines = mined.shapes[np.concatenate([codes.shapes for codes in mined.line_codes])]
    return lines["template_id"].to_list(), lines["template"].to_list()


def systems(data: Path) -> dict[str, pl.DataFrame]:
    """`raw, body, template` of each labelled system's 2,000 lines."""
    found = {}
    for folder in sorted(path for path in (data / "logs" / "loghub_2k").iterdir() if path.is_dir()):
        name = folder.name
        labelled = pl.read_csv(folder / f"{name}_2k.log_structured_corrected.csv", infer_schema_length=0)
        raw = (folder / f"{name}_2k.log").read_text(encoding="utf-8", errors="replace").splitlines()
        found[name] = labelled.select(body="Content", template="EventTemplate").with_columns(raw=pl.Series(raw))
    return found


def report(data: Path) -> str:
    """The section of RESULTS.md."""
    found = systems(data)
    parts = [
        "## Templates of real logs",
        f"`make bench-logs`. Data: loghub, {len(found)} systems of 2,000 lines with corrected labels; one "
        "configuration for all. The rules of masking and merging were written with these systems in view, so that "
        "others may fare worse. Definitions: tests/benchmarks/parsing.py; means are over systems.",
    ]
    drain = Drain()
    parsers: tuple[tuple[str, str, Parser], ...] = (
        ("Traceo, message bodies", "body", traceo),
        ("Traceo, raw lines with headers", "raw", traceo_with_headers),
        ("Drain3 (drain3-improved, its default settings, its documented masks but one), message bodies", "body", drain),
        ("naive baseline: words with digits are variables, message bodies", "body", digit_mask),
    )
    for title, column, parse in parsers:
        judged = {name: accuracy(*parse(part[column]), part["template"].to_list()) for name, part in found.items()}
        parts += [f"### {title}", table(_HEADER, [*(_row(*item) for item in judged.items()), _mean(judged)])]
    return "\n\n".join([*parts, *_many_lines(data, drain), *_others(data, drain)])


def _many_lines(data: Path, drain: Drain) -> list[str]:
    """Templates of a longer log, which many parsers take apart."""
    lines = (data / "logs" / "logai_raw" / "HDFS_20000.log").read_text(encoding="utf-8", errors="replace").splitlines()
    counts = [len(set(parse(lines)[0])) for parse in (traceo_with_headers, drain)]
    return [
        "### Templates of 20,000 raw lines of HDFS",
        f"{counts[0]:,} with Traceo, {counts[1]:,} with Drain3.",
        *log_volume.report(traceo, drain),
    ]


def _others(data: Path, drain: Drain) -> list[str]:
    traces, anomalies = log_traces.report(data), log_anomalies.report(data)
    return [*log_speed.report(data, drain), *traces, *log_incidents.report(), *anomalies]


def _row(name: str, found: Accuracy) -> list[str]:
    shares = [f"{value:.3f}" for value in (found.ga, found.fga, found.pa, found.fta)]
    return [name, *shares, f"{found.found} ({found.true})"]


def _mean(judged: dict[str, Accuracy]) -> list[str]:
    """The mean over systems with its 95 % bootstrap interval: systems are drawn, not lines."""
    values = np.array([[getattr(one, name) for name in ("ga", "fga", "pa", "fta")] for one in judged.values()])
    draws = np.random.default_rng(0).integers(0, len(values), size=(2000, len(values)))
    low, high = np.quantile(values[draws].mean(axis=1), (0.025, 0.975), axis=0)
    cells = zip(values.mean(axis=0), low, high, strict=True)
    return ["**mean** (95 %)", *(f"**{mean:.3f}** ({a:.2f}–{b:.2f})" for mean, a, b in cells), ""]


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.logs", description=__doc__)
    parser.add_argument("--no-write", action="store_true", help="print only; leave RESULTS.md alone")
    arguments = parser.parse_args(argv)
    data = Path(os.environ.get("TRACEO_BENCH_DATA", ""))
    if not (data / "logs" / "loghub_2k").is_dir():
        print("skipped: TRACEO_BENCH_DATA does not name the development data with logs/loghub_2k")
        return 0
    section = report(data)
    print(section)
    if not arguments.no_write:
        write_section("logs", section)
    return 0


if __name__ == "__main__":
    sys.exit(main())
