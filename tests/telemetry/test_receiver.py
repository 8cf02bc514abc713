"""The log endpoint over HTTP: what it takes, how it maps it, what it refuses and with which words."""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import polars as pl
import pytest
from fastapi.testclient import TestClient

from components.core import storage
from components.core.errors import SettingsError, StorageError
from components.core.settings import Settings
from components.telemetry.receiver import app as receiver
from components.telemetry.receiver import body as limits
from components.telemetry.receiver import records
from components.telemetry.receiver.app import create_app
from components.telemetry.receiver.records import read_rows

from .fluentbit import HEADERS, POD, body, line, zipped

HERE = "http://127.0.0.1:8083"
AT = "2026-01-31T12:00:01.250000Z"
MOMENT = datetime(2026, 1, 31, 12, 0, 1, 250_000, tzinfo=UTC)


@pytest.fixture
def client(tmp_path: Path) -> TestClient:
    return TestClient(create_app(Settings(home=str(tmp_path))), base_url=HERE)


def waiting(home: Path) -> pl.DataFrame:
    files = sorted((home / "spool" / "pending").glob("*.parquet"))
    return pl.concat([pl.read_parquet(file) for file in files]) if files else pl.DataFrame()


@pytest.mark.parametrize("form", ["json", "json_lines", "json_stream"])
@pytest.mark.parametrize("compress", [False, True])
def test_every_format_is_kept_before_it_is_answered(
    client: TestClient, tmp_path: Path, form: str, compress: bool
) -> None:
    content = body([line(AT, f"line {i}") for i in range(3)], form)
    sent, headers = zipped(content) if compress else (content, HEADERS)
    answer = client.post("/logs", content=sent, headers=headers)
    assert (answer.status_code, answer.json()) == (200, {"records": 3})
    assert waiting(tmp_path)["body"].to_list() == ["line 0", "line 1", "line 2"]


def test_a_line_of_a_container_becomes_a_row() -> None:
    traced = line(AT, "paid\n", level="warn", trace_id="5b8aa5a2d2c872e8321cf37308d69df2", span_id="051581bf3cb55c13")
    (row,) = read_rows(body([{**traced, "amount": 3}])).to_dicts()
    attributes = json.loads(row.pop("attributes"))
    assert row == {
        "timestamp": MOMENT,
        "service": "cart",
        "severity": "WARN",
        "body": "paid",
        "instance": POD["pod_name"],
        "trace_id": "5b8aa5a2d2c872e8321cf37308d69df2",
        "span_id": "051581bf3cb55c13",
    }
    assert attributes["k8s.namespace.name"] == "shop"
    assert attributes["k8s.node.name"] == "node-1"
    assert attributes["k8s.pod.label.pod-template-hash"] == "7d9c5b8f6"
    assert (attributes["log.iostream"], attributes["amount"]) == ("stdout", 3)


@pytest.mark.parametrize(
    ("date", "expected"),
    [
        (AT, MOMENT),  # json_date_format iso8601
        (1769860801.25, MOMENT),  # double, the default
        (1769860801250, MOMENT),  # epoch_ms
        ("2026-01-31 12:00:01.250000", MOMENT),  # java_sql_timestamp
        (1769860801, MOMENT.replace(microsecond=0)),  # epoch
    ],
)
def test_every_date_format_is_read(date: Any, expected: datetime) -> None:
    assert read_rows(body([line(date, "x")]))["timestamp"].to_list() == [expected]


@pytest.mark.parametrize(
    ("record", "column", "expected"),
    [
        ({"date": AT, "message": "m", "service.name": "a"}, "service", "a"),
        ({"date": AT, "message": "m", "kubernetes": {"labels": {"app": "b"}}}, "service", "b"),
        ({"date": AT, "message": "m", "kubernetes": {"labels": None, "container_name": "c"}}, "service", "c"),
        ({"date": AT, "message": "m", "kubernetes": "odd"}, "service", ""),
        ({"date": AT, "message": "m", "hostname": "h"}, "instance", "h"),
        ({"date": AT, "log": {"nested": 1}}, "body", '{"nested": 1}'),
        ({"date": AT, "temperature": 3}, "body", '{"temperature": 3}'),
        ({"date": AT, "log": "half \ud800"}, "body", "half ?"),
        ({"date": AT, "log": "x", "level": 30}, "severity", "30"),
        ({"_time": AT, "log": "x", "date": "never"}, "timestamp", MOMENT),
    ],
)
def test_odd_records_are_kept(record: dict[str, Any], column: str, expected: object) -> None:
    assert read_rows(body([record]))[column].to_list() == [expected]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b'[{"date":1769860801.25,"log":"a"},{"log":"b"}]', "record 2 has no time; set `json_date_key _time`"),
        (b'[{"date":"yesterday","log":"a"}]', "record 1: field 'date': not a time: 'yesterday'"),
        (b'[{"date":1769860801.25},3]', "record 2 is not a JSON object but 3"),
        (b'{"date":1769860801.25}\n{"date":', "record 2 is not JSON"),
        (b'[{"date":1769860801.25}', "the JSON array is cut off"),
        (b'[{"date":1769860801.25} {"date":1}]', "after record 1 stands '{' where a comma should be"),
        (b"[" * 100_000 + b"]" * 100_000, "record 1 is not JSON"),
        (b"\x82\xa3abc", "record 1 is not JSON"),
    ],
)
def test_a_malformed_body_is_refused_whole_and_named(
    client: TestClient, tmp_path: Path, content: bytes, told: str
) -> None:
    answer = client.post("/logs", content=content, headers=HEADERS)
    assert answer.status_code == 400
    assert told in answer.json()["detail"]
    assert waiting(tmp_path).is_empty()


