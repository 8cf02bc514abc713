"""The receiver's routes.

| answer | when | what Fluent Bit does |
|---|---|---|
| 200 | the records are on disk | goes on |
| 400, 413, 415 | the body cannot be read or is too large; the answer says what | gives the chunk up (note) |
| 401 | the token is missing or wrong | gives the chunk up (note) |
| 503 | the disk or the spool is full, or the S3 server does not answer | repeats the chunk later |

Note: older versions of Fluent Bit repeat these, too, as often as `retry_limit` says.
"""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import logging

from fastapi import FastAPI, HTTPException, Request, Response
from prometheus_client import CollectorRegistry, Counter, Gauge
from prometheus_client.exposition import choose_encoder
from starlette.middleware.base import RequestResponseEndpoint
from starlette.middleware.trustedhost import TrustedHostMiddleware

from components.core.errors import InputError, SettingsError, StorageError
from components.core.settings import Settings
from components.telemetry.receiver.body import decompressed, encoding_of, read_body
from components.telemetry.receiver.records import TooManyRecordsError, read_rows
from components.telemetry.receiver.spool import Spool, digest_of

#: Seconds after which a sender may try a full spool again; an ingest runs every five minutes.
_RETRY_AFTER_S = 60
_STATUSES = (200, 400, 401, 413, 415, 500, 503)
#: Requests decompressed and parsed at once: their memory is many times that of what was sent.
_PARSED_AT_ONCE = 2
logger = logging.getLogger("traceo.receiver")


def create_app(settings: Settings) -> FastAPI:
    """The log endpoint over the spool of the settings; SettingsError where others could write to it unasked."""
    token = settings.log_receiver_token.get_secret_value() if settings.log_receiver_token else ""
    if not token and not _is_loopback(settings.host):
        raise SettingsError(
            f"TRACEO_HOST={settings.host} lets other machines write logs; set TRACEO_LOG_RECEIVER_TOKEN"
        )
    spool = Spool(settings.log_spool_uri, settings.log_spool_max_mb << 20)
    registry = CollectorRegistry()
    records = Counter("traceo_receiver_records", "Log records kept.", registry=registry)
    requests = Counter("traceo_receiver_requests", "Requests for /logs by status.", ["status"], registry=registry)
    for status in _STATUSES:
        # From the first scrape on, so that the first refusal is an increase.
        requests.labels(str(status))
    waiting = Gauge("traceo_receiver_spool_bytes", "Bytes that wait for the next ingest.", registry=registry)
    waiting.set_function(spool.size)
    limit = Gauge("traceo_receiver_spool_limit_bytes", "Bytes from which on logs are refused.", registry=registry)
    limit.set(settings.log_spool_max_mb << 20)
    parsing = asyncio.Semaphore(_PARSED_AT_ONCE)
    app = FastAPI(title="Traceo log receiver", docs_url=None, redoc_url=None, openapi_url=None)
    if not token:
        # A page elsewhere must not write logs through a name that it points at 127.0.0.1; it knows no token.
        app.add_middleware(TrustedHostMiddleware, allowed_hosts=settings.host_names)

    @app.middleware("http")
    async def count(request: Request, call_next: RequestResponseEndpoint) -> Response:
        status = 500
        try:
            response = await call_next(request)
            status = response.status_code
        finally:
            if request.url.path == "/logs":
                requests.labels(str(status)).inc()
        return response

    @app.get("/healthz")
    def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/metrics")
    def metrics(request: Request) -> Response:
        encode, kind = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(registry), headers={"Content-Type": kind})

    @app.post("/logs")
    async def logs(request: Request) -> dict[str, int]:
        _authorize(request, token)
        sent = await read_body(request)
        async with parsing:
            kept = await asyncio.to_thread(_keep, spool, sent, encoding_of(request))
        records.inc(kept)
        return {"records": kept}

    return app


def _keep(spool: Spool, sent: bytes, encoding: str) -> int:
    body = decompressed(sent, encoding)
    try:
        rows = read_rows(body)
    except TooManyRecordsError as error:
        raise HTTPException(413, str(error)) from None
    except InputError as error:
        raise HTTPException(400, str(error)) from None
    try:
        return len(rows) if spool.add(rows, digest_of(body)) else 0
    except StorageError as error:
        logger.warning("not kept: %s", error)
        raise HTTPException(503, str(error), headers={"Retry-After": str(_RETRY_AFTER_S)}) from None


def _authorize(request: Request, token: str) -> None:
    given = request.headers.get("authorization", "")
    if token and not hmac.compare_digest(given.encode(), f"Bearer {token}".encode()):
        raise HTTPException(401, "the bearer token is missing or wrong", headers={"WWW-Authenticate": "Bearer"})


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
