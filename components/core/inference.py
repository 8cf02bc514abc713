"""A client of the Open Inference Protocol v2: a frame to a model server, a frame back."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import httpx
import numpy as np
import pandas as pd

from components.core.errors import InputError, ServiceError

_DATATYPES = {"f": "FP64", "i": "INT64", "u": "INT64", "b": "BOOL"}
#: Marks a BYTES tensor of ISO 8601 instants, as MLServer's codecs do, so that times come back as times.
_INSTANTS = {"content_type": "datetime"}


def encode(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """A frame as OIP tensors, one per column.

    Times travel as ISO 8601 text in UTC (zoneless ones are taken as UTC) and say so; whatever is missing, and a
    number that is not finite (JSON has none), travels as null.
    """
    return [_tensor(str(name), frame[name]) for name in frame.columns]


def decode(tensors: list[dict[str, Any]]) -> pd.DataFrame:
    """The reverse of `encode`: numbers as float64 where one is missing, times in UTC, text as text.

    Raises InputError where a tensor lacks a part, is longer than another or holds what its datatype is not.
    """
    columns: dict[str, pd.Series] = {}
    for tensor in tensors:
        try:
            name, data, datatype = str(tensor["name"]), tensor["data"], str(tensor["datatype"]).upper()
        except KeyError as error:
            raise InputError(f"tensor {tensor.get('name')!r} has no {error}; send name, datatype and data") from None
        try:
            columns[name] = _column(data, datatype, tensor.get("parameters") or {})
        except (ValueError, TypeError) as error:
            raise InputError(f"tensor {name!r} does not hold {datatype}: {error}") from None
    if len({len(column) for column in columns.values()}) > 1:
        lengths = ", ".join(f"{name} {len(column)}" for name, column in columns.items())
        raise InputError(f"tensors differ in length ({lengths}); send one value per row and column")
    return pd.DataFrame(columns)


@lru_cache(maxsize=1)
def _client() -> httpx.Client:
    # One client per process: each new one reads all certificates, many times the cost of a small request.
    # Idle connections are given up before the server's five seconds, which would race with a request.
    return httpx.Client(limits=httpx.Limits(keepalive_expiry=2.0))


def _tensor(name: str, column: pd.Series) -> dict[str, Any]:
    tensor: dict[str, Any] = {"name": name, "shape": [len(column)]}
    if pd.api.types.is_datetime64_any_dtype(column):
        return {**tensor, "datatype": "BYTES", "parameters": _INSTANTS, "data": _iso(column)}
    datatype = _DATATYPES.get(column.dtype.kind, "BYTES")
    if datatype == "FP64":
        values = column.to_numpy(dtype=float, na_value=np.nan)
        missing = ~np.isfinite(values)
        data = values.astype(object)
        data[missing] = None
        return {**tensor, "datatype": datatype, "data": data.tolist()}
    missing = column.isna().to_numpy()
    if datatype == "BYTES":
        column = column.astype(object).map(lambda v: v.isoformat() if hasattr(v, "isoformat") else str(v))
    data = column.to_numpy(dtype=object)
    return {
        **tensor,
        "datatype": datatype,
        "data": [None if m else v for v, m in zip(data.tolist(), missing, strict=True)],
    }


def _iso(column: pd.Series) -> list[str | None]:
    naive = column.dt.tz_convert("UTC").dt.tz_localize(None) if column.dt.tz is not None else column
    texts = np.datetime_as_string(naive.to_numpy(dtype="datetime64[us]"), unit="us")
    return [None if text == "NaT" else f"{text}Z" for text in texts.tolist()]


def _column(data: list[Any], datatype: str, parameters: dict[str, Any]) -> pd.Series:
    if parameters.get("content_type") == _INSTANTS["content_type"]:
        return pd.Series(
            pd.to_datetime(pd.Series(data, dtype=object), utc=True, format="ISO8601").astype("datetime64[us, UTC]")
        )
    if datatype.startswith("FP"):
        return pd.Series(data, dtype=float)
    if datatype == "BYTES":
        return pd.Series(data, dtype=object)
    return pd.Series(data) if data else pd.Series(data, dtype=bool if datatype == "BOOL" else "int64")


def infer(
    url: str, model: str, frame: pd.DataFrame, *, request_id: str, timeout_s: float = 120.0
) -> tuple[pd.DataFrame, str]:
    """Ask a model server for predictions; returns them and the model version that answered.

    `request_id` decides, with the server's weights, between champion and challenger: the same id always
    meets the same one. Raises ServiceError where the server is away, refuses or answers nonsense.
    """
    address = f"{url.rstrip('/')}/v2/models/{model}/infer"
    try:
        body = {"id": request_id, "inputs": encode(frame)}
        response = _client().post(address, json=body, timeout=timeout_s)
        response.raise_for_status()
        answer = response.json()
        return decode(answer["outputs"]), str(answer.get("model_version") or "")
    except httpx.HTTPStatusError as error:
        raise ServiceError(f"{address}: HTTP {error.response.status_code}: {error.response.text[:300]}") from None
    except (httpx.HTTPError, InputError, ValueError, KeyError, TypeError) as error:
        raise ServiceError(f"{address}: {error!r}; is the model server up?") from None
