"""Cut-offs in real series: what was known then, and what came."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from zlib import crc32

import numpy as np
import polars as pl

from components.forecasting import evaluation, series
from components.forecasting.series import HOUR, FloatArray, History
from tests.benchmarks.forecasting.sets import Series

HORIZONS = (24, 72, 168)
#: Hours of history before a cut-off, at least: two weeks, or half of a series shorter than three.
LEAST_H = 336
SEED = 5


@dataclass(frozen=True)
class Case:
    """A series known up to a cut-off and its next hours, up to 168; NaN where nothing was measured."""

    set: str
    name: str
    cutoff: int
    history: History
    truth: FloatArray

    @property
    def horizons(self) -> list[int]:
        """The horizons of HORIZONS that the truth reaches."""
        return [horizon for horizon in HORIZONS if horizon <= len(self.truth)]


def sample(found: Sequence[Series], limit: int, cutoffs: int) -> list[Case]:
    """`cutoffs` cases from each of up to `limit` series of every set, drawn by a hash of the series' names."""
    cases: list[Case] = []
    for name in dict.fromkeys(one.set for one in found):
        members = sorted((one for one in found if one.set == name), key=lambda one: crc32(f"{SEED}{one.name}".encode()))
        taken = 0
        for one in members:
            of_series = cut(one, cutoffs)
            cases += of_series
            taken += bool(of_series)
            if taken == limit:
                break
    return cases


def cut(one: Series, cutoffs: int) -> list[Case]:
    """Cases of one series at cut-offs drawn evenly from its parts; those whose history never changes are left out."""
    whole = series.build(one.frame, where=one.name)
    measured = whole.values if whole.observed is None else np.where(whole.observed, whole.values, np.nan)
    length = len(whole)
    low = min(LEAST_H, length // 2)
    high = length - (HORIZONS[-1] if length >= 2 * HORIZONS[-1] else HORIZONS[0])
    if low < 3 * whole.day or high < low:
        return []
    rng = np.random.default_rng([SEED, crc32(one.name.encode())])
    edges = np.linspace(low, high + 1, cutoffs + 1)
    places = sorted({int(rng.integers(int(a), max(int(a) + 1, int(b)))) for a, b in pairwise(edges)})
    cases = [_case(one, whole, measured, place) for place in places]
    return [case for case in cases if case is not None]


def _case(one: Series, whole: History, measured: FloatArray, place: int) -> Case | None:
    moment = whole.start + place * HOUR
    history = series.build(one.frame.filter(pl.col("timestamp") < moment), where=one.name)
    # The forecast starts where the history ends, which is earlier than the cut-off in a gap.
    start = round((history.end - whole.start) / HOUR)
    truth = measured[start : start + HORIZONS[-1]]
    if evaluation.naive_scale(history.values, history.day) is None or np.isfinite(truth[: HORIZONS[0]]).sum() < 6:
        return None
    longest = max((horizon for horizon in HORIZONS if horizon <= len(truth)), default=0)
    return Case(one.set, one.name, start, history, truth[:longest]) if longest else None
