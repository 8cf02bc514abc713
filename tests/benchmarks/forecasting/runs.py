"""Every case with every model, in a few processes."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from components.forecasting.forecast import forecast
from tests.benchmarks.forecasting.cases import Case
from tests.benchmarks.forecasting.scoring import Score, score, textbook_seasonal_naive

BASELINE = "textbook seasonal-naive"
#: One thread each: two processes are to take two cores. Read by the libraries when a worker imports them.
_SINGLE = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "POLARS_MAX_THREADS", "TF_NUM_INTRAOP_THREADS"), "1"
)


def run_all(cases: Sequence[Case], names: Sequence[str], workers: int) -> list[Score]:
    """The scores of every model on every case, in the order of the cases; the baseline's among them."""
    os.environ.update(_SINGLE)
    work = partial(run, names=tuple(names))
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console, disable=not console.is_terminal) as progress:
        bar = progress.add_task("cut-offs", total=len(cases))
        scores: list[Score] = []
        # A fork of a process that used polars can deadlock.
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
            for found in pool.map(work, cases):
                scores += found
                progress.advance(bar)
    return scores


def run(case: Case, names: Sequence[str]) -> list[Score]:
    """Every model on one case, as the command would forecast it."""
    scores = score(case, BASELINE, *textbook_seasonal_naive(case), 0.0)
    for name in names:
        started = time.perf_counter()
        found = forecast(case.history, len(case.truth), model=name)
        scores += score(case, name, found.mean, found.quantiles, time.perf_counter() - started)
    return scores
