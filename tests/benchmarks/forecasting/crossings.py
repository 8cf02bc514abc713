"""Real series cut before they cross a limit, and where they do not: KubeEdge's memory, Bitbrains, JumpStarter.

Only KubeEdge's aging test bed has a limit of its own (memory in percent, 80 to 95). The others' metrics fill no
resource, so each series gets two limits from its first 14 days alone: a *record* (a twentieth of its range above the
highest hour) and a *rare* one (passed in 1 % of its hours). A crossing is the first hour past the limit after a calm
day. Of each series and limit there are two cuts: one between an hour and a week before its first crossing, and one at
any moment after a calm day, whatever comes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from zlib import crc32

import numpy as np
import polars as pl
from numpy.typing import NDArray

from components.forecasting import series
from components.forecasting.series import HOUR, FloatArray
from tests.benchmarks.forecasting.failure_case import Case
from tests.benchmarks.forecasting.sets import LOADERS, Series

LEARN_H, HORIZON_H, HISTORY_H = 14 * 24, 168, 30 * 24
SEED = 5
SETS = ("kubeedge", "jumpstarter", "bitbrains")


def cases(data: Path, per_set: int, names: Sequence[str] = SETS) -> list[Case]:
    """The cuts of up to `per_set` series of each named set, drawn by a hash of the series' names."""
    found = list(kubeedge(data)) if "kubeedge" in names else []
    for name in names:
        if name in LOADERS:
            found += of_set(list(LOADERS[name](data)), per_set)
    return found


def of_set(found: Sequence[Series], most: int) -> list[Case]:
    """The cuts of up to `most` series that vary and last longer than what is learned from and a week."""
    members = sorted(found, key=lambda one: crc32(f"{SEED}{one.name}".encode()))
    usable = [one for one in members if one.frame["value"].n_unique() > 24 and len(one.frame) > LEARN_H + HORIZON_H]
    return [case for one in usable[:most] for case in of_series(one)]


def kubeedge(data: Path) -> Iterator[Case]:
    """The memory of an edge node that ages under constant load, 59 hours from 25 to 99 %."""
    path = data / "forecasting" / "kubeedge_aging" / "2024-05-5_aging_constant.csv"
    frame = pl.read_csv(path, try_parse_dates=True)
    times = frame["time"].dt.replace_time_zone("UTC")
    memory = pl.DataFrame({"timestamp": times.cast(pl.Datetime("us", "UTC")), "value": frame["memory_usage"]})
    step = timedelta(minutes=5)
    values = series.build(memory, step=step).values
    for limit in (80.0, 85.0, 90.0, 95.0):
        crossing = int(np.argmax(values >= limit))
        for lead_h in (1.5, 4.5, 9.5, 18.5):
            cut = crossing - round(lead_h * 12)
            known = (len(values) - cut) / 12
            name = f"memory {limit:g}, {lead_h:g} h ahead"
            yield Case("kubeedge", name, "memory", "aging", values[:cut], step, limit, lead_h, known, capacity=100.0)


def of_series(one: Series) -> Iterator[Case]:
    """Two cuts for each of two limits."""
    values = series.build(one.frame, where=one.name).values
    rng = np.random.default_rng([SEED, crc32(one.name.encode())])
    early = values[:LEARN_H]
    if np.ptp(early) == 0:
        return
    limits = {"record": float(early.max() + 0.05 * np.ptp(early)), "rare": float(np.quantile(early, 0.99))}
    for kind, limit in limits.items():
        past = values >= limit
        calm = _calm(past)
        crossings = np.nonzero(calm & past)[0]
        crossings = crossings[crossings >= LEARN_H + 2]
        if len(crossings):
            longest = min(HORIZON_H, int(crossings[0]) - LEARN_H)
            lead = round(float(np.exp(rng.uniform(0, np.log(longest)))))
            yield replace(_case(one, kind, values, past, int(crossings[0]) - lead, limit), sought=True)
        moments = np.nonzero(calm[: len(past) - 24] & ~past[: len(past) - 24])[0]
        moments = moments[moments >= LEARN_H]
        if len(moments):
            yield _case(one, kind, values, past, int(rng.choice(moments)), limit)


def _calm(past: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Hours with none of the 24 before them past the limit."""
    total = np.concatenate([[0], np.cumsum(past)])
    at = np.arange(len(past))
    calm: NDArray[np.bool_] = total[at] == total[np.maximum(at - 24, 0)]
    return calm


def _case(one: Series, kind: str, values: FloatArray, past: NDArray[np.bool_], cut: int, limit: float) -> Case:
    known = float(min(HORIZON_H, len(values) - cut))
    ahead = past[cut : cut + HORIZON_H]
    crossing_h = float(np.argmax(ahead)) if ahead.any() else np.inf
    before = values[max(0, cut - HISTORY_H) : cut]
    return Case(one.set, f"{one.name} {kind} {cut}", kind, kind, before, HOUR, limit, crossing_h, known)
