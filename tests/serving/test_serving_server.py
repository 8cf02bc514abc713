"""The model server over HTTP, its models in a real MLflow registry."""

from __future__ import annotations

import os
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pandas as pd
import psutil
import pytest
import uvicorn

from components.core import inference, tracking
from components.core.errors import ServiceError
from tests.scaling_loader import Scaling

MODEL = "traceo-anomaly"
POLL_S = 0.1
Folder = Callable[..., Path]


@pytest.fixture
def registered(mlflow_home: Path, scaling_folder: Folder) -> Callable[..., str]:
    """Registers a scaling model and points aliases at it; returns its version."""

    def register(factor: float, *aliases: str) -> str:
        with tracking.start_run(MODEL, "train", {}) as mlflow:
            run_id = mlflow.active_run().info.run_id
        version = tracking.register(MODEL, run_id, scaling_folder(factor), "tests.scaling_loader", {}).version
        for alias in aliases:
            tracking.set_alias(MODEL, alias, version)
        return version

    return register


@pytest.fixture
def serve() -> Iterator[Callable[..., str]]:
    """Starts the application on a free port of 127.0.0.1; returns its URL."""
    from components.serving.server import application

    running: list[tuple[uvicorn.Server, threading.Thread]] = []

    def start(weight: float = 0.0) -> str:
        app = application(challenger_weight=weight, poll_s=POLL_S)
        server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_config=None))
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        running.append((server, thread))
        wait_until(lambda: server.started)
        return f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"

    yield start
    for server, thread in running:
        server.should_exit = True
        thread.join(10)


def wait_until(happened: Callable[[], bool], timeout_s: float = 20.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not happened():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def ready(url: str) -> bool:
    return httpx.get(f"{url}/v2/models/{MODEL}/ready").status_code == 200


def serving(url: str, **aliases: str) -> Callable[[], bool]:
    return lambda: httpx.get(f"{url}/status").json()["models"][MODEL]["versions"] == aliases


def frame(rows: int = 3) -> pd.DataFrame:
    times = pd.date_range("2026-01-01", periods=rows, freq="5min", tz="UTC").as_unit("us")
    values = np.arange(rows, dtype=float)
    values[1::7] = np.nan
    service = pd.Series(["cart"] * rows, dtype=object)
    service[rows // 2] = None
    return pd.DataFrame({"timestamp": times, "service": service, "value": values})


def test_an_empty_registry_is_served_with_a_clear_refusal(mlflow_home: Path, serve: Callable[..., str]) -> None:
    url = serve()
    assert httpx.get(f"{url}/v2/health/live").json() == {"live": True}
    wait_until(lambda: httpx.get(f"{url}/status").json()["registry_error"] is None)
    for answer in (
        httpx.get(f"{url}/v2/models/{MODEL}/ready"),
        httpx.post(f"{url}/v2/models/{MODEL}/infer", json={"inputs": []}),
    ):
        assert answer.status_code == 503
        assert "no version has the alias champion; train one" in answer.json()["error"]
    assert httpx.get(f"{url}/v2/models").json() == {"models": ["traceo-anomaly", "traceo-forecasting"]}
    assert httpx.get(f"{url}/v2/models/nothing/ready").status_code == 404
    assert httpx.post(f"{url}/v2/models/nothing/infer", json={"inputs": []}).status_code == 404


def test_a_frame_comes_back_as_the_model_made_it(registered: Callable[..., str], serve: Callable[..., str]) -> None:
    registered(3.0, "champion")
    url = serve()
    wait_until(lambda: ready(url))
    answer, version = inference.infer(url, MODEL, frame(20), request_id="r1")
    assert version == "1"
    pd.testing.assert_frame_equal(answer, Scaling(3.0).predict(frame(20)))
    empty, _ = inference.infer(url, MODEL, frame(20)[:0], request_id="r1")
    pd.testing.assert_frame_equal(empty, Scaling(3.0).predict(frame(20)[:0]), check_index_type=False)


def test_the_protocols_fields_are_there(registered: Callable[..., str], serve: Callable[..., str]) -> None:
    registered(2.0, "champion")
    url = serve()
    wait_until(lambda: ready(url))
    inputs = [{"name": "value", "shape": [2], "datatype": "FP64", "data": [1.5, None]}]
    body = {"id": "a", "inputs": inputs, "outputs": [{"name": "scaled"}]}
    answer = httpx.post(f"{url}/v2/models/{MODEL}/infer", json=body)
    assert answer.json() == {
        "id": "a",
        "model_name": MODEL,
        "model_version": "1",
        "outputs": [{"name": "scaled", "shape": [2], "datatype": "FP64", "data": [3.0, None]}],
    }
    raw = np.array([4.0]).tobytes()
    head = b'{"inputs":[{"name":"value","shape":[1],"datatype":"FP64","parameters":{"binary_data_size":%d}}]}' % len(
        raw
    )
    binary = httpx.post(
        f"{url}/v2/models/{MODEL}/infer",
        content=head + raw,
        headers={"inference-header-content-length": str(len(head)), "content-type": "application/octet-stream"},
    )
    assert binary.json()["outputs"][1]["data"] == [8.0]
    assert "request_predict_seconds" in httpx.get(f"{url}/metrics").text


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        (b"{", 400, "Unrecognized request format"),
        (b"[1]", 400, "not an inference request"),
        (b"{}", 400, "inputs"),
        (b'{"id": 7, "inputs": []}', 400, "id must be text"),
        (
            b'{"inputs": [{"name": "value", "shape": [1], "datatype": "FP64", "data": ["x"]}]}',
            400,
            "'value' does not hold",
        ),
        (b'{"inputs": [{"name": "other", "shape": [1], "datatype": "FP64", "data": [1]}]}', 500, "version 1 could not"),
        (
            b'{"inputs": [{"name": "value", "shape": [1], "datatype": "FP64", "data": [1]}],'
            b' "outputs": [{"name": "y"}]}',
            400,
            "gives no output 'y'; it gives value, scaled",
        ),
    ],
)
def test_a_bad_request_is_told_what_is_wrong(
    registered: Callable[..., str], serve: Callable[..., str], body: bytes, status: int, message: str
) -> None:
    registered(2.0, "champion")
    url = serve()
    wait_until(lambda: ready(url))
    answer = httpx.post(f"{url}/v2/models/{MODEL}/infer", content=body)
    assert answer.status_code == status
    assert message in answer.json()["error"]


