"""The ingest step: windows, gaps, late rows, retries and kills."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from components.core.errors import InputError, ParamsError, ServiceError
from components.core.lake import INCOMING, QUARANTINE, Lake
from components.core.schema import TABLES
from components.core.spec import specs
from components.core.step import run
from components.core.times import Window
from components.telemetry.ingestion import Ingestion
from components.telemetry.plan import choose_window
from components.telemetry.shop import Shop
from components.telemetry.sources import open_source

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
SPEC = specs("telemetry")[0]


def hours(n: float) -> timedelta:
    return timedelta(hours=n)


def samples(
    path: Path, first: datetime, count: int, service: str = "cart", step: timedelta = timedelta(minutes=5)
) -> None:
    times = [first + i * step for i in range(count)]
    pl.DataFrame({"timestamp": times, "cpu": [float(i) for i in range(count)]}).write_csv(path / f"{service}.csv")


def ingest(source: Path | str, root: Path, **params: Any) -> dict[str, Any]:
    uris = {"lake": str(root / "lake"), "ingested": str(root / "ingested.json")}
    return run(SPEC, uris, {"source": str(source), **params})


def incoming(root: Path) -> Lake:
    return Lake(str(root / "lake")).zone(INCOMING)


def content(root: Path, table: str = "metrics") -> pl.DataFrame:
    return incoming(root).read(table)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    samples(folder, NOON, 300)
    return folder


# --- the window --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("extent", "live", "days", "end", "expected"),
    [
        pytest.param(None, True, 2, NOON + timedelta(seconds=299), (NOON - hours(48), NOON), id="live: floored"),
        pytest.param(
            (NOON - hours(3), NOON), True, 2, NOON + hours(9), (NOON - hours(3), NOON), id="live: what is there"
        ),
        pytest.param((NOON - hours(240), NOON), False, 1, None, (NOON - hours(240), NOON), id="static: whole"),
        pytest.param(
            (NOON - hours(2400), NOON), False, 1, None, (NOON - hours(24), NOON), id="static: too long for whole"
        ),
        pytest.param(
            (NOON - hours(48), NOON), False, 1, NOON + hours(999), (NOON - hours(48), NOON), id="static: end past it"
        ),
        pytest.param(
            (NOON - hours(48), NOON), False, 9, NOON - hours(9), (NOON - hours(48), NOON - hours(9)), id="static: end"
        ),
        pytest.param((NOON - hours(48), NOON), False, 9, NOON - hours(48), None, id="static: nothing before the end"),
    ],
)
def test_choose_window(
    extent: tuple[datetime, datetime] | None,
    live: bool,
    days: int,
    end: datetime | None,
    expected: tuple[datetime, datetime] | None,
) -> None:
    chosen = choose_window(Window(*extent) if extent else None, live, days, end, "x")
    assert chosen == (Window(*expected) if expected else None)


def test_live_source_needs_an_end() -> None:
    with pytest.raises(ParamsError, match=r"parameter 'end' is needed.*--params"):
        choose_window(None, True, 30, None, "shop")


@pytest.mark.parametrize(
    ("uri", "error", "said"),
    [
        ("shop://?sed=1", ParamsError, "unknown option 'sed'"),
        ("shop://?seed=x&anchor=2026-01-01", ParamsError, "not a whole number"),
        ("shop://?anchor=soon", InputError, "not a time: 'soon'"),
        ("ftp://host/data", ParamsError, "unknown kind 'ftp'"),
        ("/no/such/folder", InputError, "no such directory"),
        ("http://127.0.0.1:9?step_s=7", ParamsError, "does not divide 300"),
    ],
)
def test_open_source_names_what_is_wrong(uri: str, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        open_source(uri)


@pytest.mark.parametrize(
    ("uri", "name"),
    [
        ("shop://?seed=7&anchor=2026-03-01T12:00:00Z", "shop://?seed=7&anchor=2026-03-01T12:00:00Z"),
        ("shop://?anchor=2026-03-01T12:00:00+02:00", "shop://?seed=1&anchor=2026-03-01T10:00:00Z"),
        ("shop://", "shop://?seed=1&anchor=2026-01-31T12:00:00Z"),
        ("http://user:secret@host:9090/?step_s=60", "http://host:9090"),
    ],
)
def test_open_source_and_the_name_it_goes_by(uri: str, name: str) -> None:
    source = open_source(uri)
    assert (source.name, source.live) == (name, True)


@pytest.mark.parametrize("table", ["metrics", "spans", "logs", "changes"])
def test_the_shop_is_read_as_it_is_generated(table: str) -> None:
    window = Window(NOON - hours(1), NOON)
    rows = open_source(f"shop://?seed=3&anchor={NOON:%Y-%m-%dT%H:%M:%SZ}").read(table, window)
    assert rows.equals(getattr(Shop(3, NOON), table)(window))
    assert TABLES[table].conform(rows, "shop").shape == rows.shape


def test_a_password_is_refused_as_a_parameter_without_being_shown(tmp_path: Path) -> None:
    with pytest.raises(ParamsError, match="TRACEO_SOURCE") as raised:
        ingest("http://user:secret@127.0.0.1:9", tmp_path)
    assert "secret" not in str(raised.value)


# --- what is written ---------------------------------------------------------------------------------------


def test_every_table_is_covered_a_day_at_a_time(data: Path, tmp_path: Path) -> None:
    report = ingest(data, tmp_path)
    end = NOON + hours(25)
    assert report["window"] == ["2026-01-31T12:00:00Z", "2026-02-01T13:00:00Z"]
    assert report["rows"] == {"metrics": 300, "spans": 0, "logs": 0, "changes": 0}
    assert report["partitions"] == 8
    for table in report["rows"]:
        assert incoming(tmp_path).coverage(table) == [Window(NOON, end)]
        midnight = datetime(2026, 2, 1, tzinfo=UTC)
        assert [p.window for p in incoming(tmp_path).partitions(table)] == [
            Window(NOON, midnight),
            Window(midnight, end),
        ]
    assert content(tmp_path)["value"].to_list() == [float(i) for i in range(300)]
    assert json.loads((tmp_path / "ingested.json").read_text()) == report


def test_importing_twice_changes_nothing(data: Path, tmp_path: Path) -> None:
    ingest(data, tmp_path)
    before = {path: path.read_bytes() for path in (tmp_path / "lake").rglob("*") if path.is_file()}
    report = ingest(data, tmp_path)
    assert report["partitions"] == 0
    assert {path: path.read_bytes() for path in (tmp_path / "lake").rglob("*") if path.is_file()} == before


def test_published_and_quarantined_windows_are_not_imported_again(data: Path, tmp_path: Path) -> None:
    ingest(data, tmp_path)
    lake = Lake(str(tmp_path / "lake"))
    first, second = incoming(tmp_path).partitions("metrics")
    lake.accept(first)
    lake.zone(QUARANTINE).accept(second)
    report = ingest(data, tmp_path)
    assert (report["partitions"], report["late_rows"]["metrics"]) == (0, 0)
    assert content(tmp_path).is_empty()


def test_a_grown_directory_fills_the_gap_and_adds_late_rows_once(data: Path, tmp_path: Path) -> None:
    samples(data, NOON, 10)
    ingest(data, tmp_path)
    samples(data, NOON, 12)
    samples(data, NOON, 3, service="payment")
    report = ingest(data, tmp_path)
    assert (report["rows"]["metrics"], report["late_rows"]["metrics"], report["partitions"]) == (2, 3, 4)
    again = ingest(data, tmp_path)
    assert (again["rows"]["metrics"], again["late_rows"]["metrics"], again["partitions"]) == (0, 0, 0)
    frame = content(tmp_path)
    assert frame.group_by("service").len().sort("service").rows() == [("cart", 12), ("payment", 3)]


def test_rows_without_a_key_come_late_by_all_their_columns(data: Path, tmp_path: Path) -> None:
    line = "2026-01-31T12:00:01Z,cart,INFO,"
    (data / "logs.csv").write_text(f"timestamp,service,severity,body\n{line}one\n{line}one\n")
    ingest(data, tmp_path)
    (data / "logs.csv").write_text(f"timestamp,service,severity,body\n{line}one\n{line}one\n{line}two\n")
    assert ingest(data, tmp_path)["late_rows"]["logs"] == 1
    assert ingest(data, tmp_path)["late_rows"]["logs"] == 0
    assert content(tmp_path, "logs")["body"].sort().to_list() == ["one", "one", "two"]


def test_end_before_the_first_row_imports_nothing_and_says_so(data: Path, tmp_path: Path) -> None:
    report = ingest(data, tmp_path, end="2020-01-01T00:00:00Z")
    assert (report["window"], report["partitions"]) == (None, 0)
    assert report["notes"] == ["the source has no rows before the end that was asked for"]


def test_progress_is_logged_a_line_a_day(data: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", logger="traceo.telemetry"):
        ingest(data, tmp_path)
    assert [record.message for record in caplog.records] == [
        "imported day 1 of 2: 2026-01-31: 144 rows",
        "imported day 2 of 2: 2026-02-01: 156 rows",
    ]


class Fake:
    """A live source of one row per five minutes and table; `fail_at` is the day it cannot answer for."""

    name, live = "fake://", True

    def __init__(self, fail_at: int | None = None, before_answer: Callable[[Window], None] | None = None) -> None:
        self.fail_at, self.before_answer = fail_at, before_answer
        self.asked: list[tuple[str, Window]] = []

    def extent(self) -> Window | None:
        return None

    def read(self, table: str, window: Window) -> pl.DataFrame:
        self.asked.append((table, window))
        if window.start.day == self.fail_at:
            raise ServiceError("fake:// went away")
        if self.before_answer:
            self.before_answer(window)
        if table != "metrics":
            return TABLES[table].empty()
        times = pl.datetime_range(window.start, window.end, "5m", closed="left", time_zone="UTC", eager=True)
        rows = pl.DataFrame({"timestamp": times.cast(pl.Datetime("us", "UTC"))})
        return rows.with_columns(
            service=pl.lit("s"), metric=pl.lit("m"), value=pl.col("timestamp").dt.epoch("s").cast(pl.Float64)
        )

    def notes(self) -> list[str]:
        return []


def test_a_live_source_is_asked_for_the_gap_alone(tmp_path: Path) -> None:
    lake, source = Lake(str(tmp_path / "lake")), Fake()
    Ingestion(source, lake, "test", {}).fill(Window(NOON - hours(48), NOON))
    source.asked.clear()
    Ingestion(source, lake, "test", {}).fill(Window(NOON - hours(47), NOON + hours(1)))
    assert source.asked == [(table, Window(NOON, NOON + hours(1))) for table in ("metrics", "spans", "logs", "changes")]


def test_a_source_that_goes_away_leaves_whole_days_and_the_next_run_goes_on(tmp_path: Path) -> None:
    lake, window = Lake(str(tmp_path / "lake")), Window(NOON - hours(72), NOON)
    with pytest.raises(ServiceError, match="went away"):
        Ingestion(Fake(fail_at=30), lake, "test", {}).fill(window)
    assert lake.zone(INCOMING).coverage("metrics") == [Window(NOON - hours(72), datetime(2026, 1, 30, tzinfo=UTC))]
    Ingestion(Fake(), lake, "test", {}).fill(window)
    assert lake.zone(INCOMING).read("metrics")["timestamp"].to_list() == [
        window.start + i * timedelta(minutes=5) for i in range(72 * 12)
    ]


def test_a_gap_that_another_import_filled_meanwhile_is_left_alone(tmp_path: Path) -> None:
    lake, window = Lake(str(tmp_path / "lake")), Window(NOON, NOON + hours(1))

    def other_import(_: Window) -> None:
        Ingestion(Fake(), lake, "other", {}).fill(Window(NOON, NOON + hours(2)))

    Ingestion(Fake(before_answer=other_import), lake, "test", {}).fill(window)
    assert len(lake.zone(INCOMING).read("metrics")) == 24


@pytest.mark.parametrize("kill_after", [3, 30])
def test_killed_and_run_again_equals_undisturbed(tmp_path: Path, kill_after: int) -> None:
    data = tmp_path / "data"
    data.mkdir()
    samples(data, NOON, 40 * 288)
    (tmp_path / "calm").mkdir()
    ingest(data, tmp_path / "calm")
    root = tmp_path / "killed"
    command = [sys.executable, "-m", "components.telemetry", "ingest", "--lake", str(root / "lake")]
    command += ["--ingested", str(root / "ingested.json"), "--params", json.dumps({"source": str(data)})]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    while sum(1 for _ in root.rglob("*.meta.json")) < kill_after and process.poll() is None:
        time.sleep(0.002)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait(10) == -signal.SIGKILL
    assert not (root / "ingested.json.meta.json").exists()
    ingest(data, root)
    assert content(root).equals(content(tmp_path / "calm"))
    assert incoming(root).coverage("logs") == incoming(tmp_path / "calm").coverage("logs")
