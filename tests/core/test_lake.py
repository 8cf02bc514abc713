"""The lake: written once, never half, the same locally and on S3."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from components.core import storage
from components.core.errors import InputError, SchemaError, StorageError
from components.core.lake import INCOMING, Lake
from components.core.times import Window

T0 = datetime(2026, 1, 31, tzinfo=UTC)
HOUR = timedelta(hours=1)
MADE = {"producer": "test", "params": {"seed": 1}}


def rows(*hours: int, value: float = 1.0) -> pl.DataFrame:
    times = [T0 + hour * HOUR for hour in hours]
    return pl.DataFrame(
        {"timestamp": times, "service": "a", "metric": "m", "value": value}, schema_overrides={"value": pl.Float64}
    )


@pytest.fixture(params=["local", "s3"])
def lake(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Lake]:
    if request.param == "local":
        yield Lake(str(tmp_path / "lake"))
        return
    yield Lake(f"{request.getfixturevalue('bucket')}/{tmp_path.name}")


def test_windows_are_written_once_and_read_sorted(lake: Lake) -> None:
    day = Window(T0, T0 + 24 * HOUR)
    lake.write_window("metrics", rows(5, 3), day, **MADE)
    lake.write_window("metrics", rows(7), day, **MADE)  # the window stands already
    assert lake.read("metrics")["timestamp"].to_list() == [T0 + 3 * HOUR, T0 + 5 * HOUR]
    assert lake.read("metrics", Window(T0 + 4 * HOUR, T0 + 6 * HOUR)).height == 1
    assert lake.watermark() == T0 + 24 * HOUR
    assert lake.partitions("metrics")[0].meta()["rows"] == 2


def test_gaps_lie_within_one_day_each(lake: Lake) -> None:
    lake.write_window("metrics", rows(1), Window(T0, T0 + 2 * HOUR), **MADE)
    gaps = lake.gaps("metrics", Window(T0, T0 + 30 * HOUR))
    assert [(gap.start - T0) / HOUR for gap in gaps] == [2, 24]
    assert gaps[-1].end == T0 + 30 * HOUR


def test_late_rows_are_named_by_content(lake: Lake) -> None:
    lake.write_window("metrics", rows(1), Window(T0, T0 + 24 * HOUR), **MADE)
    for _ in range(2):
        lake.write_late("metrics", rows(2), **MADE)
    assert lake.read("metrics").height == 2
    assert lake.coverage("metrics") == [Window(T0, T0 + 24 * HOUR)]


def test_snapshots_are_found_by_instant(lake: Lake) -> None:
    edge = pl.DataFrame({"caller": ["a"], "callee": ["b"], "calls": [1], "error_ratio": [0.0], "p95_us": [1.0]})
    edge = edge.with_columns(calls_per_s=pl.lit(1.0), passed_on_ratio=pl.lit(None, pl.Float64))
    edge = edge.with_columns(pl.lit(T0).alias("first_seen"), pl.lit(T0).alias("last_seen"))
    for hour in (1, 3):
        lake.write_snapshot("calls", edge.with_columns(pl.lit(hour).alias("calls")), T0 + hour * HOUR, **MADE)
    assert lake.snapshots("calls") == [T0 + HOUR, T0 + 3 * HOUR]
    assert lake.read_snapshot("calls", T0 + 2 * HOUR)["calls"].to_list() == [1]
    assert lake.read_snapshot("calls", before=T0 + HOUR).is_empty()
    assert lake.read_snapshot("calls")["calls"].to_list() == [3]


def test_a_partition_moves_between_zones_even_after_a_crash(lake: Lake) -> None:
    waiting = lake.zone(INCOMING).write_window("metrics", rows(1), Window(T0, T0 + 2 * HOUR), **MADE)
    assert lake.read("metrics").is_empty()
    lake.accept(waiting)
    assert lake.read("metrics").height == 1
    assert lake.zone(INCOMING).partitions("metrics") == []
    # A crash after the copy and before the removal leaves both; accepting again ends the move.
    again = lake.zone(INCOMING).write_window("metrics", rows(1), Window(T0, T0 + 2 * HOUR), **MADE)
    lake.accept(again)
    assert lake.read("metrics").height == 1
    assert lake.zone(INCOMING).partitions("metrics") == []


def test_an_unknown_table_and_rows_outside_are_refused(lake: Lake) -> None:
    with pytest.raises(InputError, match="no table 'meters'"):
        lake.read("meters")
    with pytest.raises(InputError, match="does not lie in"):
        lake.write_window("metrics", rows(5), Window(T0, T0 + HOUR), **MADE)
    with pytest.raises(InputError, match="crosses midnight"):
        lake.write_window("metrics", rows(5), Window(T0, T0 + 25 * HOUR), **MADE)
    with pytest.raises(SchemaError, match="lacks column 'value'"):
        lake.write_window("metrics", rows(5).drop("value"), Window(T0, T0 + 24 * HOUR), **MADE)


def test_two_runs_cannot_write_the_same_time_twice(lake: Lake) -> None:
    lake.write_window("metrics", rows(1), Window(T0, T0 + 2 * HOUR), **MADE)
    with pytest.raises(StorageError, match="overlaps 20260131T000000_20260131T020000, which another run wrote"):
        lake.write_window("metrics", rows(1, 3), Window(T0 + HOUR, T0 + 4 * HOUR), **MADE)
    assert lake.read("metrics").height == 1


def test_data_without_its_sidecar_does_not_exist(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    partition = lake.write_window("metrics", rows(1), Window(T0, T0 + 24 * HOUR), **MADE)
    Path(partition.uri + ".meta.json").unlink()
    assert lake.read("metrics").is_empty()
    assert lake.watermark() is None


def test_the_same_rows_give_the_same_bytes(tmp_path: Path) -> None:
    day = Window(T0, T0 + 24 * HOUR)
    uris = [Lake(str(tmp_path / n)).write_window("metrics", rows(1, 2), day, **MADE).uri for n in "ab"]
    assert Path(uris[0]).read_bytes() == Path(uris[1]).read_bytes()


def test_a_full_disk_is_a_clear_error_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(storage.os, "replace", full)
    with pytest.raises(storage.StorageError, match=r"cannot write .*x\.json: No space left on device; free space"):
        storage.write_bytes(str(tmp_path / "x.json"), b"{}")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    uri = str(tmp_path / "model")
    with storage.new_folder(uri) as folder:
        (folder / "a.json").write_text("1")
    with pytest.raises(FileNotFoundError), storage.new_folder(uri) as folder:
        (folder / "none" / "b.json").write_text("2")
    with storage.local_folder(uri) as folder:
        assert [path.name for path in folder.iterdir()] == ["a.json"]
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    shutil.rmtree(uri)
    with pytest.raises(storage.StorageError, match="no folder at"), storage.local_folder(uri):
        pass
