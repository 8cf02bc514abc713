"""The Prometheus source against a small server that follows its public API (and its refusals)."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import polars as pl
import pytest

from components.core.errors import ServiceError
from components.core.lake import INCOMING, Lake
from components.core.times import Window
from components.telemetry.ingestion import Ingestion
from components.telemetry.prometheus import PrometheusSource
from components.telemetry.prometheus_api import PrometheusApi

NOW = datetime(2026, 1, 31, 12, 3, 20, tzinfo=UTC)
OLDEST = NOW - timedelta(days=3)
NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)

Labels = dict[str, str]
Value = Callable[[int], str]


class Contract:
    """Answers as Prometheus does: 11,000 points at most, samples as [seconds, "text"], errors as JSON.

    expressions: the series (labels, value at a time) of each expression. faults: how the next requests go
    wrong, one each. requests: what was asked, path and form.
    """

    def __init__(self, expressions: dict[str, list[tuple[Labels, Value]]]) -> None:
        self.expressions, self.faults, self.requests = expressions, list[str](), list[tuple[str, dict[str, str]]]()
        self.fail_forever_after: int | None = None
        contract = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
                asked = {name: values[0] for name, values in form.items()}
                contract.requests.append((self.path, asked))
                contract.answer(self, self.path, asked)

            def log_message(self, *_: object) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, handler: BaseHTTPRequestHandler, path: str, asked: dict[str, str]) -> None:
        fault = self.faults.pop(0) if self.faults else ""
        if self.fail_forever_after is not None and len(self.requests) > self.fail_forever_after:
            fault = "drop"
        status, body = self._content(path, asked)
        if fault == "503":
            status, body = 503, {"status": "error", "errorType": "unavailable", "error": "the store is not ready"}
        data = b'{"status": "success", "data": {' if fault == "malformed" else json.dumps(body).encode()
        if fault == "html":
            data = b"<html>a proxy's welcome page</html>"
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data[: len(data) // 2] if fault == "drop" else data)
        handler.close_connection = True

    def _content(self, path: str, asked: dict[str, str]) -> tuple[int, dict[str, Any]]:
        if path == "/api/v1/labels":
            known = float(asked["end"]) >= OLDEST.timestamp()
            return _success(["__name__"] if known else [])
        if path == "/api/v1/query":
            return _success({"resultType": "scalar", "result": [NOW.timestamp(), str(NOW.timestamp())]})
        start, end, step = (int(float(asked[name])) for name in ("start", "end", "step"))
        if (end - start) // step + 1 > 11_000:
            return 400, {
                "status": "error",
                "errorType": "bad_data",
                "error": "exceeded maximum resolution of 11,000 points",
            }
        if asked["query"] == "a * b":
            return 422, {"status": "error", "errorType": "execution", "error": "many-to-many matching not allowed"}
        times = range(start, end + 1, step)
        series = self.expressions.get(asked["query"], [])
        matrix = [{"metric": labels, "values": [[t, value(t)] for t in times]} for labels, value in series]
        return _success({"resultType": "matrix", "result": matrix})


def _success(data: Any) -> tuple[int, dict[str, Any]]:
    return 200, {"status": "success", "data": data}


def seconds(t: int) -> str:
    return str(t % 1000)


HOST = {"instance": "host:9100", "job": "node"}


@pytest.fixture
def server() -> Iterator[Contract]:
    contract = Contract(
        {
            "up": [({"__name__": "up", **HOST}, seconds)],
            "disk": [({**HOST, "device": device}, seconds) for device in ("sda", "sdb")],
            "rate": [({"service": "cart", "job": "web"}, lambda t: ("NaN", "+Inf", "1.5")[t // 30 % 3])],
            "sum": [({}, seconds)],
        }
    )
    yield contract
    contract.stop()


def source(server: Contract, step_s: int = 30, **expressions: str) -> PrometheusSource:
    return PrometheusSource(server.url, expressions, step_s, PrometheusApi(server.url, waits_s=(0.0, 0.0)))


def hour(first: datetime = NOON - timedelta(hours=1)) -> Window:
    return Window(first, first + timedelta(hours=1))


def test_series_become_rows_with_unique_keys(server: Contract) -> None:
    frame = source(server, up="up", disk="disk", total="sum").read("metrics", hour())
    last = frame.filter(timestamp=NOON - timedelta(seconds=30)).drop("timestamp", "value").sort("metric", "instance")
    assert last.select("service", "metric", "instance", "attributes").rows() == [
        ("node", "disk", 'host:9100{device="sda"}', '{"device": "sda"}'),
        ("node", "disk", 'host:9100{device="sdb"}', '{"device": "sdb"}'),
        ("unknown", "total", "", "{}"),
        ("node", "up", "host:9100", "{}"),
    ]
    assert len(frame) == 4 * 120
    first = frame.filter(metric="up").row(0, named=True)
    assert (first["timestamp"], first["value"]) == (hour().start, float(int(hour().start.timestamp()) % 1000))


def test_label_service_comes_before_job_and_what_is_no_number_is_left_out(server: Contract) -> None:
    frame = source(server, requests="rate").read("metrics", hour())
    assert frame["value"].to_list() == [1.5] * 40
    assert frame.select("service", "instance").unique().rows() == [("cart", '{job="web"}')]


@pytest.mark.parametrize(("step_s", "queries"), [(30, 1), (5, 2), (2, 4)])
def test_a_day_is_split_at_11_000_points_without_overlap_or_hole(server: Contract, step_s: int, queries: int) -> None:
    day = Window(NOON - timedelta(days=1), NOON)
    frame = source(server, step_s, up="up").read("metrics", day)
    times = pl.datetime_range(day.start, day.end, f"{step_s}s", closed="left", time_zone="UTC", eager=True)
    assert frame["timestamp"].to_list() == times.to_list()
    assert len(server.requests) == queries


def test_extent_is_from_the_oldest_sample_to_the_servers_last_whole_five_minutes(server: Contract) -> None:
    extent = source(server, up="up").extent()
    assert extent is not None
    assert extent.end == NOON
    assert timedelta() <= OLDEST - extent.start <= timedelta(minutes=10)


def test_expressions_without_series_or_refused_are_said(server: Contract) -> None:
    asked = source(server, up="up", nothing="nothing", wrong="a * b")
    assert asked.read("metrics", hour())["metric"].unique().to_list() == ["up"]
    assert asked.read("metrics", hour(NOON))["metric"].unique().to_list() == ["up"]
    refused, silent = asked.notes()
    assert refused.startswith("wrong: refused and left out: ")
    assert "many-to-many matching not allowed" in refused
    assert silent == "no series for nothing"
    assert [query["query"] for _, query in server.requests].count("a * b") == 1


def test_other_tables_are_empty_without_a_request(server: Contract) -> None:
    assert source(server, up="up").read("spans", hour()).is_empty()
    assert server.requests == []


@pytest.mark.parametrize("fault", ["503", "drop", "malformed", "html"])
def test_a_fault_that_passes_is_retried(server: Contract, fault: str) -> None:
    server.faults = [fault, fault]
    assert len(source(server, up="up").read("metrics", hour())) == 120
    assert len(server.requests) == 3


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("503", r"HTTP 503: the store is not ready; check the server's health"),
        ("drop", r"check that the server runs"),
        ("malformed", r"not the JSON of Prometheus"),
        ("html", r"not the JSON of Prometheus"),
    ],
)
def test_a_fault_that_stays_is_an_error_with_url_and_fix(server: Contract, fault: str, said: str) -> None:
    server.faults = [fault] * 3
    with pytest.raises(ServiceError, match=rf"{server.url}/api/v1/query_range: .*{said}"):
        source(server, up="up").read("metrics", hour())
    assert len(server.requests) == 3


def test_a_server_that_is_not_there(server: Contract) -> None:
    server.stop()
    with pytest.raises(ServiceError, match=rf"{server.url}.*check that the server runs and the address is right"):
        source(server, up="up").extent()


def test_credentials_are_never_shown() -> None:
    url = "http://user:secret@127.0.0.1:9"
    asked = PrometheusSource(url, {"up": "up"}, 30, PrometheusApi(url, waits_s=()))
    with pytest.raises(ServiceError) as raised:
        asked.extent()
    assert "secret" not in str(raised.value)
    assert asked.name == "http://127.0.0.1:9"


def test_a_server_that_goes_away_half_way_leaves_whole_days_and_the_next_import_goes_on(
    server: Contract, tmp_path: Path
) -> None:
    lake, window = Lake(str(tmp_path / "lake")), Window(NOON - timedelta(days=2), NOON)
    # Two metrics a day: the second day's second answer, and every one after it, breaks off.
    server.fail_forever_after = 3
    with pytest.raises(ServiceError):
        Ingestion(source(server, up="up", disk="disk"), lake, "test", {}).fill(window)
    midnight = datetime(2026, 1, 30, tzinfo=UTC)
    assert lake.zone(INCOMING).coverage("metrics") == [Window(window.start, midnight)]
    server.fail_forever_after = None
    Ingestion(source(server, up="up", disk="disk"), lake, "test", {}).fill(window)
    frame = lake.zone(INCOMING).read("metrics")
    assert len(frame) == 3 * 2 * 2880
    assert frame.select("timestamp", "service", "instance", "metric").is_unique().all()
