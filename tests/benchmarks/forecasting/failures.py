"""The failure half of `make bench-forecasting`: will a series cross its limit, when, and how sure is that?

Alone: `python -m tests.benchmarks.forecasting.failures`. Needs TRACEO_BENCH_DATA; a partial run (--seeds, --per-set)
prints the same page and leaves RESULTS.md alone.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tests.benchmarks.forecasting import crossings, failure_report, simulator
from tests.benchmarks.forecasting.failure_baselines import BASELINES, prophet
from tests.benchmarks.forecasting.failure_case import Case
from tests.benchmarks.forecasting.failure_figures import Answers
from tests.benchmarks.forecasting.failure_runs import run_baseline, run_traceo
from tests.benchmarks.results import write_section

#: Scored seeds; the maps of `outlook` were fitted on others (`failure_fit`).
SEEDS, PER_SET = range(21, 25), 60
#: Prophet takes too long for all cases: one in so many is drawn.
PROPHET_ONE_IN = 12


def section(data: Path, seeds: Sequence[int] = SEEDS, per_set: int = PER_SET, workers: int = 2) -> list[str]:
    """The parts of RESULTS.md about failures."""
    cases = [*simulator.cases(seeds), *crossings.cases(data, per_set)]
    drawn = np.random.default_rng(0).permutation(len(cases))[: len(cases) // PROPHET_ONE_IN]
    return failure_report.section(run(cases, workers), run_sample([cases[i] for i in sorted(drawn)], workers))


def run(cases: Sequence[Case], workers: int) -> dict[str, Answers]:
    """Traceo and the quick baselines on every case."""
    quick = {name: run_baseline(method, cases) for name, method in BASELINES.items()}
    return {"Traceo": run_traceo(cases, workers), **quick}


def run_sample(cases: Sequence[Case], workers: int) -> dict[str, Answers]:
    """Traceo and Prophet on the same few cases."""
    return {"Traceo": run_traceo(cases, workers), "Prophet": run_baseline(prophet, cases, workers)}


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.forecasting.failures",
        description=__doc__,
        epilog="example: python -m tests.benchmarks.forecasting.failures --seeds 21 --per-set 10",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seeds", nargs="+", type=int, default=list(SEEDS), help="seeds of the simulator")
    parser.add_argument("--per-set", type=int, default=PER_SET, help="series of a real set (default: %(default)s)")
    parser.add_argument("--workers", type=int, default=2, help="processes (default: 2)")
    parser.add_argument("--no-write", action="store_true", help="print only; leave RESULTS.md alone")
    arguments = parser.parse_args(argv)
    data = os.environ.get("TRACEO_BENCH_DATA", "")
    if not (Path(data) / "forecasting").is_dir() or not data:
        print("skipped: TRACEO_BENCH_DATA does not name the development data with forecasting/")
        return 0
    started = time.monotonic()
    text = "\n\n".join(section(Path(data), arguments.seeds, arguments.per_set, arguments.workers))
    print(f"{text}\n\n{(time.monotonic() - started) / 60:.1f} minutes", flush=True)
    if arguments.no_write or (arguments.seeds, arguments.per_set) != (list(SEEDS), PER_SET):
        print("RESULTS.md is left alone: it takes whole runs only")
        return 0
    write_section("failures", text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
