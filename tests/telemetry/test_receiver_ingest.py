"""Received logs in the lake: every record once, whatever is killed or repeated in between."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import httpx
import polars as pl
import pytest
from moto.server import ThreadedMotoServer

from components.core import storage
from components.core.errors import StorageError
from components.core.lake import INCOMING, Lake
from components.core.settings import settings
from components.core.spec import specs
from components.core.step import run
from components.core.times import iso
from components.telemetry.received import Received
from components.telemetry.receiver.records import read_rows
from components.telemetry.receiver.spool import Spool, digest_of

from .fluentbit import body, line, zipped

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
FIVE = timedelta(minutes=5)


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(str(tmp_path / "spool"), 1 << 30)


def send(spool: Spool, *lines: tuple[datetime, str]) -> None:
    content = body([line(iso(at), text) for at, text in lines])
    spool.add(read_rows(content), digest_of(content))


def take(spool: Spool, lake: Lake, end: datetime) -> int:
    return Received(spool.uri, lake.zone(INCOMING), end, "test", {}).take()


def bodies(lake: Lake) -> list[str]:
    rows = pl.concat([lake.read("logs"), lake.zone(INCOMING).read("logs")], how="diagonal")
    return sorted(rows["body"])


def publish(lake: Lake) -> None:
    for partition in lake.zone(INCOMING).partitions("logs"):
        lake.accept(partition)


def pending(spool: Spool) -> list[str]:
    return storage.list_files(spool.uri + "/pending", ".parquet")


def test_only_ended_five_minutes_are_taken(spool: Spool, tmp_path: Path) -> None:
    lake = Lake(str(tmp_path / "lake"))
    send(spool, (NOON - timedelta(seconds=1), "before"), (NOON + timedelta(seconds=1), "after"))
    assert take(spool, lake, NOON) == 1
    assert bodies(lake) == ["before"]
    assert take(spool, lake, NOON) == 0
    assert take(spool, lake, NOON + FIVE) == 1
    assert bodies(lake) == ["after", "before"]
    assert pending(spool) == []


def test_a_request_that_is_repeated_after_it_was_taken_counts_once(spool: Spool, tmp_path: Path) -> None:
    lake = Lake(str(tmp_path / "lake"))
    for _ in range(3):
        send(spool, (NOON - FIVE, "x"))
        take(spool, lake, NOON)
        publish(lake)
    assert bodies(lake) == ["x"]
    assert pending(spool) == []


def test_batches_are_remembered_for_a_day_and_their_numbers_go_on(spool: Spool, tmp_path: Path) -> None:
    lake = Lake(str(tmp_path / "lake"))
    for hour in (0, 1, 26, 52):
        send(spool, (NOON + timedelta(hours=hour), f"hour {hour}"))
        take(spool, lake, NOON + timedelta(hours=hour) + FIVE)
    kept = [storage.name(uri) for uri in storage.list_files(spool.uri + "/batches", ".json")]
    assert kept == ["00000004.json"]
    assert len(bodies(lake)) == 4


def test_a_wrong_clock_does_not_fill_the_spool(spool: Spool, tmp_path: Path) -> None:
    lake = Lake(str(tmp_path / "lake"))
    send(spool, (NOON - FIVE, "now"), (NOON + timedelta(days=400), "the clock is wrong"))
    assert take(spool, lake, NOON) == 2
    days = sorted(uri.uri.split("date=")[1][:10] for uri in lake.zone(INCOMING).partitions("logs"))
    assert days == ["2026-01-31", "2027-03-07"], "validation refuses the second day alone"


def test_a_damaged_file_is_set_aside_and_stops_nothing(spool: Spool, tmp_path: Path) -> None:
    lake = Lake(str(tmp_path / "lake"))
    send(spool, (NOON - FIVE, "lost"))
    (file,) = pending(spool)
    Path(file).write_bytes(b"PAR1 nothing")
    send(spool, (NOON - FIVE, "kept"))
    assert take(spool, lake, NOON) == 1
    assert bodies(lake) == ["kept"]
    assert [storage.name(uri) for uri in storage.list_files(spool.uri + "/damaged")] == [storage.name(file)]


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00Z", -400])
def test_a_time_before_1970_stops_nothing(spool: Spool, tmp_path: Path, moment: Any) -> None:
    lake = Lake(str(tmp_path / "lake"))
    content = body([line(moment, "without a clock")])
    spool.add(read_rows(content), digest_of(content))
    send(spool, (NOON - FIVE, "now"))
    assert take(spool, lake, NOON) == 2
    assert bodies(lake) == ["now", "without a clock"]
    assert pending(spool) == []


@pytest.mark.parametrize("name", ["pending/copy.parquet", "pending/old/300-a-0.parquet", "batches/copy.json"])
def test_a_foreign_file_is_set_aside_and_stops_nothing(
    spool: Spool, tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    lake, foreign = Lake(str(tmp_path / "lake")), Path(spool.uri, name)
    foreign.parent.mkdir(parents=True, exist_ok=True)
    foreign.write_bytes(b"not of the receiver")
    send(spool, (NOON - FIVE, "kept"))
    assert take(spool, lake, NOON) == 1
    assert bodies(lake) == ["kept"]
    assert Path(spool.uri, "damaged", foreign.name).read_bytes() == b"not of the receiver"
    assert f"{name} has no name that the log receiver gives" in caplog.text


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The URI of an empty bucket on an S3 server of this test."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
    storage._s3.cache_clear()
    boto3.client("s3").create_bucket(Bucket="received-logs")
    yield "s3://received-logs"
    server.stop()
    storage._s3.cache_clear()


def test_the_spool_may_lie_on_s3(bucket: str, tmp_path: Path) -> None:
    lake, spool = Lake(str(tmp_path / "lake")), Spool(f"{bucket}/spool", 1)
    for _ in range(2):
        send(spool, (NOON - FIVE, "x"))
        take(spool, lake, NOON)
        publish(lake)
    assert pending(spool) == []
    assert bodies(lake) == ["x"]


def test_the_folders_of_a_new_spool_survive_a_power_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[str] = []
    fsync = os.fsync

    def record(handle: int) -> None:
        synced.append(os.readlink(f"/proc/self/fd/{handle}"))
        fsync(handle)

    monkeypatch.setattr(os, "fsync", record)
    Spool(str(tmp_path / "home" / "spool"), 1)
    assert (tmp_path / "home" / "spool" / "pending").is_dir()
    assert {str(tmp_path), str(tmp_path / "home"), str(tmp_path / "home" / "spool")} <= set(synced)


def test_a_spool_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "spool").write_text("a file where the folder should be")
    with pytest.raises(StorageError, match=r"cannot make .*/spool/pending: .*; free its place or set TRACEO_LOG_SPOOL"):
        Spool(str(tmp_path / "spool"), 1)


class Killed(BaseException):
    """Stands for SIGKILL: nothing catches it."""


@contextmanager
def killed_at(number: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The process ends just before the `number`-th change of the disk."""
    left = iter(range(number - 1, -1, -1))

    def counting(original: Callable[..., Any]) -> Callable[..., Any]:
        def change(*arguments: Any) -> Any:
            if next(left, 0) == 0:
                raise Killed
            return original(*arguments)

        return change

    with monkeypatch.context() as patched:
        for name in ("write_bytes", "create_bytes", "delete"):
            patched.setattr(storage, name, counting(getattr(storage, name)))
        yield