def test_a_body_that_is_not_gzip_or_cut_off_is_refused(client: TestClient) -> None:
    sent, headers = zipped(body([line(AT, "x")]))
    assert "not gzip" in client.post("/logs", content=b"plain", headers=headers).json()["detail"]
    assert "cut off" in client.post("/logs", content=sent[:-9], headers=headers).json()["detail"]


def test_every_member_of_a_gzip_body_is_kept_and_nothing_else_taken(client: TestClient, tmp_path: Path) -> None:
    members = [gzip.compress(body([line(AT, text)], "json_lines") + b"\n") for text in ("first", "second")]
    headers = {**HEADERS, "Content-Encoding": "gzip"}
    answer = client.post("/logs", content=b"".join(members) + b"rest", headers=headers)
    assert (answer.status_code, "not to its end" in answer.json()["detail"]) == (400, True)
    assert client.post("/logs", content=b"".join(members), headers=headers).json() == {"records": 2}
    assert waiting(tmp_path)["body"].to_list() == ["first", "second"]


def test_records_are_limited(client: TestClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "MOST_RECORDS", 2)
    answers = [client.post("/logs", content=body([line(AT, "x")] * n), headers=HEADERS) for n in (2, 3)]
    assert [answer.status_code for answer in answers] == [200, 413]
    assert "more than 2 records in one request; send smaller chunks" in answers[1].json()["detail"]


def test_few_requests_are_parsed_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at_once, most = 0, 0

    async def parse(function: Callable[..., int], *arguments: Any) -> int:
        nonlocal at_once, most
        at_once, most = at_once + 1, max(most, at_once + 1)
        for _ in range(100):  # every other request comes as far as it may
            await asyncio.sleep(0)
        at_once -= 1
        return function(*arguments)

    async def send() -> list[int]:
        transport = httpx.ASGITransport(create_app(Settings(home=str(tmp_path))))
        async with httpx.AsyncClient(transport=transport, base_url=HERE) as sender:
            posts = [sender.post("/logs", content=body([line(AT, str(i))]), headers=HEADERS) for i in range(6)]
            return [answer.status_code for answer in await asyncio.gather(*posts)]

    monkeypatch.setattr(asyncio, "to_thread", parse)
    assert asyncio.run(send()) == [200] * 6
    assert most == 2


def test_bodies_are_limited_before_and_after_decompression(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MOST_SENT", 2_000)
    monkeypatch.setattr(limits, "MOST_BYTES", 20_000)
    bomb = gzip.compress(b" " * 1_000_000)
    assert len(bomb) < 2_000
    answers = [
        client.post("/logs", content=b" " * 2_001, headers=HEADERS),
        client.post("/logs", content=bomb, headers={**HEADERS, "Content-Encoding": "gzip"}),
    ]
    assert [answer.status_code for answer in answers] == [413, 413]
    assert "once decompressed" in answers[1].json()["detail"]


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "application/msgpack"},
        {"Content-Type": "text/plain"},  # what a page in a browser may send without asking
        {},
        {**HEADERS, "Content-Encoding": "snappy"},
    ],
)
def test_other_formats_are_refused_with_the_remedy(client: TestClient, headers: dict[str, str]) -> None:
    answer = client.post("/logs", content=b"[]", headers=headers)
    assert answer.status_code == 415
    assert "set `" in answer.json()["detail"]


def test_a_token_is_asked_for_and_never_shown(tmp_path: Path) -> None:
    client = TestClient(create_app(Settings(home=str(tmp_path), log_receiver_token="s3cret")))
    content = body([line(AT, "x")])
    for given in ({}, {"Authorization": "Bearer other"}, {"Authorization": "s3cret"}):
        answer = client.post("/logs", content=content, headers={**HEADERS, **given})
        assert answer.status_code == 401
        assert "s3cret" not in answer.text
    assert waiting(tmp_path).is_empty()
    right = {**HEADERS, "Authorization": "Bearer s3cret"}
    assert client.post("/logs", content=content, headers=right).status_code == 200


def test_other_machines_need_a_token(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"TRACEO_HOST=0\.0\.0\.0 lets other machines write logs; set TRACEO_LOG"):
        create_app(Settings(home=str(tmp_path), host="0.0.0.0"))


