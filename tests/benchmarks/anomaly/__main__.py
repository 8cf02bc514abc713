"""`make bench-anomaly`: every detector and baseline on every labelled series of the development data.

Needs TRACEO_BENCH_DATA, the folder of the development data with anomaly/. A partial run (--sets, --detectors, --fast)
prints the same page and leaves RESULTS.md alone.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests.benchmarks.anomaly import contenders, report
from tests.benchmarks.anomaly.case import Case, write_case
from tests.benchmarks.anomaly.runs import run_all
from tests.benchmarks.anomaly.sets import LOADERS, load
from tests.benchmarks.results import RESULTS, write_section

_CSV = RESULTS.parent / ".traceo" / "benchmarks" / "anomaly.csv"
_FAST_SERIES = 3


def main(argv: Sequence[str] | None = None) -> int:
    arguments = _parser().parse_args(argv)
    data = Path(os.environ.get("TRACEO_BENCH_DATA", ""))
    if not os.environ.get("TRACEO_BENCH_DATA") or not (data / "anomaly").is_dir():
        print("skipped: TRACEO_BENCH_DATA does not name the development data with anomaly/")
        return 0
    names = arguments.detectors or contenders.names()
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="traceo-bench-") as folder:
        cases = [write_case(labelled, Path(folder)) for labelled in load(data, arguments.sets or tuple(LOADERS))]
        if arguments.fast:
            cases = _shortest(cases)
        runs = run_all(cases, names, arguments.workers)
    section = report.section(runs, names)
    print(section)
    report.write_csv(runs, arguments.csv)
    minutes, workers = (time.monotonic() - started) / 60, arguments.workers
    print(f"\nProcessor time ({len(runs)} runs in {minutes:.1f} minutes, {workers} processes):")
    print(report.costs(runs, names))
    print(f"\nOne line per series and detector: {arguments.csv}")
    failed = sum(bool(run.error) for run in runs)
    if failed:
        print(f"{failed} runs gave no answer, listed above; RESULTS.md is left alone", file=sys.stderr)
        return 1
    if arguments.sets or arguments.detectors or arguments.fast or arguments.no_write:
        print("RESULTS.md is left alone: it takes whole runs only")
        return 0
    write_section("anomaly", section)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.anomaly",
        description=__doc__,
        epilog="example: python -m tests.benchmarks.anomaly --sets nab --detectors auto random --fast",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--sets", nargs="+", choices=sorted(LOADERS), help="only these sets")
    parser.add_argument("--detectors", nargs="+", choices=contenders.names(), help="only these detectors")
    parser.add_argument(
        "--fast", action="store_true", help=f"only the {_FAST_SERIES} smallest labelled series of a set"
    )
    parser.add_argument("--workers", type=int, default=2, help="processes (default: 2)")
    parser.add_argument(
        "--csv", type=Path, default=_CSV, help="where the lines of single series go (default: %(default)s)"
    )
    parser.add_argument("--no-write", action="store_true", help="print only; leave RESULTS.md alone")
    return parser


def _shortest(cases: Sequence[Case]) -> list[Case]:
    kept = {name: sorted((c for c in cases if c.set == name and c.stretches), key=lambda c: c.size) for name in LOADERS}
    chosen = [case for of in kept.values() for case in of[:_FAST_SERIES]]
    return [case for case in cases if case in chosen]


if __name__ == "__main__":
    sys.exit(main())
