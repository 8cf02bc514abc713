"""Every case with every model, in a few processes."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from components.forecasting import backtest, models
from components.forecasting.forecast import NOTHING, forecast
from components.forecasting.model import Candidate
from tests.benchmarks.forecasting.cases import Case
from tests.benchmarks.forecasting.scoring import Score, score, textbook_seasonal_naive

BASELINE = "textbook seasonal-naive"
#: Backtest origins, as the command has them.
ORIGINS = 21
#: One thread each: two processes are to take two cores. Read by the libraries when a worker imports them.
_SINGLE = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "POLARS_MAX_THREADS", "TF_NUM_INTRAOP_THREADS"), "1"
)


def run_all(cases: Sequence[Case], names: Sequence[str], workers: int) -> list[Score]:
    """The scores of every model on every case, in the order of the cases; the baseline's among them."""
    os.environ.update(_SINGLE)
    work = partial(run, names=tuple(names), learned=learn(cases, names))
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


def learn(cases: Sequence[Case], names: Sequence[str]) -> dict[str, Candidate]:
    """Models that share what they learn, taught by all series, up to the oldest backtest before the first cut-off."""
    first: dict[tuple[str, str], Case] = {}
    for case in sorted(cases, key=lambda case: case.cutoff):
        first.setdefault((case.set, case.name), case)
    origins = [
        (case.history, backtest.choose_origins(case.history, len(case.truth), ORIGINS)) for case in first.values()
    ]
    pasts = [history.until(at[0]) for history, at in origins if at]
    learned = {}
    for name in names:
        model = models.get(name)
        if isinstance(model, Candidate) and model.shares:
            started = time.perf_counter()
            learned[name] = model.learn(pasts)
            print(f"{name} learnt from {len(pasts)} series in {time.perf_counter() - started:.0f} s", file=sys.stderr)
    return learned


def run(case: Case, names: Sequence[str], learned: Mapping[str, Candidate] = NOTHING) -> list[Score]:
    """Every model on one case, as the command would forecast it."""
    scores = score(case, BASELINE, *textbook_seasonal_naive(case), 0.0)
    for name in names:
        started = time.perf_counter()
        found = forecast(case.history, len(case.truth), model=name, origins=ORIGINS, learned=learned)
        scores += score(case, name, found.mean, found.quantiles, time.perf_counter() - started)
    return scores