@pytest.mark.parametrize("validated_between", [False, True])
def test_an_import_killed_before_any_of_its_writes_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, validated_between: bool
) -> None:
    finished = 0
    for number in range(1, 30):
        spool, lake = Spool(str(tmp_path / f"spool{number}"), 1 << 30), Lake(str(tmp_path / f"lake{number}"))
        send(spool, (NOON - timedelta(hours=13), "yesterday"), (NOON - FIVE, "a"))
        send(spool, (NOON - FIVE, "b"))
        try:
            with killed_at(number, monkeypatch):
                take(spool, lake, NOON)
            finished += 1
        except Killed:
            send(spool, (NOON - FIVE, "b"))  # its answer was lost
            send(spool, (NOON - FIVE, "c"))
        if validated_between:
            publish(lake)
        take(spool, lake, NOON)
        publish(lake)
        assert bodies(lake) in (["a", "b", "c", "yesterday"], ["a", "b", "yesterday"]), f"killed before write {number}"
        assert ("c" in bodies(lake)) == (finished == 0)
        assert pending(spool) == []
    assert finished > 10, "the last rounds ran through: every write before was tried"


@pytest.fixture
def _configured(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TRACEO_LOG_SPOOL", spool.uri)
    settings.cache_clear()
    yield
    settings.cache_clear()


@pytest.mark.usefixtures("_configured")
def test_the_ingest_step_takes_them_along(spool: Spool, tmp_path: Path) -> None:
    send(spool, (NOON - FIVE, "received"))
    uris = {"lake": str(tmp_path / "lake"), "ingested": str(tmp_path / "ingested.json")}
    source = {"source": "shop://?seed=1&anchor=2026-02-01T00:00:00Z", "days": 1}
    report = run(specs("telemetry")[0], uris, {**source, "end": iso(NOON)})
    assert report["received_rows"] == 1
    rows = Lake(uris["lake"]).zone(INCOMING).read("logs").filter(pl.col("body") == "received")
    assert rows["service"].to_list() == ["cart"]
    assert run(specs("telemetry")[0], uris, {**source, "end": iso(NOON)})["received_rows"] == 0


# --- a real receiver, killed ----------------------------------------------------------------------------------


class Receiver:
    """`python -m components.telemetry.receiver` on one port, started again by hand."""

    def __init__(self, home: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self._environment = {**os.environ, "TRACEO_HOME": str(home), "TRACEO_LOG_RECEIVER_PORT": str(self.port)}
        self.url = f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        command = [sys.executable, "-m", "components.telemetry.receiver"]
        self._process = subprocess.Popen(command, env=self._environment, stderr=subprocess.DEVNULL)
        wait_until(lambda: answers(self.url))

    def kill(self) -> None:
        self._process.send_signal(signal.SIGKILL)
        self._process.wait(10)


def answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/healthz").status_code == 200
    except httpx.TransportError:
        return False


def wait_until(happened: Callable[[], bool], timeout_s: float = 60.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not happened():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


class Sender(threading.Thread):
    """Sends chunks one after the other and repeats each until it is answered with 2xx, as Fluent Bit does."""

    def __init__(self, url: str, chunks: int) -> None:
        super().__init__(daemon=True)
        self._client, self._chunks = httpx.Client(base_url=url, timeout=5), chunks
        self.done, self.repeats = 0, 0

    def run(self) -> None:
        for number in range(self._chunks):
            records = [line(iso(NOON + timedelta(seconds=number)), f"{number}/{i}") for i in range(20)]
            sent, headers = zipped(body(records))
            while not self._delivered(sent, headers):
                self.repeats += 1
                time.sleep(0.005)
            self.done += 1

    def _delivered(self, sent: bytes, headers: dict[str, str]) -> bool:
        try:
            return self._client.post("/logs", content=sent, headers=headers).is_success
        except httpx.TransportError:
            return False


@pytest.mark.slow
def test_a_receiver_that_is_killed_loses_and_doubles_nothing(tmp_path: Path) -> None:
    receiver, lake, chunks = Receiver(tmp_path), Lake(str(tmp_path / "lake")), 400
    receiver.start()
    sender = Sender(receiver.url, chunks)
    sender.start()
    spool = Spool(str(tmp_path / "spool"), 1 << 30)
    for threshold in (40, 160, 280):
        wait_until(lambda threshold=threshold: sender.done >= threshold)
        receiver.kill()
        take(spool, lake, NOON + timedelta(seconds=threshold))
        receiver.start()
    sender.join(120)
    receiver.kill()
    assert (sender.done, sender.repeats > 0) == (chunks, True)
    take(spool, lake, NOON + timedelta(seconds=chunks) + FIVE)
    assert bodies(lake) == sorted(f"{number}/{i}" for number in range(chunks) for i in range(20))
    assert json.loads((tmp_path / "spool" / "batches" / "00000001.json").read_text())["files"]