def test_models_cannot_be_loaded_or_unloaded_past_the_gate(mlflow_home: Path, serve: Callable[..., str]) -> None:
    url = serve()
    for verb in ("load", "unload"):
        answer = httpx.post(f"{url}/v2/repository/models/{MODEL}/{verb}")
        assert answer.status_code == 501
    assert httpx.get(f"{url}/v2/models").json() == {"models": ["traceo-anomaly", "traceo-forecasting"]}


def test_the_request_id_decides_between_champion_and_challenger(
    registered: Callable[..., str], serve: Callable[..., str]
) -> None:
    registered(2.0, "champion")
    registered(3.0, "challenger")
    url = serve(weight=0.3)
    wait_until(serving(url, champion="1", challenger="2"))
    versions = [inference.infer(url, MODEL, frame(), request_id=f"r{i % 40}")[1] for i in range(80)]
    assert versions[:40] == versions[40:]
    assert 4 <= versions[:40].count("2") <= 20


def test_the_champion_is_replaced_without_a_failed_request(
    registered: Callable[..., str], serve: Callable[..., str]
) -> None:
    registered(2.0, "champion")
    registered(3.0)
    url = serve()
    wait_until(lambda: ready(url))
    stop, seen, failures = threading.Event(), set(), []

    def hammer(number: int) -> None:
        given = frame()
        while not stop.is_set():
            try:
                answer, version = inference.infer(url, MODEL, given, request_id=str(number))
                factor = {"1": 2.0, "2": 3.0}[version]
                if answer["scaled"][2] != given["value"][2] * factor:
                    failures.append(f"version {version} gave {answer['scaled'][2]}")
                seen.add(version)
            except ServiceError as error:
                failures.append(str(error))

    threads = [threading.Thread(target=hammer, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for move in range(5):
        target = "2" if move % 2 == 0 else "1"
        tracking.set_alias(MODEL, "champion", target)
        wait_until(serving(url, champion=target))
    stop.set()
    for thread in threads:
        thread.join()
    assert failures == []
    assert seen == {"1", "2"}


def test_a_damaged_version_is_reported_and_not_served(
    registered: Callable[..., str], serve: Callable[..., str], scaling_folder: Folder
) -> None:
    registered(2.0, "champion")
    url = serve()
    wait_until(lambda: ready(url))
    damaged = scaling_folder(9.0)
    (damaged / "model.json").write_text("{}")
    run_id = tracking.versions(MODEL)[0].run_id
    version = tracking.register(MODEL, run_id, damaged, "tests.scaling_loader", {}).version
    tracking.set_alias(MODEL, "champion", version)

    def errors() -> Any:
        return httpx.get(f"{url}/status").json()["models"][MODEL]["errors"]

    wait_until(lambda: bool(errors()))
    assert errors() == {"champion": {"version": "2", "reason": "KeyError: 'factor'"}}
    assert inference.infer(url, MODEL, frame(), request_id="r")[1] == "1"


def test_serving_outlives_the_registry(
    registered: Callable[..., str], serve: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    registered(2.0, "champion")
    url = serve()
    wait_until(lambda: ready(url))

    def away() -> Any:
        raise ServiceError("MLflow is away")

    with monkeypatch.context() as patched:
        patched.setattr(tracking, "registered_models", away)
        wait_until(lambda: httpx.get(f"{url}/status").json()["registry_error"] == "ServiceError: MLflow is away")
        assert inference.infer(url, MODEL, frame(), request_id="r")[1] == "1"
    registered(3.0, "champion")
    wait_until(serving(url, champion="2"))
    assert httpx.get(f"{url}/status").json()["registry_error"] is None


def test_health_is_answered_while_a_model_predicts(
    registered: Callable[..., str], serve: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    registered(2.0, "champion")
    url = serve()
    wait_until(lambda: ready(url))
    started, finish = threading.Event(), threading.Event()

    def slow(self: Scaling, model_input: pd.DataFrame) -> pd.DataFrame:
        started.set()
        assert finish.wait(10)
        return model_input

    monkeypatch.setattr(Scaling, "predict", slow)
    caller = threading.Thread(target=inference.infer, args=(url, MODEL, frame()), kwargs={"request_id": "r"})
    caller.start()
    assert started.wait(10)
    assert httpx.get(f"{url}/v2/health/live", timeout=5).json() == {"live": True}
    assert ready(url)
    finish.set()
    caller.join(10)
    assert not caller.is_alive()


def test_fifty_thousand_rows_pass_in_seconds(
    registered: Callable[..., str], serve: Callable[..., str], record_property: Callable[[str, object], None]
) -> None:
    registered(2.0, "champion")
    url = serve()
    wait_until(lambda: ready(url))
    small = []
    for number in range(50):
        start = time.perf_counter()
        inference.infer(url, MODEL, frame(), request_id=str(number))
        small.append((time.perf_counter() - start) * 1000)
    large = frame(50_000).assign(**{f"lag_{lag}": np.random.default_rng(lag).normal(size=50_000) for lag in range(5)})
    start = time.perf_counter()
    answer, _ = inference.infer(url, MODEL, large, request_id="large")
    large_s = time.perf_counter() - start
    record_property("small_p50_ms", round(statistics.median(small), 2))
    record_property("large_s", round(large_s, 2))
    print(f"3 rows: p50 {statistics.median(small):.1f} ms; 50,000 rows x 8 columns: {large_s:.2f} s")
    pd.testing.assert_frame_equal(answer, Scaling(2.0).predict(large))
    assert large_s < 3


@pytest.mark.slow
def test_the_process_listens_on_loopback_only_and_stops_on_sigterm(mlflow_home: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {**os.environ, "TRACEO_HOME": str(mlflow_home), "TRACEO_MODEL_SERVER_PORT": str(port)}
    process = subprocess.Popen([sys.executable, "-m", "components.serving.server"], env=environment)
    try:
        wait_until(lambda: live(port), timeout_s=90)
        family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
        listening = {
            (connection.laddr.ip, connection.laddr.port)
            for member in family
            for connection in member.net_connections(kind="inet")
            if connection.status == psutil.CONN_LISTEN
        }
        assert listening == {("127.0.0.1", port)}
        assert httpx.get(f"http://127.0.0.1:{port}/v2/models/{MODEL}/ready").status_code == 503
    finally:
        process.send_signal(signal.SIGTERM)
    assert process.wait(30) in (0, -signal.SIGTERM)


def live(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/v2/health/live", timeout=2).status_code == 200
    except httpx.HTTPError:
        return False
