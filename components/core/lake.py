"""The lake: partitioned Parquet under one URI, written once per window and never half.

Layout below the lake's URI:

    metrics/date=2026-01-31/20260131T000000_20260131T000500.parquet            one window of a window table
    metrics/date=2026-01-31/20260131T000000_20260131T000500.parquet.meta.json  its sidecar, written last
    metrics/date=2026-01-31/late-0f3a….parquet                                 rows that came after their window
    risks/as_of=20260131T000500.parquet                                        one snapshot
    _incoming/…  _quarantine/…                                                 not yet validated; refused with a reason

A partition counts only when its sidecar stands, so a writer killed at any point leaves nothing that a
reader sees, and writing the same window again changes nothing.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl

from components.core import storage
from components.core.errors import InputError, StorageError
from components.core.schema import TABLES, TableSchema
from components.core.times import Window, merge, subtract

_STAMP = "%Y%m%dT%H%M%S"
SIDECAR = ".meta.json"
INCOMING, QUARANTINE = "_incoming", "_quarantine"


@dataclass(frozen=True)
class Partition:
    """One written window (or late rows, then `window` is None) of a table."""

    table: str
    uri: str
    window: Window | None

    def meta(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads(storage.read_bytes(self.uri + SIDECAR))
        return content


@dataclass(frozen=True)
class Lake:
    """The tables under one URI."""

    uri: str

    def zone(self, name: str) -> Lake:
        """The lake's own area for partitions that are not published: INCOMING or QUARANTINE."""
        return Lake(storage.join(self.uri, name))

    # --- window tables -------------------------------------------------------------------------------

    def write_window(
        self, table: str, frame: pl.DataFrame, window: Window, *, producer: str, params: Mapping[str, Any]
    ) -> Partition:
        """Write one window of a table within one UTC day, once: an existing partition is left as it is.

        InputError where the window crosses midnight or a row lies outside it; StorageError where another window
        that overlaps this one stands already, as when two runs fill the same gap at once.
        """
        partition = Partition(table, self._window_uri(table, window), window)
        if storage.exists(partition.uri + SIDECAR):
            return partition
        self._refuse_overlap(partition)
        schema = _schema(table)
        if len(list(window.split_by_day())) > 1:
            raise InputError(f"window {window} of {table!r} crosses midnight; split it with Window.split_by_day")
        frame = schema.conform(frame, partition.uri)
        outside = frame.filter((pl.col(schema.time) < window.start) | (pl.col(schema.time) >= window.end))
        if len(outside):
            raise InputError(f"{table!r}: a row at {outside[schema.time][0]} does not lie in {window}")
        self._write(partition.uri, frame, {"table": table, "producer": producer, "params": dict(params)})
        return partition

    def write_late(
        self, table: str, frame: pl.DataFrame, *, producer: str, params: Mapping[str, Any]
    ) -> list[Partition]:
        """Write rows whose window is already there, one partition a day, named by content: a repeat adds nothing."""
        schema = _schema(table)
        written = []
        frame = schema.conform(frame, table)
        for day in frame[schema.time].dt.date().unique().sort():
            rows = frame.filter(pl.col(schema.time).dt.date() == day)
            digest = hashlib.sha256(_parquet(rows)).hexdigest()[:16]
            uri = storage.join(self.uri, table, f"date={day.isoformat()}", f"late-{digest}.parquet")
            if not storage.exists(uri + SIDECAR):
                self._write(uri, rows, {"table": table, "producer": producer, "params": dict(params)})
            written.append(Partition(table, uri, None))
        return written

    def partitions(self, table: str) -> list[Partition]:
        """Every complete partition of a window table, oldest first."""
        root = storage.join(self.uri, table)
        found = []
        for sidecar in storage.list_files(root, ".parquet" + SIDECAR):
            uri = sidecar.removesuffix(SIDECAR)
            stem = storage.name(uri).removesuffix(".parquet")
            if stem.startswith("as_of="):
                continue
            window = None if stem.startswith("late-") else Window(*(_instant(part) for part in stem.split("_")))
            found.append(Partition(table, uri, window))
        return found

    def coverage(self, table: str) -> list[Window]:
        """The windows written so far, joined where they touch."""
        return merge(p.window for p in self.partitions(table) if p.window)

    def gaps(self, table: str, window: Window) -> list[Window]:
        """The parts of `window` not written yet, each within one UTC day."""
        return [piece for gap in subtract(window, self.coverage(table)) for piece in gap.split_by_day()]

    def watermark(self, table: str = "metrics") -> datetime | None:
        """The end of the newest window of a table; None while it is empty."""
        covered = self.coverage(table)
        return covered[-1].end if covered else None

    def scan(self, table: str, window: Window | None = None) -> pl.LazyFrame:
        """The rows of a window table, lazily; those of `window` where one is given. Not sorted."""
        schema = _schema(table)
        files = [p.uri for p in self.partitions(table) if window is None or _may_hold(p, window)]
        frame = _scan(files, schema)
        if window is None:
            return frame
        return frame.filter(pl.col(schema.time) >= window.start, pl.col(schema.time) < window.end)

    def read(self, table: str, window: Window | None = None) -> pl.DataFrame:
        """The rows of a window table, sorted by time and key."""
        schema = _schema(table)
        order = list(dict.fromkeys([schema.time, *schema.key]))
        return self.scan(table, window).sort(order).collect()

    # --- snapshot tables -----------------------------------------------------------------------------

    def write_snapshot(
        self, table: str, frame: pl.DataFrame, as_of: datetime, *, producer: str, params: Mapping[str, Any]
    ) -> str:
        """Write a table as it stood at `as_of`, once; returns its URI. The column `as_of` is filled in."""
        uri = self._snapshot_uri(table, as_of)
        if not storage.exists(uri + SIDECAR):
            frame = frame.with_columns(pl.lit(as_of).alias("as_of"))
            conformed = _schema(table).conform(frame, uri)
            self._write(uri, conformed, {"table": table, "producer": producer, "params": dict(params)})
        return uri

    def snapshots(self, table: str) -> list[datetime]:
        """The instants for which a snapshot stands, oldest first."""
        files = storage.list_files(storage.join(self.uri, table), ".parquet" + SIDECAR)
        stems = [storage.name(file).removesuffix(".parquet" + SIDECAR) for file in files]
        return sorted(_instant(stem.removeprefix("as_of=")) for stem in stems if stem.startswith("as_of="))

    def read_snapshot(self, table: str, at: datetime | None = None, *, before: datetime | None = None) -> pl.DataFrame:
        """The newest snapshot at or before `at` and strictly before `before`; an empty table where there is none."""
        chosen = [s for s in self.snapshots(table) if (at is None or s <= at) and (before is None or s < before)]
        if not chosen:
            return _schema(table).empty()
        return _scan([self._snapshot_uri(table, chosen[-1])], _schema(table)).collect()

    def damaged(self) -> Iterator[str]:
        """The Parquet files of the lake that cannot be opened (a disk that failed, a copy cut short)."""
        for file in storage.list_files(self.uri, ".parquet"):
            try:
                pl.read_parquet_schema(io.BytesIO(storage.read_bytes(file)))
            except pl.exceptions.PolarsError:
                yield file

    # --- moving between zones ------------------------------------------------------------------------

    def accept(self, partition: Partition, rows: pl.DataFrame | None = None) -> Partition:
        """Move a partition of another zone here (with other rows where given); safe to repeat after a crash.

        Returns the partition's new place. The old one is removed last.
        """
        tail = partition.uri[partition.uri.index(f"/{partition.table}/date=") + 1 :]
        moved = Partition(partition.table, storage.join(self.uri, tail), partition.window)
        if not storage.exists(moved.uri + SIDECAR):
            meta = partition.meta()
            if rows is None:
                storage.write_bytes(moved.uri, storage.read_bytes(partition.uri))
                storage.write_bytes(moved.uri + SIDECAR, _json(meta))
            else:
                kept = {key: meta[key] for key in ("table", "producer", "params")}
                self._write(moved.uri, _schema(partition.table).conform(rows, moved.uri), kept)
        storage.delete(partition.uri + SIDECAR)
        storage.delete(partition.uri)
        return moved

    # --- below ---------------------------------------------------------------------------------------

    def _window_uri(self, table: str, window: Window) -> str:
        name = f"{window.start:{_STAMP}}_{window.end:{_STAMP}}.parquet"
        return storage.join(self.uri, table, f"date={window.start:%Y-%m-%d}", name)

    def _snapshot_uri(self, table: str, as_of: datetime) -> str:
        return storage.join(self.uri, table, f"as_of={as_of.astimezone(UTC):{_STAMP}}.parquet")

    def _refuse_overlap(self, partition: Partition) -> None:
        window = partition.window
        for sidecar in storage.list_files(partition.uri.rsplit("/", 1)[0], ".parquet" + SIDECAR):
            stem = storage.name(sidecar).removesuffix(".parquet" + SIDECAR)
            if window is None or stem.startswith("late-"):
                continue
            other = Window(*(_instant(part) for part in stem.split("_")))
            if other.start < window.end and window.start < other.end:
                raise StorageError(
                    f"{partition.uri} overlaps {stem}, which another run wrote meanwhile; run the step again"
                )

    def _write(self, uri: str, frame: pl.DataFrame, meta: dict[str, Any]) -> None:
        data = _parquet(frame)
        storage.write_bytes(uri, data)
        sidecar = {**meta, "rows": len(frame), "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        storage.write_bytes(uri + SIDECAR, _json(sidecar))


def _schema(table: str) -> TableSchema:
    try:
        return TABLES[table]
    except KeyError:
        raise InputError(f"no table {table!r} in the lake; it keeps {', '.join(TABLES)}") from None


def _instant(text: str) -> datetime:
    return datetime.strptime(text, _STAMP).replace(tzinfo=UTC)


def _may_hold(partition: Partition, window: Window) -> bool:
    if partition.window:
        return partition.window.start < window.end and window.start < partition.window.end
    day = datetime.fromisoformat(partition.uri.rsplit("date=", 1)[1][:10]).replace(tzinfo=UTC)
    return day < window.end and window.start < day + timedelta(days=1)


def _scan(files: Sequence[str], schema: TableSchema) -> pl.LazyFrame:
    if not files:
        return schema.empty().lazy()
    options = None
    if storage.is_s3(files[0]):
        endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL", "")
        options = {"aws_allow_http": "true"} if endpoint.startswith("http://") else {}
        options |= {"aws_endpoint_url": endpoint} if endpoint else {}
    return pl.scan_parquet(
        list(files),
        schema=dict(schema.columns),
        missing_columns="insert",
        storage_options=options,
        hive_partitioning=False,
    )


def _parquet(frame: pl.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.write_parquet(buffer, compression="zstd", statistics=True)
    return buffer.getvalue()


def _json(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content, sort_keys=True, default=str, indent=1).encode()
