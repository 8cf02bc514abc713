"""Tables written piece by piece, CSV or Parquet by extension, whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

import polars as pl
import pyarrow.parquet as pq

from components.core import storage
from components.core.errors import InputError, StorageError

_TIMES = "%Y-%m-%dT%H:%M:%S%.fZ"


class PieceWriter:
    """A CSV or Parquet file that takes its place when the `with` block ends without an error."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.csv = path.suffix.lower() == ".csv"
        if not self.csv and path.suffix.lower() != ".parquet":
            raise InputError(f"--output {path}: unknown kind {path.suffix!r}; end it in .csv or .parquet")
        self._parquet: pq.ParquetWriter | None = None
        self._begun = False

    def __enter__(self) -> PieceWriter:
        try:
            self._place = storage.target(self.path)
            self._place.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(prefix=".", suffix=".part", dir=self._place.parent)
        except OSError as error:
            raise StorageError(f"cannot write {self.path}: {error.strerror or error}; choose another place") from None
        self._temporary = Path(name)
        self._stream: BinaryIO = os.fdopen(handle, "wb")
        return self

    def write(self, frame: pl.DataFrame) -> None:
        """Append rows; every piece has the same columns. In CSV a list becomes a JSON list."""
        if self.csv:
            lists = [pl.col(name) for name, dtype in frame.schema.items() if dtype == pl.List(pl.String)]
            flat = frame.with_columns(json_list(column) for column in lists)
            flat.write_csv(self._stream, include_header=not self._begun, datetime_format=_TIMES)
        else:
            table = frame.to_arrow()
            if self._parquet is None:
                self._parquet = pq.ParquetWriter(self._stream, table.schema, compression="zstd")
            self._parquet.write_table(table)
        self._begun = True

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self._parquet is not None:
                self._parquet.close()
            self._stream.close()
            if kind is None:
                os.chmod(self._temporary, 0o644)
                os.replace(self._temporary, self._place)
        finally:
            self._temporary.unlink(missing_ok=True)


def json_list(column: pl.Expr) -> pl.Expr:
    """A column of lists of text as JSON lists."""
    # polars encodes structs only: {"items":[…]} without its first 9 and its last character.
    encoded = pl.struct(column.alias("items")).struct.json_encode()
    return encoded.str.slice(9).str.strip_suffix("}").alias(column.meta.output_name())
