"""Requests as Fluent Bit's `http` output sends them, after its documentation (pipeline/outputs/http).

Fluent Bit itself is not among the packages that the tests can install; this is what stands for it.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from typing import Any

#: Headers of every request of the output.
HEADERS = {"User-Agent": "Fluent-Bit", "Content-Type": "application/json"}
POD = {
    "pod_name": "cart-7d9c5b8f6-x2x4k",
    "namespace_name": "shop",
    "pod_id": "0f7a1f0c-6d6e-4b43-9a5c-6a3c1f6f2b11",
    "labels": {"app.kubernetes.io/name": "cart", "pod-template-hash": "7d9c5b8f6"},
    "host": "node-1",
    "container_name": "server",
    "container_image": "registry/shop/cart:1.4.2",
}


def line(at: str | float, text: str, **fields: Any) -> dict[str, Any]:
    """A record of `tail` with the parser `cri` and the filter `kubernetes`; the time comes first, as `date`."""
    return {"date": at, "stream": "stdout", "_p": "F", "log": text, "kubernetes": POD, **fields}


def body(records: Sequence[Any], form: str = "json") -> bytes:
    """The body of one chunk: `json` an array, `json_lines` a line each, `json_stream` nothing between them."""
    texts = [json.dumps(record, separators=(",", ":")) for record in records]
    if form == "json":
        return ("[" + ",".join(texts) + "]").encode()
    return ("\n".join(texts) + "\n" if form == "json_lines" else "".join(texts)).encode()


def zipped(content: bytes) -> tuple[bytes, dict[str, str]]:
    """What `compress gzip` makes of a body, and the headers with it."""
    return gzip.compress(content), {**HEADERS, "Content-Encoding": "gzip"}