def test_a_full_spool_makes_the_sender_wait_and_keeps_what_is_there(client: TestClient, tmp_path: Path) -> None:
    assert client.post("/logs", content=body([line(AT, "kept")]), headers=HEADERS).status_code == 200
    small = create_app(Settings(home=str(tmp_path), log_spool_max_mb=1))
    filler = tmp_path / "spool" / "pending" / "0-filler-0.parquet"
    filler.write_bytes(b"x" * (1 << 20))
    answer = TestClient(small, base_url=HERE).post("/logs", content=body([line(AT, "more")]), headers=HEADERS)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "60")
    assert "does traceo_ingest run?" in answer.json()["detail"]
    filler.unlink()
    assert waiting(tmp_path)["body"].to_list() == ["kept"]


def test_a_disk_that_takes_nothing_makes_the_sender_wait(client: TestClient, tmp_path: Path) -> None:
    (tmp_path / "spool" / "pending").rmdir()
    (tmp_path / "spool" / "pending").write_text("a file where the folder should be")
    answer = client.post("/logs", content=body([line(AT, "x")]), headers=HEADERS)
    assert answer.status_code == 503
    assert "cannot write" in answer.json()["detail"]


def test_a_repeated_request_is_kept_once(client: TestClient, tmp_path: Path) -> None:
    content = body([line(AT, "x"), line("2026-01-31T12:05:00.000000Z", "y")])
    sent, headers = zipped(content)
    counts = [client.post("/logs", content=sent, headers=headers).json()["records"] for _ in range(2)]
    counts.append(client.post("/logs", content=content, headers=HEADERS).json()["records"])
    assert counts == [2, 0, 0]
    assert sorted(waiting(tmp_path)["body"]) == ["x", "y"]


def test_an_s3_server_that_does_not_answer_makes_the_sender_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # bound and not listening: it refuses
        settings = {"ENDPOINT_URL": f"http://127.0.0.1:{unused.getsockname()[1]}", "MAX_ATTEMPTS": "1"}
        for name, value in {**settings, "ACCESS_KEY_ID": "x", "SECRET_ACCESS_KEY": "x", "DEFAULT_REGION": "x"}.items():
            monkeypatch.setenv(f"AWS_{name}", value)
        storage._s3.cache_clear()
        client = TestClient(create_app(Settings(home="s3://nowhere")), base_url=HERE)
        answer = client.post("/logs", content=body([line(AT, "x")]), headers=HEADERS)
        for use in (storage.exists, storage.list_files, storage.delete):
            with pytest.raises(StorageError, match="s3://nowhere/spool"):
                use("s3://nowhere/spool")
    storage._s3.cache_clear()
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "60")


def test_an_error_of_its_own_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    application = create_app(Settings(home=str(tmp_path)))
    client = TestClient(application, base_url=HERE, raise_server_exceptions=False)
    assert 'requests_total{status="500"} 0.0' in client.get("/metrics").text
    monkeypatch.setattr(receiver, "read_rows", lambda content: 1 / 0)
    assert client.post("/logs", content=b"[]", headers=HEADERS).status_code == 500
    assert 'requests_total{status="500"} 1.0' in client.get("/metrics").text


def test_a_page_elsewhere_cannot_write_logs_through_a_name_of_its_own(client: TestClient, tmp_path: Path) -> None:
    content = body([line(AT, "x")])
    foreign = {**HEADERS, "Host": "evil.example:8083"}
    assert client.post("/logs", content=content, headers=foreign).status_code == 400
    assert waiting(tmp_path).is_empty()
    assert client.post("/logs", content=content, headers={**HEADERS, "Host": "localhost:8083"}).status_code == 200
    named = Settings(home=str(tmp_path), allowed_hosts="logs.example, evil.example")
    assert TestClient(create_app(named)).post("/logs", content=content, headers=foreign).status_code == 200
    known = Settings(home=str(tmp_path), host="0.0.0.0", log_receiver_token="s3cret")
    shown = {**foreign, "Authorization": "Bearer s3cret"}
    assert TestClient(create_app(known)).post("/logs", content=content, headers=shown).status_code == 200


def test_it_counts_what_it_does(client: TestClient, tmp_path: Path) -> None:
    client.post("/logs", content=body([line(AT, "x")]), headers=HEADERS)
    client.post("/logs", content=b"nonsense", headers=HEADERS)
    text = client.get("/metrics").text
    assert "traceo_receiver_records_total 1.0" in text
    assert 'traceo_receiver_requests_total{status="200"} 1.0' in text
    assert 'traceo_receiver_requests_total{status="400"} 1.0' in text
    size = sum(file.stat().st_size for file in (tmp_path / "spool" / "pending").iterdir())
    assert f"traceo_receiver_spool_bytes {float(size)}" in text
    assert client.get("/healthz").json() == {"status": "ok"}
    assert client.post("/log", content=b"[]", headers=HEADERS).status_code == 404
