"""The real series of the development data, set by set, as frames of hourly means: `timestamp` (UTC), `value`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

#: Sets without times start here.
_MONDAY = datetime(2020, 9, 14, tzinfo=UTC)
_BITBRAINS = ("CPU usage [%]", "Memory usage [KB]", "Disk read throughput [KB/s]", "Disk write throughput [KB/s]",
              "Network received throughput [KB/s]", "Network transmitted throughput [KB/s]")  # fmt: skip


@dataclass(frozen=True)
class Series:
    """One series: hourly means of the hours that have samples, sorted."""

    set: str
    name: str
    frame: pl.DataFrame


def jumpstarter(data: Path) -> Iterator[Series]:
    """Services of a content platform: 19 metrics each, five-minute steps, 45 days."""
    for path in sorted((data / "anomaly" / "jumpstarter").glob("*/train/*.csv")):
        later = path.parents[1] / "test" / path.name
        table = np.concatenate([_matrix(path), _matrix(later)])
        times = _regular(len(table), 300)
        for column in range(table.shape[1]):
            name = f"{path.parents[1].name}-{path.stem}-{column:02d}"
            yield hourly("jumpstarter", name, times, table[:, column])


def aiops_kpi(data: Path) -> Iterator[Series]:
    """KPIs of web services (AIOps challenge 2018): one- or five-minute steps, 60 to 208 days."""
    for folder in sorted(path for path in (data / "anomaly" / "aiops_kpi").iterdir() if path.is_dir()):
        parts = ("train", "test")
        seconds = np.concatenate([np.load(folder / f"{part}_timestamp.npy") for part in parts])
        values = np.concatenate([np.load(folder / f"{part}.npy") for part in parts])
        yield hourly("aiops_kpi", folder.name[:8], _instants(seconds), values)


def bitbrains(data: Path) -> Iterator[Series]:
    """Virtual machines of a hosting provider (GWA-T-12): six metrics each, five-minute steps, a month."""
    for path in sorted((data / "forecasting" / "bitbrains_rnd").glob("*/*.csv")):
        raw = pl.read_csv(path, separator=";", infer_schema_length=0)
        raw = raw.rename({name: name.strip() for name in raw.columns})
        table = raw.select(pl.all().str.strip_chars().cast(pl.Float64, strict=False))
        # The header says milliseconds; the numbers are seconds.
        times = _instants(table["Timestamp [ms]"].to_numpy())
        for column in _BITBRAINS:
            yield hourly("bitbrains", f"{path.parent.name}-{path.stem} {column}", times, table[column].to_numpy())


def azure_vmnoise(data: Path) -> Iterator[Series]:
    """Benchmarks repeated on virtual machines of Azure: latency and throughput, about every two hours, 16 months."""
    for path in sorted((data / "forecasting" / "azure_vmnoise").glob("*.csv")):
        raw = pl.read_csv(path, infer_schema_length=0).filter(pl.col("VM_id") == "0")
        times = raw["starttime"].str.to_datetime(strict=False, time_unit="us").dt.replace_time_zone("UTC")
        yield hourly("azure_vmnoise", path.stem, times, raw["value"].cast(pl.Float64, strict=False).to_numpy())


def dc_traces(data: Path) -> Iterator[Series]:
    """Whole data centres: Google 2019 (28 days) and Alibaba 2018 (8 days), five-minute steps."""
    for path in sorted((data / "forecasting" / "dc_traces").glob("*/*_300_*.csv")):
        table = pl.read_csv(path)
        times = _regular(len(table), 300)
        for column in table.columns:
            yield hourly("dc_traces", f"{path.parent.name} {column}", times, table[column].to_numpy())


def prometheus(data: Path) -> Iterator[Series]:
    """A Prometheus range query: one-minute steps, ten days."""
    found: dict[str, list[tuple[float, str]]] = {}
    for path in sorted((data / "forecasting" / "prometheus_range_json").glob("*.json")):
        for result in json.loads(path.read_text()):
            found.setdefault(json.dumps(result["metric"], sort_keys=True), []).extend(map(tuple, result["values"]))
    for i, (_, samples) in enumerate(sorted(found.items())):
        seconds, values = zip(*samples, strict=True)
        yield hourly("prometheus", f"{i:02d}", _instants(np.array(seconds)), np.array(values, dtype=float))


LOADERS: dict[str, Callable[[Path], Iterator[Series]]] = {
    loader.__name__: loader for loader in (jumpstarter, aiops_kpi, bitbrains, azure_vmnoise, dc_traces, prometheus)
}


def load(data: Path, names: Sequence[str] = tuple(LOADERS)) -> list[Series]:
    """Every series of the named sets that varies; FileNotFoundError where a set is not there."""
    found: list[Series] = []
    for name in names:
        series = list(LOADERS[name](data))
        if not series:
            raise FileNotFoundError(f"{data}: no series of {name}; set TRACEO_BENCH_DATA to the unpacked data")
        found += [one for one in series if one.frame["value"].n_unique() > 1]
    return found


def hourly(of: str, name: str, times: pl.Series, values: npt.NDArray) -> Series:
    """A series as hourly means of its finite values."""
    frame = pl.DataFrame({"timestamp": times, "value": values.astype(float)})
    known = frame.filter(pl.col("timestamp").is_not_null(), pl.col("value").is_finite())
    means = known.group_by(pl.col("timestamp").dt.truncate("1h")).agg(pl.col("value").mean()).sort("timestamp")
    return Series(of, name, means)


def _regular(length: int, step_s: int) -> pl.Series:
    return pl.datetime_range(
        _MONDAY, _MONDAY + timedelta(seconds=step_s * (length - 1)), f"{step_s}s", time_unit="us", eager=True
    )


def _instants(seconds: npt.NDArray) -> pl.Series:
    return pl.Series((seconds * 1e6).astype(np.int64)).cast(pl.Datetime("us", "UTC"))


def _matrix(path: Path) -> npt.NDArray:
    return pl.read_csv(path, has_header=False, infer_schema_length=None).cast(pl.Float64).to_numpy()
