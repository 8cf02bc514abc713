"""How a notebook reads its inputs and writes its outputs; the step makes artifacts of what it wrote."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import polars as pl

from components.core import storage


def read_table(uri: str) -> pl.DataFrame:
    """An input table."""
    return pl.read_parquet(io.BytesIO(storage.read_bytes(uri)))


def read_json(uri: str) -> Any:
    """An input of the kind json."""
    return json.loads(storage.read_bytes(uri))


def write_table(path: str, frame: pl.DataFrame) -> None:
    """Write an output table."""
    frame.write_parquet(_ready(path))


def write_json(path: str, content: Any) -> None:
    """Write an output of the kind json; instants become ISO 8601."""
    _ready(path).write_text(json.dumps(content, default=str, indent=1, sort_keys=True))


def _ready(path: str) -> Path:
    """The path, its folder made: in Jupyter an output goes where no step has been."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    return Path(path)
