"""The form of marks: who may send it, what it may say, and where it leads."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import RedirectResponse, Response
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers

from components.actions.console import marks
from components.core.errors import StorageError
from components.core.lake import Lake

logger = logging.getLogger("traceo.console")
#: A form has two short fields.
_MOST_BYTES = 1000


def routes(lake: Lake) -> APIRouter:
    """`POST /marks` with the fields `incident` and `verdict`; back to the incident on the page."""
    router = APIRouter()

    @router.post("/marks")
    async def mark(request: Request) -> Response:
        if not same_site(request.headers):
            raise HTTPException(403, "marks are set on the console's own page; open it and use the buttons there")
        asked = read(await body(request.stream()))
        if asked is None:
            raise HTTPException(400, "a mark names an incident and a verdict, false_alarm or real")
        incident, verdict = asked
        try:
            written = await run_in_threadpool(marks.write, lake, incident, verdict, datetime.now(UTC))
        except StorageError as error:
            logger.error("mark of incident %r not written: %s", incident, error)
            raise HTTPException(503, "the lake took no mark; the console's log says why") from None
        if not written:
            raise HTTPException(404, "no such incident with abnormal series; open the page again")
        return RedirectResponse(f"/#incident-{incident}", 303)

    return router


def same_site(headers: Headers) -> bool:
    """Whether a form was sent from a page of this console; one without any sign of its origin was not.

    Browsers send Sec-Fetch-Site over HTTPS and to localhost, Origin with every POST; pages cannot set either.
    """
    fetched = headers.get("sec-fetch-site")
    if fetched is not None:
        return fetched == "same-origin"
    origin = headers.get("origin")
    return origin is not None and urlsplit(origin).netloc == headers.get("host")


async def body(stream: AsyncIterator[bytes]) -> bytes:
    """What was sent, as far as a form may be long."""
    content = b""
    async for chunk in stream:
        content += chunk
        if len(content) > _MOST_BYTES:
            return b""
    return content


def read(content: bytes) -> tuple[str, str] | None:
    """Incident and verdict of a form; None where it is not one."""
    try:
        form = parse_qs(content.decode("ascii"), strict_parsing=True, max_num_fields=2)
        (incident,), (verdict,) = form["incident"], form["verdict"]
    except (ValueError, KeyError):
        return None
    return (incident, verdict) if verdict in marks.VERDICTS else None
