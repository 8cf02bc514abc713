"""Every method's answer to every case, in worker processes; Traceo's as `traceo forecast --limit` gives it."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from typing import TypeVar

import numpy as np

from components.forecasting import risk, series
from components.forecasting.forecast import forecast
from components.forecasting.risk import HORIZONS_H
from components.forecasting.series import HOUR, FloatArray, History
from tests.benchmarks.forecasting.failure_baselines import Answer
from tests.benchmarks.forecasting.failure_case import Case
from tests.benchmarks.forecasting.failure_figures import Answers

A = TypeVar("A")


@dataclass(frozen=True)
class Asked:
    """What Traceo makes of a case before it judges the risk."""

    history: History
    fan: FloatArray
    recent: History | None


def ask(case: Case) -> Asked:
    """The history, its week-long forecast and the finer samples, as the command makes them."""
    frame = case.frame()
    history = series.build(frame, capacity=case.capacity, where=case.name)
    return Asked(history, forecast(history, HORIZONS_H[-1]).quantiles, series.recent(frame, history))


def traceo(case: Case) -> tuple[FloatArray, FloatArray, bool]:
    """Probabilities, time-to-limit quantiles in hours, and whether it abstained."""
    asked = ask(case)
    found = risk.estimate(asked.history, asked.fan, limit=case.limit, direction=case.direction, recent=asked.recent)
    probability = np.array([found.probability[hours] or 0.0 for hours in HORIZONS_H])
    end = asked.history.end
    times = np.array([np.inf if at is None else (at - end) / HOUR for at in found.time_to_limit.values()])
    return probability, times, found.abstained


def run_traceo(cases: Sequence[Case], workers: int) -> Answers:
    rows = over(traceo, cases, workers)
    return Answers(
        cases, np.stack([p for p, _, _ in rows]), np.stack([t for _, t, _ in rows]), np.array([a for _, _, a in rows])
    )


def run_baseline(method: Callable[[Case], Answer], cases: Sequence[Case], workers: int = 1) -> Answers:
    rows = over(method, cases, workers)
    none = np.zeros(len(cases), dtype=bool)
    return Answers(cases, np.stack([p for p, _ in rows]), np.stack([t for _, t in rows]), none)


def over(work: Callable[[Case], A], cases: Sequence[Case], workers: int) -> list[A]:
    """`work` on every case, in the cases' order; one thread a process."""
    if workers == 1:
        return [work(case) for case in cases]
    os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "POLARS_MAX_THREADS"), "1"))
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        return list(pool.map(work, cases, chunksize=8))
