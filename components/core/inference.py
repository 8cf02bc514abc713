"""A client of the Open Inference Protocol v2: a frame to a model server, a frame back."""

from __future__ import annotations

from typing import Any

import httpx
import pandas as pd

from components.core.errors import ServiceError

_DATATYPES = {"f": "FP64", "i": "INT64", "u": "INT64", "b": "BOOL"}


def encode(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """A frame as OIP tensors, one per column; times travel as ISO 8601 text, missing numbers as null."""
    tensors = []
    for name in frame.columns:
        column = frame[name]
        datatype = _DATATYPES.get(column.dtype.kind, "BYTES")
        if datatype == "BYTES":
            column = column.map(lambda value: value.isoformat() if hasattr(value, "isoformat") else str(value))
        data = column.astype(object).where(column.notna(), None).tolist()
        tensors.append({"name": str(name), "shape": [len(frame)], "datatype": datatype, "data": data})
    return tensors


def decode(tensors: list[dict[str, Any]]) -> pd.DataFrame:
    """The reverse of `encode`; text stays text."""
    columns = {}
    for tensor in tensors:
        column = pd.Series(tensor["data"])
        columns[tensor["name"]] = column.astype(float) if tensor["datatype"].startswith("FP") else column
    return pd.DataFrame(columns)


def infer(url: str, model: str, frame: pd.DataFrame, *, request_id: str, timeout_s: float = 120.0) -> tuple[pd.DataFrame, str]:
    """Ask a model server for predictions; returns them and the model version that answered.

    `request_id` decides, with the server's weights, between champion and challenger: the same id always
    meets the same one. Raises ServiceError where the server is away, refuses or answers nonsense.
    """
    address = f"{url.rstrip('/')}/v2/models/{model}/infer"
    try:
        response = httpx.post(address, json={"id": request_id, "inputs": encode(frame)}, timeout=timeout_s)
        response.raise_for_status()
        answer = response.json()
        return decode(answer["outputs"]), str(answer.get("model_version") or "")
    except httpx.HTTPStatusError as error:
        raise ServiceError(f"{address}: HTTP {error.response.status_code}: {error.response.text[:300]}") from None
    except (httpx.HTTPError, ValueError, KeyError) as error:
        raise ServiceError(f"{address}: {error!r}; is the model server up?") from None
