"""Taking received logs from the spool into the lake, each request once.

    <spool>/batches/00000007.json        the files of one batch: written before anything of it is in the lake
    <spool>/batches/00000007.done        everything of it is

A batch's rows are written with `Lake.write_late`, one partition a UTC day whose name is its content's hash, so that a
batch that was cut short anywhere is simply written again. Then its files are removed. A file that comes back because
a sender repeated its request is known from the batches of the last day and removed as well.
"""

from __future__ import annotations

import io
import json
import logging
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import polars as pl

from components.core import storage
from components.core.errors import StorageError
from components.core.lake import Lake
from components.core.schema import TABLES

_PENDING, _BATCHES, _DAMAGED = "pending", "batches", "damaged"
_DAY_S = 86_400
#: Two imports that begin a batch at the same moment: the second takes the next number.
_ATTEMPTS = 20
# What the receiver and an import write; the end is negative where a record claims to be older than 1970.
_PENDING_NAME = re.compile(r"(-?\d+)-[^/]+-\d+\.parquet")
_BATCH_NAME = re.compile(r"(\d+)\.json")
logger = logging.getLogger("traceo.telemetry")


class Received:
    """The spool as an import sees it at `end`; rows go to `incoming`."""

    def __init__(self, spool: str, incoming: Lake, end: datetime, producer: str, params: Mapping[str, Any]) -> None:
        self._spool, self._incoming, self._end_s = spool, incoming, int(end.timestamp())
        self._made_by: dict[str, Any] = {"producer": producer, "params": dict(params)}

    def take(self) -> int:
        """Write what waits and whose five minutes have ended; returns how many rows that were."""
        rows = sum(self._settle(number, files) for number, files in self._batches().items() if not self._done(number))
        rows += self._begin()
        self._forget()
        return rows

    def _begin(self) -> int:
        """Begin, write and clear the batch of everything that is due and was not taken before."""
        for _ in range(_ATTEMPTS):
            pending, batches = self._named(_PENDING, ".parquet", _PENDING_NAME), self._batches()
            taken = {file for files in batches.values() for file in files}
            due = sorted(file for file in pending if file not in taken and self._is_due(pending[file]))
            # Those of a batch under way stay: whoever writes it still reads them.
            done = {file for number, files in batches.items() if self._done(number) for file in files}
            self._remove(file for file in pending if file in done)
            if not due:
                return 0
            number = max(batches, default=0) + 1
            content = {"end": datetime.fromtimestamp(self._end_s, UTC).isoformat(), "files": due}
            if storage.create_bytes(self._uri(number, "json"), json.dumps(content, indent=1).encode()):
                return self._settle(number, due)
        raise StorageError(f"{self._spool}: {_ATTEMPTS} imports came first; run the step again")

    def _settle(self, number: int, files: list[str]) -> int:
        rows = pl.concat([TABLES["logs"].empty(), *(self._read(file) for file in files)], how="diagonal")
        self._incoming.write_late("logs", rows.sort("timestamp", maintain_order=True), **self._made_by)
        storage.write_bytes(self._uri(number, "done"), b"")
        self._remove(files)
        return len(rows)

    def _read(self, file: str) -> pl.DataFrame:
        data = storage.read_bytes(storage.join(self._spool, _PENDING, file))
        try:
            return pl.read_parquet(io.BytesIO(data))
        except pl.exceptions.PolarsError as error:
            # A disk that failed must not stop every import to come.
            kept = storage.join(self._spool, _DAMAGED, file)
            storage.write_bytes(kept, data)
            logger.error("received logs cannot be read and are left out: %s (%s)", kept, str(error).splitlines()[0])
            return TABLES["logs"].empty()

    def _named(self, folder: str, suffix: str, form: re.Pattern[str]) -> dict[str, int]:
        """Files of a folder of the spool and the number that each name begins with; what is foreign is set aside."""
        known = {}
        for uri in storage.list_files(storage.join(self._spool, folder), suffix):
            match = form.fullmatch(storage.name(uri))
            if match and uri.endswith(f"/{folder}/{match[0]}"):
                known[match[0]] = int(match[1])
            else:
                self._set_aside(uri)
        return known

    def _set_aside(self, uri: str) -> None:
        kept = storage.join(self._spool, _DAMAGED, storage.name(uri))
        try:
            storage.write_bytes(kept, storage.read_bytes(uri))
            storage.delete(uri)
        except (StorageError, OSError) as error:
            logger.warning("%s has no name that the log receiver gives; remove it (%s)", uri, error)
        else:
            logger.warning("%s has no name that the log receiver gives; it lies in %s now", uri, kept)

    def _is_due(self, end_s: int) -> bool:
        # What claims to come from the day after tomorrow will not wait for it: validation refuses it with the reason.
        return end_s <= self._end_s or end_s > self._end_s + _DAY_S

    def _forget(self) -> None:
        """Remove what is older than a day, except the last batch: numbers go on from it."""
        batches = self._batches()
        for number in sorted(batches)[:-1]:
            content = json.loads(storage.read_bytes(self._uri(number, "json")))
            if datetime.fromisoformat(content["end"]).timestamp() < self._end_s - _DAY_S:
                storage.delete(self._uri(number, "json"))
                storage.delete(self._uri(number, "done"))

    def _batches(self) -> dict[int, list[str]]:
        found = {}
        for file, number in self._named(_BATCHES, ".json", _BATCH_NAME).items():
            found[number] = json.loads(storage.read_bytes(storage.join(self._spool, _BATCHES, file)))["files"]
        return found

    def _done(self, number: int) -> bool:
        return storage.exists(self._uri(number, "done"))

    def _remove(self, files: Iterable[str]) -> None:
        for file in files:
            storage.delete(storage.join(self._spool, _PENDING, file))

    def _uri(self, number: int, suffix: str) -> str:
        return storage.join(self._spool, _BATCHES, f"{number:08d}.{suffix}")
