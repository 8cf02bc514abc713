"""RCD's sock-shop: one second, CPU and memory faults in five services. A smoke test: a robust z-score gets 92 %."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from components.rootcause.case import Case, Incident
from tests.benchmarks.rootcause.labelled import Labelled, instant, table

_KIND = {"cpu": "cpu", "mem": "memory"}


def incidents(root: Path) -> list[Labelled]:
    found = []
    for folder in sorted((root / "rcd_sockshop").glob("*/*")):
        if not folder.is_dir():
            continue
        service, what = folder.parent.name.rsplit("-", 1)
        normal, during = (_long(folder / f"{name}.csv") for name in ("normal", "anomalous"))
        begin = float(during["timestamp"].min())  # type: ignore[arg-type]
        shift = begin - 1 - float(normal["timestamp"].max())  # type: ignore[arg-type]
        both = pl.concat([normal.with_columns(pl.col("timestamp") + shift), during])
        case = Case(Incident(instant(begin)), metrics=table("metrics", both.to_dict()))
        name = f"{folder.parent.name}/{folder.name}"
        found.append(Labelled("rcd sock-shop", name, case, service, frozenset({_KIND[what]}), (what,), 1.0))
    return found


def _long(path: Path) -> pl.DataFrame:
    frame = pl.read_csv(path, infer_schema_length=None).rename({"time": "timestamp"})
    long = frame.unpivot(index="timestamp", variable_name="column", value_name="value")
    parts = pl.col("column").str.splitn("_", 2).struct
    return long.select(
        pl.col("timestamp").cast(pl.Float64),
        parts.field("field_0").alias("service"),
        parts.field("field_1").alias("metric"),
        pl.col("value").cast(pl.Float64, strict=False),
    ).drop_nulls()
