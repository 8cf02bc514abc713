"""Real series cut before they cross a limit, and where they do not: KubeEdge's memory, Bitbrains, JumpStarter.

Only KubeEdge's aging test bed has a limit of its own (memory in percent, 80 to 95). The others' metrics fill no
resource, so each series gets two limits from its first 14 days alone: a *record* (a twentieth of its range above the
highest hour) and a *rare* one (passed in 1 % of its hours). The crossing is the first hour past the limit after a calm
day. Of each series and limit there are two cuts: one before its first crossing, between one hour and a week, and one
drawn from the moments after which a week without crossing is known.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from zlib import crc32

import numpy as np
import polars as pl

from components.forecasting import series
from components.forecasting.series import HOUR, FloatArray
from tests.benchmarks.forecasting.failure_case import Case
from tests.benchmarks.forecasting.sets import LOADERS, Series

LEARN_H, HORIZON_H, HISTORY_H = 14 * 24, 168, 30 * 24
SEED = 5
SETS = ("jumpstarter", "bitbrains")


def cases(data: Path, per_set: int, names: Sequence[str] = SETS) -> list[Case]:
    """The cuts of KubeEdge and of `per_set` series of each named set, drawn by a hash of the series' names."""
    found = list(kubeedge(data))
    for name in names:
        members = sorted(LOADERS[name](data), key=lambda one: crc32(f"{SEED}{one.name}".encode()))
        usable = [one for one in members if one.frame["value"].n_unique() > 24 and len(one.frame) > LEARN_H + HORIZON_H]
        for one in usable[:per_set]:
            found += of_series(one)
    return found


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
    limits = {"record": float(early.max() + 0.05 * np.ptp(early)), "rare": float(np.quantile(early, 0.99))}
    if np.ptp(early) == 0:
        return
    for pattern, limit in limits.items():
        past = values >= limit
        before, harmless = _moments(past)
        crossings = [at for at in before if at - LEARN_H >= 2]
        if crossings:
            crossing = int(crossings[0])
            longest = min(HORIZON_H, crossing - LEARN_H)
            lead = round(float(np.exp(rng.uniform(0, np.log(longest)))))
            yield _case(one, pattern, values, crossing - lead, limit, float(lead))
        if len(harmless):
            yield _case(one, pattern, values, int(rng.choice(harmless)), limit, np.inf)


def _moments(past: FloatArray) -> tuple[FloatArray, FloatArray]:
    """First hours past the limit after a calm day, and hours with a calm day before and a calm week after them."""
    total = np.concatenate([[0], np.cumsum(past)])
    at = np.arange(LEARN_H, len(past))
    calm = total[at] == total[at - 24]
    crossings = at[calm & past[at]]
    inner = at[at + HORIZON_H <= len(past)]
    harmless = inner[(total[inner] == total[inner - 24]) & (total[inner + HORIZON_H] == total[inner])]
    return crossings, harmless


def _case(one: Series, pattern: str, values: FloatArray, cut: int, limit: float, crossing_h: float) -> Case:
    known = float(min(HORIZON_H, len(values) - cut))
    past = values[max(0, cut - HISTORY_H) : cut]
    return Case(one.set, f"{one.name} {pattern} {cut}", pattern, pattern, past, HOUR, limit, crossing_h, known)
