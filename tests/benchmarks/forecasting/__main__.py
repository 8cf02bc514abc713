"""`make bench-forecasting`: every forecasting model on real series at 24, 72 and 168 hours, `failures`, `scale`.

Needs TRACEO_BENCH_DATA, the folder of the development data with forecasting/ and anomaly/. A partial run (--sets,
--models, --limit, --cutoffs) prints the same page and leaves RESULTS.md alone.
"""

from __future__ import annotations

import argparse
import csv
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from components.forecasting.models import names as model_names
from tests.benchmarks.forecasting import failures, report, scale
from tests.benchmarks.forecasting.cases import sample
from tests.benchmarks.forecasting.runs import run_all
from tests.benchmarks.forecasting.scoring import Score
from tests.benchmarks.forecasting.sets import LOADERS, load
from tests.benchmarks.results import RESULTS, write_section

_CSV = RESULTS.parent / ".traceo" / "benchmarks" / "forecasting.csv"
_LIMIT, _CUTOFFS = 30, 2


def main(argv: Sequence[str] | None = None) -> int:
    arguments = _parser().parse_args(argv)
    data = Path(os.environ.get("TRACEO_BENCH_DATA", ""))
    if not os.environ.get("TRACEO_BENCH_DATA") or not (data / "forecasting").is_dir():
        print("skipped: TRACEO_BENCH_DATA does not name the development data with forecasting/")
        return 0
    names = arguments.models or model_names()
    started = time.monotonic()
    cases = sample(load(data, arguments.sets or tuple(LOADERS)), arguments.limit, arguments.cutoffs)
    scores = run_all(cases, names, arguments.workers)
    text = "\n\n".join(["## Forecasts of real series", *report.section(cases, scores, names)])
    print(text)
    write_csv(scores, arguments.csv)
    minutes = (time.monotonic() - started) / 60
    print(f"\n{len(cases)} cut-offs in {minutes:.1f} minutes; one line per forecast and horizon: {arguments.csv}")
    partial = arguments.sets or arguments.models or (arguments.limit, arguments.cutoffs) != (_LIMIT, _CUTOFFS)
    if partial or arguments.no_write:
        print("RESULTS.md is left alone: it takes whole runs only")
        return 0
    write_section("forecasting", text)
    return failures.main(["--workers", str(arguments.workers)]) or scale.main([])


def write_csv(scores: Sequence[Score], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(Score.__dataclass_fields__))
        writer.writeheader()
        writer.writerows(asdict(one) for one in scores)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.forecasting",
        description=__doc__,
        epilog="example: python -m tests.benchmarks.forecasting --sets bitbrains --models auto theta --limit 5",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--sets", nargs="+", choices=sorted(LOADERS), help="only these sets")
    parser.add_argument("--models", nargs="+", choices=model_names(), help="only these models")
    parser.add_argument("--limit", type=int, default=_LIMIT, help="series of a set (default: %(default)s)")
    parser.add_argument("--cutoffs", type=int, default=_CUTOFFS, help="cut-offs of a series (default: %(default)s)")
    parser.add_argument("--workers", type=int, default=2, help="processes (default: 2)")
    parser.add_argument("--csv", type=Path, default=_CSV, help="where single scores go (default: %(default)s)")
    parser.add_argument("--no-write", action="store_true", help="print only; leave RESULTS.md alone")
    return parser


if __name__ == "__main__":
    sys.exit(main())
