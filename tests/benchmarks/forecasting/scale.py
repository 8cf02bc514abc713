"""The speed part of `make bench-forecasting`: what a series costs, and 10,000 of them on one core.

Alone: `python -m tests.benchmarks.forecasting.scale`. Needs TRACEO_BENCH_DATA; a partial run (--series) prints the same
page and leaves RESULTS.md alone. One process, one thread; statsforecast's models on the same series in the same run.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import polars as pl

from components.forecasting import forecast
from components.forecasting.series import HOUR, History
from components.forecasting.trained import TrainedModel, load, save
from tests.benchmarks.anomaly.rate import ONE_CORE
from tests.benchmarks.forecasting.cases import sample
from tests.benchmarks.forecasting.runs import ORIGINS
from tests.benchmarks.forecasting.sets import LOADERS
from tests.benchmarks.forecasting.sets import load as load_sets
from tests.benchmarks.results import table, write_section

SERIES, HISTORY_H, HORIZON_H = 200, 720, 168
#: AutoARIMA with a daily season takes seconds a series: it gets one in so many.
SLOW_ONE_IN = 20
ALL = 10_000
_COMMANDS = 5


def histories(data: Path, most: int) -> list[History]:
    """The newest 30 days before each cut-off of the accuracy benchmark, hourly."""
    found = [case.history for case in sample(load_sets(data, tuple(LOADERS)), 30, 2)]
    newest = [_newest(history) for history in found if len(history) >= HISTORY_H // 2]
    return newest[:: max(1, len(newest) // most)][:most]


def _newest(history: History) -> History:
    extra = max(0, len(history) - HISTORY_H)
    observed = None if history.observed is None else history.observed[extra:]
    return replace(history, values=history.values[extra:], start=history.start + extra * HOUR, observed=observed)


def seconds(work: Callable[[Any], object], items: Sequence[Any]) -> float:
    """Processor seconds per item, the first one repeated so that nothing is imported within."""
    work(items[0])
    started = time.process_time()
    for item in items:
        work(item)
    return (time.process_time() - started) / len(items)


def costs(found: Sequence[History]) -> dict[str, tuple[float, int]]:
    """Processor seconds per series of everything, and on how many series they were taken."""
    few = found[::SLOW_ONE_IN]
    return {
        "**auto**: 21 backtests of all candidates, then the forecast": (seconds(_auto, found), len(found)),
        "**auto**, a forecast from the saved model": (_served(found), len(found)),
        "statsforecast SeasonalNaive, one forecast": (seconds(_peer("SeasonalNaive"), found), len(found)),
        "statsforecast AutoTheta, one forecast": (seconds(_peer("AutoTheta"), few), len(few)),
        "statsforecast AutoETS, one forecast": (seconds(_peer("AutoETS"), few), len(few)),
        "statsforecast AutoARIMA, one forecast": (seconds(_peer("AutoARIMA"), few), len(few)),
    }


def _auto(history: History) -> object:
    return forecast.forecast(history, HORIZON_H, origins=ORIGINS)


def _served(found: Sequence[History]) -> float:
    named = {f"s{i}": history for i, history in enumerate(found)}
    fitted = {name: forecast.fit(history, HORIZON_H, origins=ORIGINS) for name, history in named.items()}
    with tempfile.TemporaryDirectory() as folder:
        save(Path(folder), TrainedModel("scale", HORIZON_H, fitted, {}))
        model = load(Path(folder))
    # A history keeps its profile once it was asked for: new ones, as a request brings.
    fresh = [(name, replace(history)) for name, history in named.items()]
    return seconds(lambda pair: model.forecast({pair[0]: pair[1]}, HORIZON_H), fresh)


def _peer(name: str) -> Callable[[History], object]:
    from statsforecast import models

    def work(history: History) -> object:
        return getattr(models, name)(season_length=24).forecast(y=history.values, h=HORIZON_H, level=[80, 95])

    return work


def command_seconds(step_min: int, *more: str) -> float:
    """Wall seconds of `traceo forecast` on one made-up series of 30 days, imports included: the median of five runs."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _made_up(step_min).write_csv(folder / "series.csv")
        line = [sys.executable, "-m", "components.cli", "forecast", str(folder / "series.csv"), "--horizon", "7d"]
        taken = []
        for _ in range(_COMMANDS):
            started = time.perf_counter()
            subprocess.run([*line, *more, "--output", str(folder / "out.csv")], check=True, capture_output=True)
            taken.append(time.perf_counter() - started)
    return median(taken)


def _made_up(step_min: int) -> pl.DataFrame:
    rows = HISTORY_H * 60 // step_min
    at = np.arange(rows) * step_min / 60
    noise = np.random.default_rng(0).normal(0, 2, rows)
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    stamps = [begin + timedelta(minutes=step_min * row) for row in range(rows)]
    return pl.DataFrame({"timestamp": stamps, "value": 50 + 20 * np.sin(2 * np.pi * at / 24) + at / 72 + noise})


def section(found: Mapping[str, tuple[float, int]], commands: Mapping[str, float]) -> list[str]:
    """The parts of RESULTS.md about speed."""
    ours = next(iter(found.values()))[0]
    rows = [
        (name, count, f"{own * 1000:.1f} ms", f"{own / ours:.2f}", f"{own * ALL / 60:.1f} min")
        for name, (own, count) in found.items()
    ]
    return [
        "## Speed of forecasts",
        "`make bench-forecasting`, its last part. Hourly series of the real sets above, their newest 30 days, 168 h "
        f"ahead, one process with one thread, processor time; {ALL:,} series are extrapolated from those run. "
        "statsforecast's models, with a daily season and without any backtest, are the peer in the same run: "
        "*to auto* is their time divided by that of `auto` with its backtests.",
        table(["what", "series run", "per series", "to auto", f"{ALL:,} series, one core"], rows),
        "Wall time of the command on one made-up series of 30 days, imports included, median of "
        f"{_COMMANDS} on the machine that wrote this:",
        table(["command", "seconds"], [(f"`traceo forecast … {name}", f"{own:.2f}") for name, own in commands.items()]),
    ]


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.forecasting.scale",
        description=__doc__,
        epilog="example: python -m tests.benchmarks.forecasting.scale --series 20",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--series", type=int, default=SERIES, help="series run (default: %(default)s)")
    parser.add_argument("--no-write", action="store_true", help="print only; leave RESULTS.md alone")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args(argv)
    data = os.environ.get("TRACEO_BENCH_DATA", "")
    if not data or not (Path(data) / "forecasting").is_dir():
        print("skipped: TRACEO_BENCH_DATA does not name the development data with forecasting/")
        return 0
    if arguments.child:
        print(json.dumps(costs(histories(Path(data), arguments.series))))
        return 0
    # Threads are counted when the libraries are loaded, hence a process of its own.
    line = [sys.executable, "-m", "tests.benchmarks.forecasting.scale", "--child", "--series", str(arguments.series)]
    ended = subprocess.run(line, check=True, stdout=subprocess.PIPE, text=True, env={**os.environ, **ONE_CORE})
    found = json.loads(ended.stdout.splitlines()[-1])
    commands = {
        "--horizon 7d`, hourly": command_seconds(60),
        "--horizon 7d`, every five minutes": command_seconds(5),
        "--horizon 7d --limit 150`, every five minutes": command_seconds(5, "--limit", "150"),
    }
    text = "\n\n".join(section(found, commands))
    print(text)
    if arguments.no_write or arguments.series != SERIES:
        print("RESULTS.md is left alone: it takes whole runs only")
        return 0
    write_section("forecasting-speed", text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
