"""Copying what the lake lacks of a source, a table and a UTC day at a time."""

from __future__ import annotations

from datetime import date
from typing import Any

import polars as pl

from components.core.lake import INCOMING, QUARANTINE, Lake
from components.core.schema import TABLES
from components.core.times import Window, merge, subtract
from components.telemetry.plan import in_order, late_rows
from components.telemetry.progress import progress_of
from components.telemetry.sources import SOURCE_TABLES, Source


class Ingestion:
    """One import: where it reads and writes, and how much it wrote so far.

    A window that stands in the lake, or in its zones for what is not validated or was refused, is not
    written again, whatever was killed or repeated before.
    """

    def __init__(self, source: Source, lake: Lake, producer: str, params: dict[str, Any]) -> None:
        self._source, self._incoming = source, lake.zone(INCOMING)
        # Validation moves partitions out of the incoming zone: looked at in this order, one that moves
        # meanwhile is seen at least once.
        self._zones = (self._incoming, lake.zone(QUARANTINE), lake)
        self._made_by: dict[str, Any] = {"producer": producer, "params": params}
        self.rows = dict.fromkeys(SOURCE_TABLES, 0)
        self.late_rows = dict.fromkeys(SOURCE_TABLES, 0)
        self.partitions = 0

    def fill(self, window: Window) -> None:
        """Write every gap of the window, oldest day first, also where the source has no rows for it."""
        days: dict[date, list[tuple[str, Window]]] = {}
        for table in SOURCE_TABLES:
            for gap in self._gaps(table, window):
                days.setdefault(gap.start.date(), []).append((table, gap))
        with progress_of(len(days)) as advance:
            for day in sorted(days):
                written = sum(self._fill_gap(table, gap) for table, gap in days[day])
                advance(f"{day}: {written:,} rows")

    def add_late(self, window: Window) -> None:
        """Write the source's rows that are missing from windows that stand already."""
        for table in SOURCE_TABLES:
            standing = subtract(window, self._gaps(table, window))
            for piece in standing:
                for day in piece.split_by_day():
                    self._add_late(table, day)

    def _fill_gap(self, table: str, gap: Window) -> int:
        rows = in_order(self._source.read(table, gap), TABLES[table])
        # Reading can take minutes; an import started beside this one may have written the gap meanwhile.
        if self._gaps(table, gap) != [gap]:
            return 0
        self._incoming.write_window(table, rows, gap, **self._made_by)
        self.rows[table] += len(rows)
        self.partitions += 1
        return len(rows)

    def _gaps(self, table: str, window: Window) -> list[Window]:
        covered = merge(part for zone in self._zones for part in zone.coverage(table))
        return [piece for gap in subtract(window, covered) for piece in gap.split_by_day()]

    def _add_late(self, table: str, day: Window) -> None:
        rows = in_order(self._source.read(table, day), TABLES[table])
        present = pl.concat([zone.scan(table, day) for zone in self._zones])
        # Counting reads no column: the rows are compared only where there are more than before.
        if len(rows) <= present.select(pl.len()).collect().item():
            return
        late = late_rows(rows, present, TABLES[table])
        if len(late):
            self._incoming.write_late(table, late, **self._made_by)
            self.late_rows[table] += len(late)
