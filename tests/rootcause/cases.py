"""Small cases made by hand: three services in a row, two hours at 30 seconds, one of them broken at the end."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from components.rootcause.case import COLUMNS, Case, Incident

NOTICED = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
STEP_S = 30
CALLS = [("web", "shop"), ("shop", "db")]


def series(
    service: str, metric: str, level: float, noise: float, jump: float = 0.0, *, start_s: float = 0.0, seed: int = 0
) -> pl.DataFrame:
    """Two hours before and ten minutes after NOTICED; `jump` is added from `start_s` seconds after it on."""
    random = np.random.default_rng([seed, *f"{service}/{metric}".encode()])
    offsets = np.arange(-7200, 601, STEP_S)
    values = level + noise * random.standard_normal(len(offsets)) + jump * (offsets >= start_s)
    times = [NOTICED + timedelta(seconds=int(offset)) for offset in offsets]
    frame = pl.DataFrame({"timestamp": times, "value": values})
    return frame.select("timestamp", pl.lit(service).alias("service"), pl.lit(metric).alias("metric"), "value")


def metrics(
    jumps: Mapping[tuple[str, str], float] | None = None, *, seed: int = 0, start_s: float = 0.0
) -> pl.DataFrame:
    """Latency, errors and CPU of web, shop and db; `jumps` in multiples of each series' noise."""
    frames = []
    for service in ("web", "shop", "db"):
        for metric, level, noise in (
            ("latency_p99", 100.0, 3.0),
            ("error_ratio", 0.5, 0.05),
            ("cpu_percent", 30.0, 1.0),
        ):
            jump = (jumps or {}).get((service, metric), 0.0) * noise
            frames.append(series(service, metric, level, noise, jump, seed=seed, start_s=start_s))
    return pl.concat(frames)


def frame(name: str, rows: list[tuple[object, ...]]) -> pl.DataFrame:
    """A table of a case from rows in the order of its columns."""
    return pl.DataFrame(rows, schema=dict(COLUMNS[name]), orient="row")


def case(found: pl.DataFrame, **tables: pl.DataFrame) -> Case:
    return Case(Incident(NOTICED, "web"), metrics=found, calls=frame("calls", list(CALLS)), **tables)


def write_case(folder: Path, content: Case, **incident: object) -> Path:
    """The case as a directory of CSV and Parquet files."""
    folder.mkdir(parents=True)
    told = {"time": content.incident.time.isoformat(), "service": content.incident.service, **incident}
    (folder / "incident.json").write_text(json.dumps(told))
    for name in ("metrics", "spans", "logs"):
        if len(getattr(content, name)):
            getattr(content, name).write_parquet(folder / f"{name}.parquet")
    for name in ("calls", "alerts", "changes"):
        if len(getattr(content, name)):
            getattr(content, name).write_csv(folder / f"{name}.csv")
    return folder


#: A broken database: its CPU is high, its latency too, and everybody above waits for it.
DB_FAULT = {
    ("db", "cpu_percent"): 40.0,
    ("db", "latency_p99"): 60.0,
    ("shop", "latency_p99"): 60.0,
    ("web", "latency_p99"): 55.0,
}
