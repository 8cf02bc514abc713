"""How long a diagnosis takes: 50 services with 10 metrics over an hour, and 1,000 services with a million spans."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl

from components.rootcause.case import COLUMNS, Case, Incident
from components.rootcause.diagnosis import diagnose
from components.rootcause.specs import ScorerParams
from tests.benchmarks.results import table
from tests.benchmarks.rootcause.labelled import table as case_table

_AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
_METRICS = (
    "cpu",
    "memory",
    "disk_io",
    "network_errors",
    "latency_p50",
    "latency_p99",
    "error_rate",
    "requests",
    "threads",
    "gc",
)


def metrics(services: int, step_s: float = 30.0, seed: int = 0) -> pl.DataFrame:
    """An hour of ten metrics per service, ten minutes of it after the noticed time; the last service breaks."""
    random = np.random.default_rng(seed)
    offsets = np.arange(-3000.0, 600.0, step_s)
    times = _AT.timestamp() + offsets
    count, size = services * len(_METRICS), len(offsets)
    values = 50 + 5 * random.standard_normal((count, size))
    values[-len(_METRICS) :, offsets >= 0] += 300
    names = [f"service-{number}" for number in range(services)]
    return case_table(
        "metrics",
        {
            "timestamp": np.tile(times, count),
            "service": np.repeat(np.repeat(names, len(_METRICS)), size),
            "metric": np.repeat(np.tile(_METRICS, services), size),
            "value": values.ravel(),
        },
    )


def traces(services: int, count: int, seed: int = 0) -> pl.DataFrame:
    """Traces of ten spans along a chain of services; calls of the last service take 20 times as long at the end."""
    random = np.random.default_rng(seed)
    number, depth = count // 10, 10
    start = _AT.timestamp() + np.sort(random.uniform(-3000, 600, number))
    first = random.integers(0, services - depth + 1, number)
    service = (first[:, None] + np.arange(depth)).ravel()
    slow = np.where((service == services - 1) & (np.repeat(start, depth) >= _AT.timestamp()), 20.0, 1.0)
    own = 1000.0 * random.lognormal(0, 0.3, number * depth) * slow
    length = own.reshape(number, depth)[:, ::-1].cumsum(axis=1)[:, ::-1].ravel()
    place = np.tile(np.arange(depth), number)
    parent = np.where(place > 0, place - 1, -1)
    return case_table(
        "spans",
        {
            "trace_id": np.repeat(np.arange(number), depth).astype(str),
            "span_id": place.astype(str),
            "parent_span_id": np.where(parent >= 0, parent, 99).astype(str),
            "service": np.char.add("service-", service.astype(str)),
            "name": np.full(len(service), "call"),
            "start_time": np.repeat(start, depth) + place * 1e-4,
            "duration_us": length,
            "status_code": np.full(len(service), "OK"),
        },
    )


def seconds(case: Case, repeat: int) -> list[float]:
    found = []
    for _ in range(repeat):
        begun = time.perf_counter()
        answer = diagnose(case, ScorerParams())
        found.append(time.perf_counter() - begun)
        assert answer.causes
    return found


def cases(spans: bool = True) -> dict[str, tuple[Case, int]]:
    """Each case and how often it is timed; without `spans` the small one alone."""
    empty = pl.DataFrame(schema=dict(COLUMNS["calls"]))
    chain = pl.DataFrame(
        [(f"service-{n}", f"service-{n + 1}") for n in range(49)], schema=dict(COLUMNS["calls"]), orient="row"
    )
    incident = Incident(_AT + timedelta(seconds=30))
    found = {"50 services, 10 metrics, 1 h at 30 s": (Case(incident, metrics=metrics(50), calls=chain), 20)}
    if spans:
        large = Case(incident, metrics=metrics(1000), spans=traces(1000, 1_000_000), calls=empty)
        found["1,000 services, 10 metrics, 1,000,000 spans, 1 h"] = (large, 3)
    return found


def report() -> list[str]:
    rows = []
    for name, (case, repeat) in cases().items():
        taken = seconds(case, repeat + 1)[1:]
        rows.append([name, f"{np.median(taken):.2f} s", f"{np.quantile(taken, 0.95):.2f} s"])
    note = "Wall time in one process after a warm-up, files already read, on the machine that wrote this."
    return ["### Scale", note, table(("case", "median", "p95"), rows)]
