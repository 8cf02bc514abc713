"""A small server that answers like the Kubeflow Pipelines API (v2beta1): uploads, experiments, runs and their state.

Written from the public API that `kfp_server_api` is generated from; it runs nothing.
"""

from __future__ import annotations

import email
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

_API = "/apis/v2beta1"


@dataclass
class State:
    """What the server holds, and how it behaves."""

    token: str | None = None
    #: The states a run goes through, one per look at it.
    run_states: list[str] = field(default_factory=lambda: ["PENDING", "RUNNING", "SUCCEEDED"])
    run_error: dict[str, Any] | None = None
    #: The server closes itself when it is asked for a run this often.
    vanish_after: int | None = None
    pipelines: dict[str, dict[str, Any]] = field(default_factory=dict)
    versions: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    experiments: list[dict[str, Any]] = field(default_factory=list)
    runs: list[dict[str, Any]] = field(default_factory=list)
    looks: int = 0
    seen_tokens: set[str | None] = field(default_factory=set)


@contextmanager
def serving(state: State) -> Iterator[str]:
    """The server's URL while it runs."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"state": state}))
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    state: State

    def do_GET(self) -> None:
        if self._allowed():
            url = urlsplit(self.path)
            self._answer(*self._get(url.path.removeprefix(_API), parse_qs(url.query)))

    def do_POST(self) -> None:
        if self._allowed():
            url = urlsplit(self.path)
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self._answer(*self._post(url.path.removeprefix(_API), parse_qs(url.query), body))

    def _get(self, path: str, query: dict[str, list[str]]) -> tuple[int, dict[str, Any]]:
        state = self.state
        if path == "/healthz":
            return 200, {"multi_user": False}
        if path == "/experiments":
            return 200, {"experiments": state.experiments}
        if path == "/pipelines":
            wanted = json.loads(query["filter"][0])["predicates"][0]["stringValue"]
            found = [p for p in state.pipelines.values() if p["display_name"] == wanted]
            return 200, {"pipelines": found} if found else {}
        if path.endswith("/versions"):
            return 200, {"pipeline_versions": state.versions[path.split("/")[2]]}
        if path.startswith("/runs/"):
            if state.vanish_after is not None and state.looks >= state.vanish_after:
                self.connection.close()
                return 0, {}
            now = state.run_states[min(state.looks, len(state.run_states) - 1)]
            state.looks += 1
            return 200, {**state.runs[-1], "state": now, "error": state.run_error}
        return 404, {"message": f"no {path}"}

    def _post(self, path: str, query: dict[str, list[str]], body: bytes) -> tuple[int, dict[str, Any]]:
        state = self.state
        if path == "/experiments":
            made = {**json.loads(body), "experiment_id": f"experiment-{len(state.experiments) + 1}"}
            state.experiments.append(made)
            return 200, made
        if path == "/pipelines/upload":
            made = {"pipeline_id": f"pipeline-{len(state.pipelines) + 1}", "display_name": query["name"][0]}
            state.pipelines[made["pipeline_id"]] = made
            state.versions[made["pipeline_id"]] = []
            self._file(body)
            return 200, made
        if path == "/pipelines/upload_version":
            pipeline_id, versions = query["pipelineid"][0], state.versions[query["pipelineid"][0]]
            made = {"pipeline_id": pipeline_id, "display_name": query["name"][0], "text": self._file(body)}
            made["pipeline_version_id"] = f"version-{len(versions) + 1}"
            versions.append(made)
            return 200, made
        if path == "/runs":
            made = {**json.loads(body), "run_id": f"run-{len(state.runs) + 1}", "state": "PENDING"}
            state.runs.append(made)
            return 200, made
        return 404, {"message": f"no {path}"}

    def _file(self, body: bytes) -> str:
        """The uploaded file of a multipart request."""
        message = email.message_from_bytes(
            b"Content-Type: " + self.headers["Content-Type"].encode() + b"\r\n\r\n" + body
        )
        part = message.get_payload()[0]
        assert part.get_param("name", header="content-disposition") == "uploadfile"
        return str(part.get_payload(decode=True).decode())

    def _allowed(self) -> bool:
        given = (self.headers["Authorization"] or "").removeprefix("Bearer ") or None
        self.state.seen_tokens.add(given)
        if given == self.state.token:
            return True
        self._answer(401, {"message": "who are you?"})
        return False

    def _answer(self, status: int, content: dict[str, Any]) -> None:
        if not status:
            return
        data = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        """Quiet."""
