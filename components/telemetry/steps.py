"""The telemetry steps."""

from __future__ import annotations

from typing import Any

from components.core.lake import INCOMING
from components.core.settings import settings
from components.core.step import StepIO
from components.core.times import floor, iso
from components.telemetry.ingestion import Ingestion
from components.telemetry.plan import STEP, choose_window
from components.telemetry.received import Received
from components.telemetry.sources import open_source
from components.telemetry.specs import IngestParams


def ingest(io: StepIO, params: IngestParams) -> dict[str, Any]:
    """Copy what the lake lacks of a source's window into the lake's incoming zone.

    Windows that stand are not written again. A source with an end may still have got rows for them (a file
    was added): those are written as late rows. A live source is not asked again for a window that stands.
    Logs that the receiver keeps are written beside the source's own, those before `end`, each request once.
    """
    source = open_source(params.source or settings().source)
    window = choose_window(source.extent(), source.live, params.days, params.end, source.name)
    ingestion = Ingestion(source, io.lake(), io.producer, {**io.params, "source": source.name})
    if window:
        if not source.live:
            ingestion.add_late(window)
        ingestion.fill(window)
    received_rows = _take_received(io, params)
    notes = source.notes() + ([] if window else ["the source has no rows before the end that was asked for"])
    report = {
        "source": source.name,
        "window": [iso(window.start), iso(window.end)] if window else None,
        "rows": ingestion.rows,
        "late_rows": ingestion.late_rows,
        "received_rows": received_rows,
        "partitions": ingestion.partitions,
        "notes": notes,
    }
    io.write_json("ingested", report)
    return report


def _take_received(io: StepIO, params: IngestParams) -> int:
    if params.end is None:
        # Without the present nobody can say whose five minutes have ended.
        return 0
    incoming, end = io.lake().zone(INCOMING), floor(params.end, STEP)
    return Received(settings().log_spool_uri, incoming, end, io.producer, {**io.params, "source": "receiver"}).take()
