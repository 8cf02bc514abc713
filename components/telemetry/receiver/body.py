"""The body of a request: read up to a limit, decompressed up to a limit."""

from __future__ import annotations

import zlib

from fastapi import HTTPException, Request
from starlette.requests import ClientDisconnect

#: Fluent Bit aims at chunks of 2 MB; JSON with Kubernetes' metadata is a few times that.
MOST_SENT, MOST_BYTES = 8 << 20, 32 << 20
_GZIP = 31  # zlib's window bits for a gzip header
# Both make a browser ask before it sends: a page elsewhere cannot write logs.
TYPES = ("application/json", "application/x-ndjson")


async def read_body(request: Request) -> bytes:
    """The decompressed body; HTTPException 400, 413 or 415 says what about it is refused."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in TYPES:
        raise HTTPException(415, f"content type {kind!r} is not read; set `format json` or `json_lines` in the output")
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
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
    return _unzipped(bytes(sent)) if encoding == "gzip" else bytes(sent)


def _unzipped(sent: bytes) -> bytes:
    unpacker = zlib.decompressobj(_GZIP)
    try:
        body = unpacker.decompress(sent, MOST_BYTES)
    except zlib.error as error:
        raise HTTPException(400, f"the body is not gzip: {error}") from None
    if unpacker.unconsumed_tail:
        raise HTTPException(413, f"more than {MOST_BYTES} bytes once decompressed; send smaller chunks")
    if not unpacker.eof:
        raise HTTPException(400, "the gzip body is cut off")
    return body
