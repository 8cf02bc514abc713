"""Every loader on a tiny folder of its set's format, and the cut-offs made of a series."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from tests.benchmarks.forecasting.cases import cut, sample
from tests.benchmarks.forecasting.sets import LOADERS, Series, load

START = datetime(2020, 1, 1, tzinfo=UTC)


def _jumpstarter(data: Path) -> None:
    for part, value in (("train", 1), ("test", 5)):
        folder = data / "anomaly" / "jumpstarter" / "Dataset2" / part
        folder.mkdir(parents=True)
        (folder / "service0.csv").write_text(f"{value},7\n" * 12)


def _aiops_kpi(data: Path) -> None:
    folder = data / "anomaly" / "aiops_kpi" / "05f10d3a-239c"
    folder.mkdir(parents=True)
    for part, first in (("train", 0), ("test", 3600)):
        np.save(folder / f"{part}_timestamp.npy", 1_577_836_800 + first + np.array([0, 60]))
        np.save(folder / f"{part}.npy", np.array([0.0, 2.0]) + first / 900)


def _bitbrains(data: Path) -> None:
    folder = data / "forecasting" / "bitbrains_rnd" / "2013-7"
    folder.mkdir(parents=True)
    head = "Timestamp [ms];\tCPU usage [%];\tMemory usage [KB];\tDisk read throughput [KB/s];\t"
    head += "Disk write throughput [KB/s];\tNetwork received throughput [KB/s];\tNetwork transmitted throughput [KB/s]"
    rows = [f"{1_577_836_800 + 3600 * i};\t{1 + 4 * i};\t7;\t7;\t7;\t7;\t7" for i in range(2)]
    (folder / "1.csv").write_text("\n".join([head, *rows]))


def _azure(data: Path) -> None:
    folder = data / "forecasting" / "azure_vmnoise"
    folder.mkdir(parents=True)
    rows = ["1,9,2020-01-01 00:05:00.5,0", "5,9,2020-01-01 01:59:00.1,0", "900,9,2020-01-01 01:00:00.1,1"]
    (folder / "one.csv").write_text("\n".join(["value,runtime,starttime,VM_id", *rows]))


def _dc_traces(data: Path) -> None:
    folder = data / "forecasting" / "dc_traces" / "google2019"
    folder.mkdir(parents=True)
    (folder / "usage_300_seconds.csv").write_text("cpu\n" + "1\n" * 12 + "5\n" * 12)


def _prometheus(data: Path) -> None:
    folder = data / "forecasting" / "prometheus_range_json"
    folder.mkdir(parents=True)
    metric = {"__name__": "reads"}
    for i, value in enumerate(("1", "5")):
        content = [{"metric": metric, "values": [[1_577_836_800 + 3600 * i + 0.5, value]]}]
        (folder / f"{i}.json").write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("name", "fill"),
    [
        ("jumpstarter", _jumpstarter),
        ("aiops_kpi", _aiops_kpi),
        ("bitbrains", _bitbrains),
        ("azure_vmnoise", _azure),
        ("dc_traces", _dc_traces),
        ("prometheus", _prometheus),
    ],
)
def test_a_set_gives_hourly_means_of_series_that_vary(tmp_path: Path, name: str, fill: Callable[[Path], None]) -> None:
    fill(tmp_path)
    (found,) = load(tmp_path, [name])
    assert found.set == name
    assert found.frame["value"].to_list() == [1.0, 5.0]
    assert found.frame["timestamp"].diff().to_list()[1] == timedelta(hours=1)


def test_every_loader_has_a_test_and_an_absent_set_is_named(tmp_path: Path) -> None:
    assert len(LOADERS) == 6
    for part in ("anomaly/jumpstarter", "forecasting/dc_traces"):
        (tmp_path / part).mkdir(parents=True)
        with pytest.raises(FileNotFoundError, match="TRACEO_BENCH_DATA"):
            load(tmp_path, [part.split("/")[1]])


def _hourly(hours: int, name: str = "one", missing: range = range(0)) -> Series:
    kept = [i for i in range(hours) if i not in missing]
    values = np.arange(hours) * 1.0
    times = pl.Series([START + i * timedelta(hours=1) for i in kept], dtype=pl.Datetime("us", "UTC"))
    return Series("some", name, pl.DataFrame({"timestamp": times, "value": values[kept]}))


def test_cases_know_the_past_alone_and_reach_168_hours_where_the_series_does() -> None:
    cases = cut(_hourly(1000), 3)
    assert len(cases) == 3
    for case in cases:
        assert len(case.history) == case.cutoff >= 336
        assert case.horizons == [24, 72, 168]
        assert case.truth[0] == case.cutoff
    assert [case.cutoff for case in cut(_hourly(1000), 3)] == [case.cutoff for case in cases]


def test_a_short_series_is_scored_as_far_as_it_goes() -> None:
    cases = cut(_hourly(192), 2)
    assert cases
    assert all(len(case.truth) in (24, 72) and case.cutoff >= 96 for case in cases)
    assert cut(_hourly(100), 2) == []


def test_hours_without_samples_are_unknown_truth() -> None:
    (case,) = cut(_hourly(800, missing=range(700, 710)), 1)
    unknown = np.flatnonzero(np.isnan(case.truth)) + case.cutoff
    assert set(unknown) <= set(range(700, 710))


def test_a_sample_is_bounded_and_does_not_depend_on_the_order() -> None:
    found = [_hourly(800, name) for name in "abcdef"]
    some = sample(found, limit=2, cutoffs=2)
    assert len({case.name for case in some}) == 2
    assert [c.name for c in sample(found[::-1], limit=2, cutoffs=2)] == [c.name for c in some]
