"""Every case with every detector, in a few processes; what a run found is judged where it ran."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, replace
from multiprocessing import get_context

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from tests.benchmarks.anomaly import contenders
from tests.benchmarks.anomaly.case import Case
from tests.benchmarks.anomaly.contenders import Answer
from tests.benchmarks.anomaly.curves import auc_pr, vus_pr
from tests.benchmarks.anomaly.events import Found, judge

#: One thread each: two processes are to take two cores. Read by the libraries when a worker imports them.
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS", "POLARS_MAX_THREADS")
_TENSORFLOW = {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}


@dataclass(frozen=True)
class Run:
    """One detector on one case, judged. scores, events: of every instant, for thresholds over many series.

    error: why there is no answer; such a run counts as one that says nothing.
    """

    case: Case
    detector: str
    vus_pr: float
    auc_pr: float
    found: Found
    scores: npt.NDArray[np.float32]
    events: npt.NDArray[np.int32]
    seconds: float
    error: str = ""

    @property
    def normal_flagged(self) -> float:
        """Share of the normal rows that are flagged."""
        normal = ~self.case.labels
        return float((self.events[normal] > 0).mean()) if normal.any() else float("nan")


def run_all(cases: Sequence[Case], names: Sequence[str], workers: int) -> list[Run]:
    """Run every detector on every case, the longest cases first; sorted by case and detector as given."""
    order = {(case.set, case.name, name): (i, j) for i, case in enumerate(cases) for j, name in enumerate(names)}
    # A fork of a process that used polars can deadlock.
    with _single_threaded(), ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        pending: dict[Future[Run], tuple[Case, str]] = {
            pool.submit(run, case, name): (case, name)
            for case in sorted(cases, key=lambda case: -case.size)
            for name in names
        }
        try:
            runs = list(_collected(pending))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return sorted(runs, key=lambda one: order[one.case.set, one.case.name, one.detector])


def _collected(pending: dict[Future[Run], tuple[Case, str]]) -> Iterator[Run]:
    """Runs as they end, with a progress bar on a terminal."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console, disable=not console.is_terminal) as progress:
        bar = progress.add_task("series and detectors", total=len(pending))
        for future in as_completed(list(pending)):
            progress.advance(bar)
            case, name = pending.pop(future)
            try:
                # The case came back as a copy; one is enough.
                yield replace(future.result(), case=case)
            except BrokenProcessPool:
                yield _judged(case, name, _silence(case), "the worker process was killed")


def run(case: Case, name: str) -> Run:
    """One detector on one case; an exception becomes the run's `error`, so that the others go on."""
    try:
        return _judged(case, name, contenders.answer(case, name))
    except Exception as error:
        return _judged(case, name, _silence(case), f"{type(error).__name__}: {error}")


def _judged(case: Case, name: str, answer: Answer, error: str = "") -> Run:
    return Run(
        case,
        name,
        vus_pr(case.labels, answer.raw),
        auc_pr(case.labels, answer.raw),
        judge(case.times, case.labels, answer.events),
        answer.scores.astype(np.float32),
        answer.events.astype(np.int32),
        answer.seconds,
        error,
    )


def _silence(case: Case) -> Answer:
    nothing = np.zeros(len(case.times))
    return Answer(nothing, nothing, np.zeros(len(case.times), dtype=np.int64), 0.0)


@contextmanager
def _single_threaded() -> Iterator[None]:
    wanted = dict.fromkeys(_THREADS, "1") | _TENSORFLOW
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
