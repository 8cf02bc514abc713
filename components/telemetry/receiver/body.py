"""The body of a request: read up to a limit, decompressed up to a limit."""

from __future__ import annotations

import gzip
import io
import zlib

from fastapi import HTTPException, Request
from starlette.requests import ClientDisconnect

#: Fluent Bit aims at chunks of 2 MB; JSON with Kubernetes' metadata is a few times that.
MOST_SENT, MOST_BYTES = 8 << 20, 32 << 20
# Both make a browser ask before it sends: a page elsewhere cannot write logs.
TYPES = ("application/json", "application/x-ndjson")


async def read_body(request: Request) -> bytes:
    """The body as it was sent; HTTPException 400, 413 or 415 says what about it is refused."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in TYPES:
        raise HTTPException(415, f"content type {kind!r} is not read; set `format json` or `json_lines` in the output")
    encoding = encoding_of(request)
    if encoding not in ("identity", "gzip"):
        raise HTTPException(415, f"content encoding {encoding!r} is not read; set `compress gzip` or leave it out")
    sent = bytearray()
    try:
        async for part in request.stream():
            sent += part
            if len(sent) > MOST_SENT:
                raise HTTPException(413, f"more than {MOST_SENT} bytes in one request; send smaller chunks")
    except ClientDisconnect:
        raise HTTPException(400, "the sender left before the end of the body") from None
    return bytes(sent)


def encoding_of(request: Request) -> str:
    """How the body is compressed, in small letters."""
    return request.headers.get("content-encoding", "identity").strip().lower()


def decompressed(sent: bytes, encoding: str) -> bytes:
    """What `read_body` gave, of every member of a gzip body; HTTPException 400 or 413 as there."""
    if encoding == "identity":
        return sent
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(sent)) as unpacked:
            body = unpacked.read(MOST_BYTES + 1)
    except EOFError:
        raise HTTPException(400, "the gzip body is cut off") from None
    except (OSError, zlib.error) as error:
        raise HTTPException(400, f"the body is not gzip, or not to its end: {error}") from None
    if len(body) > MOST_BYTES:
        raise HTTPException(413, f"more than {MOST_BYTES} bytes once decompressed; send smaller chunks")
    return body
