"""Where received logs wait for the next ingest: one or two small Parquet files per request, named by its content.

    <spool>/pending/<end>-<sha256 of the body>-<part>.parquet

`end` (Unix seconds, negative before 1970) is the end of the five minutes of the file's newest row: an ingest takes the
files whose end has come. A request whose rows lie in more than one five minutes becomes two files, its newest five
minutes and the rest, so that a chunk across the border does not wait as a whole.
"""

from __future__ import annotations

import hashlib
import io
import os
import time
from pathlib import Path

import polars as pl

from components.core import storage
from components.core.errors import StorageError

PENDING = "pending"
STEP_S = 300
#: How long a count of the waiting bytes is good for; what is written meanwhile is added to it.
_COUNTED_S = 10.0


class SpoolFullError(StorageError):
    """The spool holds as much as it may; the sender has to wait until an ingest has emptied it."""


class Spool:
    """The folder (or s3:// URI, which has no limit) of one receiver."""

    def __init__(self, uri: str, most_bytes: int) -> None:
        self.uri, self._most_bytes = uri, most_bytes
        self._bytes, self._counted_at = 0, float("-inf")
        if not storage.is_s3(uri):
            self._prepare(Path(uri, PENDING))

    def add(self, rows: pl.DataFrame, digest: str) -> bool:
        """Keep the rows of one request durably; returns whether any were new (a repeated request brings none).

        SpoolFullError or StorageError where they could not be kept, all of them or some: the sender repeats them.
        """
        if self.size() >= self._most_bytes:
            raise SpoolFullError(f"{self.uri} holds {self._bytes} bytes; does traceo_ingest run?")
        added = 0
        for part, (end, piece) in enumerate(_pieces(rows)):
            data = _parquet(piece)
            if storage.create_bytes(storage.join(self.uri, PENDING, f"{end}-{digest}-{part}.parquet"), data):
                added += len(data)
        self._sync()
        self._bytes += added
        return added > 0

    def size(self) -> int:
        """Bytes that wait; zero on S3, where nothing limits them."""
        if storage.is_s3(self.uri):
            return 0
        if time.monotonic() - self._counted_at > _COUNTED_S:
            files = storage.list_files(storage.join(self.uri, PENDING), ".parquet")
            self._bytes = sum(_size(file) for file in files)
            self._counted_at = time.monotonic()
        return self._bytes

    def _prepare(self, folder: Path) -> None:
        new = [path for path in (folder, *folder.parents) if not path.exists()]
        try:
            folder.mkdir(parents=True, exist_ok=True)
            # A folder outlives a power cut once the one above it is on disk; one found here may not be there yet.
            for made in {folder, folder.parent, *new}:
                _fsync(made.parent)
        except OSError as error:
            raise StorageError(
                f"cannot make {folder}: {error.strerror or error}; free its place or set TRACEO_LOG_SPOOL"
            ) from None
        # What a receiver that was killed had begun; the sender repeats it.
        for draft in folder.glob(".*.part"):
            draft.unlink(missing_ok=True)

    def _sync(self) -> None:
        # The files are on disk; their names are only once the folder is.
        folder = Path(self.uri, PENDING)
        if not storage.is_s3(self.uri) and folder.is_dir():
            _fsync(folder)


def digest_of(body: bytes) -> str:
    """What a request is known by: the hash of its decompressed body."""
    return hashlib.sha256(body).hexdigest()[:32]


def _pieces(rows: pl.DataFrame) -> list[tuple[int, pl.DataFrame]]:
    if rows.is_empty():
        return []
    ends = (rows["timestamp"].dt.epoch("s") // STEP_S + 1) * STEP_S
    newest = ends == ends.max()
    found = [rows.filter(newest), rows.filter(~newest)]
    newest_ends = [ends.filter(newest), ends.filter(~newest)]
    return [(int(some.max()), piece) for some, piece in zip(newest_ends, found, strict=True) if len(piece)]  # type: ignore[arg-type]


def _fsync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _size(file: str) -> int:
    try:
        return os.path.getsize(file)
    except FileNotFoundError:
        return 0  # an ingest took it meanwhile


def _parquet(rows: pl.DataFrame) -> bytes:
    buffer = io.BytesIO()
    rows.write_parquet(buffer, compression="zstd")
    return buffer.getvalue()
