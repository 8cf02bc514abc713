"""The step `logs.mine`: counts that do not depend on how and when windows were cut."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from components.core import step
from components.core.lake import Lake
from components.core.times import Window
from components.logs.counting import count_lines
from components.logs.specs import MINE

T = datetime(2026, 1, 2, tzinfo=UTC)
MADE = {"producer": "test", "params": {}}


def log_rows(minutes: range, every_s: int = 10, body: str = "order {n} took {n} ms", **fixed: Any) -> pl.DataFrame:
    seconds = range(minutes.start * 60, minutes.stop * 60, every_s)
    rows = [(T + timedelta(seconds=s), body.format(n=s), f"{s:032x}") for s in seconds]
    frame = pl.DataFrame(
        rows, schema={"timestamp": pl.Datetime("us", "UTC"), "body": pl.String, "trace_id": pl.String}, orient="row"
    )
    columns = {"service": "cart", "severity": "INFO"} | fixed
    return frame.with_columns(pl.lit(value).alias(name) for name, value in columns.items())


def lake_of(path: Path, frame: pl.DataFrame, *cuts: int) -> Lake:
    """A lake whose logs windows are cut at these minutes."""
    lake = Lake(str(path))
    for start, end in pairwise(cuts):
        window = Window(T + timedelta(minutes=start), T + timedelta(minutes=end))
        inside = frame.filter(pl.col("timestamp") >= window.start, pl.col("timestamp") < window.end)
        lake.write_window("logs", inside, window, **MADE)
    return lake


def mine(lake: Lake, tmp_path: Path, **params: Any) -> dict[str, Any]:
    return step.run(MINE, {"lake": lake.uri, "mined": str(tmp_path / "mined.json")}, params)


def test_counts_per_five_minutes(tmp_path: Path) -> None:
    frame = pl.concat([log_rows(range(10)), log_rows(range(3, 4), 30, body="cache down: {n}", severity="ERROR")])
    lake = lake_of(tmp_path / "lake", frame, 0, 10)
    summary = mine(lake, tmp_path, as_of=(T + timedelta(minutes=10)).isoformat())
    assert (summary["lines"], summary["templates"]) == (62, 2)
    counts = lake.read("log_counts")
    assert counts.select("timestamp", "severity", "template", "count", "example", "trace_id").rows() == [
        (T, "ERROR", "cache down: <*>", 2, "cache down: 180", f"{180:032x}"),
        (T, "INFO", "order <*> took <*> ms", 30, "order 0 took 0 ms", f"{0:032x}"),
        (T + timedelta(minutes=5), "INFO", "order <*> took <*> ms", 30, "order 300 took 300 ms", f"{300:032x}"),
    ]


def test_windows_may_be_cut_anyhow(tmp_path: Path) -> None:
    frame = log_rows(range(60))
    whole = lake_of(tmp_path / "whole", frame, 0, 60)
    pieces = lake_of(tmp_path / "pieces", frame, 0, 7, 20, 23, 60)
    mine(whole, tmp_path, as_of=(T + timedelta(minutes=60)).isoformat())
    for minute in (8, 21, 33, 60, 60):
        mine(pieces, tmp_path, as_of=(T + timedelta(minutes=minute)).isoformat())
    assert pieces.read("log_counts").equals(whole.read("log_counts"))
    assert whole.read("log_counts")["count"].sum() == len(frame)


def test_a_rerun_and_a_killed_run_add_nothing(tmp_path: Path) -> None:
    lake = lake_of(tmp_path / "lake", log_rows(range(60)), 0, 60)
    as_of = (T + timedelta(minutes=60)).isoformat()
    summary = mine(lake, tmp_path, as_of=as_of)
    assert summary["lines"] == 360
    before = lake.read("log_counts")
    partition = lake.partitions("log_counts")[0]
    assert mine(lake, tmp_path, as_of=as_of) == summary
    Path(partition.uri + ".meta.json").unlink()
    assert mine(lake, tmp_path, as_of=as_of) == summary
    assert len(lake.partitions("log_counts")) == 1
    assert lake.read("log_counts").equals(before)


def test_the_slot_that_is_not_over_waits(tmp_path: Path) -> None:
    lake = lake_of(tmp_path / "lake", log_rows(range(8)), 0, 8)
    assert mine(lake, tmp_path)["lines"] == 30
    assert lake.coverage("log_counts") == [Window(T, T + timedelta(minutes=5))]


def test_a_covered_window_without_lines_is_covered(tmp_path: Path) -> None:
    lake = lake_of(tmp_path / "lake", log_rows(range(1)).clear(), 0, 30)
    assert mine(lake, tmp_path)["lines"] == 0
    assert lake.coverage("log_counts") == lake.coverage("logs")
    assert lake.read("log_counts").is_empty()


def test_a_lake_without_logs(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path / "lake"))
    assert mine(lake, tmp_path)["templates"] == 0
    lake.write_window("metrics", pl.DataFrame(schema={"timestamp": pl.Datetime("us", "UTC"), "service": pl.String,
        "metric": pl.String, "value": pl.Float64}), Window(T, T + timedelta(hours=1)), **MADE)  # fmt: skip
    assert mine(lake, tmp_path)["templates"] == 0
    assert lake.read("log_counts").is_empty()


def test_new_errors_are_surprising(tmp_path: Path) -> None:
    usual = log_rows(range(120), 60, body="cart {n} lost", severity="ERROR")
    new = log_rows(range(115, 120), 5, body="disk full on node {n}", severity="ERROR")
    lake = lake_of(tmp_path / "lake", pl.concat([usual, new]), 0, 115, 120)
    assert mine(lake, tmp_path, as_of=(T + timedelta(minutes=115)).isoformat())["surprising"] == []
    surprising = mine(lake, tmp_path, as_of=(T + timedelta(minutes=120)).isoformat())["surprising"]
    assert [(s["change"], s["template"], s["before"], s["after"]) for s in surprising] == [
        ("new", "disk full on node <*>", 0, 60)
    ]
    assert surprising[0]["example"] == "disk full on node 6900"


@pytest.mark.parametrize("seed", [0, 1])
def test_the_order_of_lines_does_not_matter(seed: int) -> None:
    frame = pl.concat(
        [log_rows(range(20)), log_rows(range(20), 7, body='{{"level":"info","msg":"paid {n}"}}', service="pay")]
    )
    counts = count_lines(frame)
    assert count_lines(frame.sample(fraction=1, shuffle=True, seed=seed)).equals(counts)
    assert counts.filter(service="pay")["template"].unique().to_list() == ["paid <*>"]


def test_missing_values(tmp_path: Path) -> None:
    frame = log_rows(range(1)).with_columns(pl.lit(None, pl.String).alias(c) for c in ("service", "severity", "body"))
    counts = count_lines(frame.drop("trace_id"))
    assert counts.select("service", "severity", "template", "count", "trace_id").rows() == [("", "", "", 6, None)]
