"""Prometheus' HTTP API, as far as an import needs it: ask, retry a bounded number of times, or say what is wrong."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from typing import Any

import httpx

from components.core.errors import ServiceError
from components.core.settings import without_credentials

#: Prometheus refuses a range query that would return more points per series (web/api/v1/api.go).
MAX_POINTS = 11_000

#: Seconds to wait before each further try; a server that restarts is back within them.
RETRY_WAITS_S = (0.5, 1.0, 2.0, 4.0)
_TIMEOUT_S = 60.0


class QueryRefused(ServiceError):
    """The server understood the request and refuses this expression; asking again would change nothing."""


class PrometheusApi:
    """The query API of one server: Prometheus, or what speaks its protocol (VictoriaMetrics, Thanos, Mimir).

    Raises ServiceError, naming the URL and the fix, once the retries are used up.
    """

    def __init__(self, url: str, *, waits_s: tuple[float, ...] = RETRY_WAITS_S, timeout_s: float = _TIMEOUT_S) -> None:
        # A line per request would bury the import's own.
        logging.getLogger("httpx").setLevel(logging.WARNING)
        self.url = without_credentials(url)
        self._client = httpx.Client(base_url=url, timeout=httpx.Timeout(timeout_s, connect=10.0))
        self._waits_s = waits_s
        self.warnings: set[str] = set()

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The result of an instant query at the server's present time."""
        return self._result("/api/v1/query", {"query": expression}, "vector", "scalar")

    def query_range(self, expression: str, start_s: int, end_s: int, step_s: int) -> list[dict[str, Any]]:
        """The series of an expression at `start_s`, `start_s + step_s`, … up to `end_s`; at most MAX_POINTS each."""
        asked = {"query": expression, "start": start_s, "end": end_s, "step": step_s}
        return self._result("/api/v1/query_range", asked, "matrix")

    def has_labels(self, start_s: float, end_s: float) -> bool:
        """Whether the server knows of any series between two times; answered from its index, so cheap."""
        return bool(self._ask("/api/v1/labels", {"start": f"{start_s:.3f}", "end": f"{end_s:.3f}"}))

    def _result(self, path: str, asked: Mapping[str, Any], *kinds: str) -> list[dict[str, Any]]:
        data = self._ask(path, asked)
        if (
            not isinstance(data, dict)
            or data.get("resultType") not in kinds
            or not isinstance(data.get("result"), list)
        ):
            raise ServiceError(f"{self.url}{path}: the answer is not a {kinds[0]}; is this a Prometheus server?")
        result: list[dict[str, Any]] = data["result"]
        return result

    def _ask(self, path: str, asked: Mapping[str, Any]) -> Any:
        for wait_s in (*self._waits_s, None):
            try:
                return self._try(path, asked)
            except QueryRefused:
                raise
            except ServiceError:
                if wait_s is None:
                    raise
                time.sleep(wait_s)
        raise AssertionError("the last try returns or raises")

    def _try(self, path: str, asked: Mapping[str, Any]) -> Any:
        where = f"{self.url}{path}"
        try:
            # Posted: an expression may be longer than a URL may be.
            answer = self._client.post(path, data=dict(asked))
        except httpx.TimeoutException:
            raise ServiceError(f"{where}: no answer in time; is the server overloaded or unreachable?") from None
        except httpx.TransportError as error:
            reason = str(error) or type(error).__name__
            raise ServiceError(f"{where}: {reason}; check that the server runs and the address is right") from None
        content = _json(answer, where)
        if answer.status_code in (400, 422):
            raise QueryRefused(f"{where}: refused: {_reason(content, answer)}; correct the expression in the catalogue")
        if answer.status_code != 200 or content.get("status") != "success" or "data" not in content:
            raise ServiceError(
                f"{where}: HTTP {answer.status_code}: {_reason(content, answer)}; {_fix(answer.status_code)}"
            )
        self.warnings.update(str(warning) for warning in content.get("warnings") or ())
        return content["data"]


def _json(answer: httpx.Response, where: str) -> dict[str, Any]:
    parse: Callable[[], Any] = answer.json
    try:
        content = parse()
    except ValueError:
        content = None
    if isinstance(content, dict):
        return content
    if answer.status_code == 200:
        raise ServiceError(
            f"{where}: the answer is not the JSON of Prometheus; check the address and any proxy before it"
        )
    return {}


def _reason(content: Mapping[str, Any], answer: httpx.Response) -> str:
    return str(content.get("error") or answer.text[:200].strip() or answer.reason_phrase)


def _fix(status: int) -> str:
    if status in (401, 403):
        return "give a URL with credentials that may query"
    return "check the server's health, then run the import again: it goes on where it stopped"
