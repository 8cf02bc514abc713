"""Frames over the Open Inference Protocol: nothing is lost or turned into something else on the way."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import numpy as np
import pandas as pd
import pytest

from components.core import inference
from components.core.errors import InputError, ServiceError


def wire(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame as it looks after a journey as JSON text."""
    return inference.decode(json.loads(json.dumps(inference.encode(frame), allow_nan=False)))


TIMES = pd.to_datetime(["2026-01-01T00:00:00Z", "2026-01-01T00:05:00.000001Z", None], format="ISO8601").astype(
    "datetime64[us, UTC]"
)


@pytest.mark.parametrize(
    ("given", "back"),
    [
        (pd.Series([1.5, 2.25, 1e300]), pd.Series([1.5, 2.25, 1e300])),
        (pd.Series([1.0, np.nan, np.inf]), pd.Series([1.0, np.nan, np.nan])),
        (pd.Series([1, 2, 2**60]), pd.Series([1, 2, 2**60])),
        (pd.Series([True, False, True]), pd.Series([True, False, True])),
        (pd.Series(["a", "é\n", ""]), pd.Series(["a", "é\n", ""])),
        (pd.Series(["a", None, "None"]), pd.Series(["a", None, "None"])),
        (pd.Series(["x", np.nan, pd.NA]), pd.Series(["x", None, None])),
        (pd.Series(["x", "y", "x"], dtype="category"), pd.Series(["x", "y", "x"])),
        (pd.Series(TIMES), pd.Series(TIMES)),
        (pd.Series(TIMES.tz_convert("Europe/Berlin")), pd.Series(TIMES)),
        (pd.Series(TIMES.tz_localize(None)), pd.Series(TIMES)),
        (pd.Series([1, None, 3], dtype="Int64"), pd.Series([1.0, np.nan, 3.0])),
        (pd.Series([None, None, None], dtype=float), pd.Series([np.nan] * 3)),
    ],
)
def test_a_column_survives_the_journey(given: pd.Series, back: pd.Series) -> None:
    frame = wire(given.to_frame("c"))
    pd.testing.assert_frame_equal(frame, back.to_frame("c"))


def test_an_empty_frame_keeps_its_columns() -> None:
    frame = pd.DataFrame({"t": pd.Series(TIMES)[:0], "v": pd.Series(dtype=float), "s": pd.Series(dtype=object)})
    back = wire(frame)
    assert list(back.columns) == ["t", "v", "s"]
    assert len(back) == 0
    assert str(back["t"].dtype) == "datetime64[us, UTC]"


def test_a_time_says_that_it_is_one() -> None:
    tensor = inference.encode(pd.DataFrame({"t": TIMES[:1]}))[0]
    assert tensor == {
        "name": "t",
        "shape": [1],
        "datatype": "BYTES",
        "parameters": {"content_type": "datetime"},
        "data": ["2026-01-01T00:00:00.000000Z"],
    }


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ([{"name": "v", "data": [1]}], "'v' has no 'datatype'"),
        ([{"name": "v", "datatype": "FP64", "data": ["many"]}], "'v' does not hold FP64"),
        (
            [{"name": "v", "datatype": "FP64", "data": [1]}, {"name": "w", "datatype": "FP64", "data": [1, 2]}],
            "v 1, w 2",
        ),
        (
            [{"name": "t", "datatype": "BYTES", "data": ["noon"], "parameters": {"content_type": "datetime"}}],
            "'t' does not hold",
        ),
    ],
)
def test_a_malformed_tensor_is_named(tensors: list[dict[str, Any]], message: str) -> None:
    with pytest.raises(InputError, match=message):
        inference.decode(tensors)


@pytest.fixture
def answers() -> Iterator[dict[str, Any]]:
    """A server that keeps the request and gives the answer the test wrote down."""
    state: dict[str, Any] = {"status": 200, "body": {}}

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            state["path"] = self.path
            state["request"] = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(state["status"])
            self.end_headers()
            self.wfile.write(json.dumps(state["body"]).encode())

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    state["url"] = f"http://127.0.0.1:{server.server_port}/"
    yield state
    server.shutdown()


def test_infer_sends_the_frame_and_reads_the_answer(answers: dict[str, Any]) -> None:
    answers["body"] = {
        "model_version": "7",
        "outputs": [{"name": "y", "datatype": "FP64", "shape": [2], "data": [1, None]}],
    }
    frame, version = inference.infer(answers["url"], "m", pd.DataFrame({"x": [0.5, np.nan]}), request_id="r1")
    assert answers["path"] == "/v2/models/m/infer"
    assert answers["request"] == {
        "id": "r1",
        "inputs": [{"name": "x", "shape": [2], "datatype": "FP64", "data": [0.5, None]}],
    }
    assert version == "7"
    pd.testing.assert_frame_equal(frame, pd.DataFrame({"y": [1.0, np.nan]}))


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (503, {"error": "no champion"}, "HTTP 503.*no champion"),
        (200, {"nothing": 1}, "outputs"),
        (200, [], "TypeError"),
    ],
)
def test_infer_reports_a_refusal_or_nonsense(answers: dict[str, Any], status: int, body: Any, message: str) -> None:
    answers.update(status=status, body=body)
    with pytest.raises(ServiceError, match=message):
        inference.infer(answers["url"], "m", pd.DataFrame({"x": [1.0]}), request_id="r")


def test_infer_reports_an_absent_server() -> None:
    with pytest.raises(ServiceError, match="is the model server up"):
        inference.infer("http://127.0.0.1:9", "m", pd.DataFrame({"x": [1.0]}), request_id="r", timeout_s=2)
