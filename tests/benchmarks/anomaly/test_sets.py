"""Every loader on a tiny folder of its set's format."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.benchmarks.anomaly.case import write_case
from tests.benchmarks.anomaly.sets import LOADERS, Labelled, load


def _nab(root: Path) -> None:
    (root / "labels").mkdir(parents=True)
    windows = {"a/one.csv": [["2020-01-01 00:05:00.000000", "2020-01-01 00:10:00.000000"]], "a/absent.csv": []}
    (root / "labels" / "combined_windows.json").write_text(json.dumps(windows))
    (root / "data" / "a").mkdir(parents=True)
    rows = [f"2020-01-01 00:{minute:02}:00,{minute}" for minute in (0, 5, 10, 15)]
    (root / "data" / "a" / "one.csv").write_text("\n".join(["timestamp,value", *rows]))


def _aiops_kpi(root: Path) -> None:
    folder = root / "05f10d3a-239c"
    folder.mkdir(parents=True)
    (root / "LICENSE").write_text("a file among the folders")
    for part, start in (("train", 1_600_000_000), ("test", 1_600_000_120)):
        np.save(folder / f"{part}.npy", np.array([1.0, 2.0]))
        np.save(folder / f"{part}_timestamp.npy", np.array([start, start + 60]))
        np.save(folder / f"{part}_label.npy", np.array([0, 1]))


def _ms(root: Path) -> None:
    (root / "rates").mkdir(parents=True)
    rows = ['"2018-04-25T00:00:00Z","6.5","0"', '"2018-04-25T00:01:00Z","","1"']
    (root / "rates" / "one.csv").write_text("\n".join(['"TimeStamp","Value","Label"', *rows]))


def _jumpstarter(root: Path) -> None:
    for part, rows in (("train", "1,10\n2,20\n3,30\n"), ("test", "4,40\n5,50\n"), ("test_label", "0\n1\n")):
        (root / "Dataset2" / part).mkdir(parents=True)
        (root / "Dataset2" / part / "service0.csv").write_text(rows)


def _archive(root: Path) -> None:
    root.mkdir(parents=True)
    train, test = np.ones((3, 2), dtype=np.float32), np.zeros((2, 2), dtype=np.float32)
    np.savez(root / "one.npz", train=train, test=test, test_label=np.array([0, 1], dtype=np.int8))


@pytest.mark.parametrize(
    ("name", "fill", "series", "history", "step_s", "values", "labels"),
    [
        ("nab", _nab, "a/one", None, 300, [0, 5, 10, 15], [0, 1, 1, 0]),
        ("aiops_kpi", _aiops_kpi, "05f10d3a", 2, 60, [1, 2], [0, 1]),
        ("ms_cloud_monitoring", _ms, "one", None, 60, [6.5, None], [0, 1]),
        ("jumpstarter", _jumpstarter, "Dataset2-service0", 3, 300, [4, 5], [0, 1]),
        ("interfusion_smd", _archive, "one", 3, 60, [0, 0], [0, 1]),
        ("interfusion_asd", _archive, "one", 3, 300, [0, 0], [0, 1]),
    ],
)
def test_a_set(
    tmp_path: Path, name: str, fill: Callable[[Path], None], series: str, history: int | None, step_s: int,
    values: list[float | None], labels: list[int],
) -> None:  # fmt: skip
    fill(tmp_path / "anomaly" / name)
    (found,) = load(tmp_path, [name])
    assert (found.set, found.name) == (name, series)
    assert found.scored[found.scored.columns[1]].to_list() == values
    assert found.labels.tolist() == [bool(label) for label in labels]
    times = found.scored["timestamp"]
    assert times.diff().dt.total_seconds().drop_nulls().unique().to_list() == [step_s]
    assert (None if found.history is None else len(found.history)) == history
    if found.history is not None:
        assert found.history.columns == found.scored.columns
        assert (times[0] - found.history["timestamp"][-1]).total_seconds() == step_s
    assert_no_labels(found, tmp_path / "cases")


def assert_no_labels(labelled: Labelled, folder: Path) -> None:
    """Nothing that a detector may read has a label in it."""
    case = write_case(labelled, folder)
    for file in case.files():
        assert file is None or not any("label" in column.lower() for column in file.columns)
    assert sorted(path.name for path in case.path.parent.iterdir()) in (
        ["series.parquet"],
        ["history.parquet", "series.parquet"],
    )


def test_every_set_has_a_loader_named_like_its_folder() -> None:
    assert sorted(LOADERS) == [
        "aiops_kpi", "interfusion_asd", "interfusion_smd", "jumpstarter", "ms_cloud_monitoring", "nab",
    ]  # fmt: skip


def test_a_set_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"nab: no such folder; set TRACEO_BENCH_DATA"):
        list(load(tmp_path, ["nab"]))
