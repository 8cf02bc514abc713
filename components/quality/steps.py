"""The quality steps."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import polars as pl

from components.core import storage
from components.core.catalog import load_catalog
from components.core.lake import INCOMING, QUARANTINE, SIDECAR, Lake, Partition
from components.core.schema import TABLES
from components.core.step import StepIO
from components.core.times import Window
from components.quality.facts import Facts, measure, newest_end
from components.quality.specs import ValidateParams
from components.quality.staleness import ALIVE, Watch
from components.quality.validation import Finding, judge

logger = logging.getLogger("traceo.quality")

# Metrics last: their watermark tells the steps that follow how far the lake goes.
TABLES_IN = ("spans", "logs", "changes", "metrics")


def validate(io: StepIO, params: ValidateParams) -> dict[str, Any]:
    """Measure and judge every incoming partition; publish the good ones, quarantine the others."""
    lake = io.lake()
    partitions = {table: lake.zone(INCOMING).partitions(table) for table in TABLES_IN}
    known = newest_end([p for some in partitions.values() for p in some], lake.watermark("metrics"))
    as_of = params.as_of or known or datetime(1970, 1, 1, tzinfo=UTC)
    facts = {table: _measured(lake, some, as_of) for table, some in partitions.items() if some}
    with io.write_folder("data_docs") as folder:
        findings = judge(facts, as_of, params.clock_slack_s, folder)
    report = _settle(lake, facts, findings)
    io.write_json("validation", report)
    return {
        "published": report["published"],
        "quarantined": len(report["quarantined"]),
        "reasons": sorted({words for item in report["quarantined"] for words in item["reasons"]})[:10],
        "warnings": len(report["warnings"]),
        "rows": report["rows"],
        "report": storage.join(io.uri("data_docs"), "index.html"),
    }


def _measured(lake: Lake, partitions: Sequence[Partition], as_of: datetime) -> list[Facts]:
    catalog, watch = load_catalog(), Watch()
    ordered = sorted(partitions, key=lambda p: (p.window or Window(as_of, as_of), p.uri))
    first = ordered[0].window
    stale = ordered[0].table == "metrics" and first is not None
    if stale and first:
        past = Window(first.start - max(ALIVE, first.length), first.start)
        watch.show_past(lake.scan("metrics", past))
    found = []
    for partition in ordered:
        facts, rows = measure(partition, as_of, catalog)
        if stale and rows is not None:
            watch.note(facts, rows)
        found.append(facts)
    return found


def _settle(lake: Lake, facts: Mapping[str, Sequence[Facts]], findings: Sequence[Finding]) -> dict[str, Any]:
    """Move every partition to where it belongs; repeating it after a crash moves the rest."""
    rows: dict[str, int] = {}
    published, quarantined, warnings = 0, [], []
    for table, measured in facts.items():
        for one in measured:
            mine = [finding for finding in findings if finding.uri == one.partition.uri]
            reasons = [finding.words for finding in mine if finding.severity == "critical"]
            place = _place(one.partition)
            noted = [{"partition": place, "warning": f.words} for f in mine if f.severity != "critical"]
            if reasons:
                _quarantine(lake, one, reasons)
                quarantined.append({"partition": place, "reasons": reasons})
                logger.warning("quarantined %s: %s", place, "; ".join(reasons))
                continue
            _publish(lake, one)
            warnings += noted
            published += 1
            rows[table] = rows.get(table, 0) + int(one.counts["rows"])
    return {"published": published, "rows": rows, "quarantined": quarantined, "warnings": warnings}


def _publish(lake: Lake, facts: Facts) -> None:
    mended = facts.counts["extra_columns"] or facts.counts["cast_columns"]
    rows = None
    if mended:
        raw = pl.read_parquet(storage.read_bytes(facts.partition.uri), hive_partitioning=False)
        rows = TABLES[facts.partition.table].conform(raw, facts.partition.uri)
    lake.accept(facts.partition, rows)


def _quarantine(lake: Lake, facts: Facts, reasons: Sequence[str]) -> None:
    partition = facts.partition
    try:
        partition.meta()
    except ValueError:
        # A sidecar that is no JSON could not be moved along.
        stand_in = {"table": partition.table, "producer": "unknown", "params": {}}
        storage.write_bytes(partition.uri + SIDECAR, json.dumps(stand_in).encode())
    if not storage.exists(partition.uri):
        # Only the sidecar came; an empty file takes its place.
        storage.write_bytes(partition.uri, b"")
    zone = lake.zone(QUARANTINE)
    content = {"reasons": list(reasons), "facts": facts.counts}
    reason_uri = storage.join(zone.uri, _place(partition) + ".reason.json")
    storage.write_bytes(reason_uri, json.dumps(content, indent=1, sort_keys=True).encode())
    zone.accept(partition)


def _place(partition: Partition) -> str:
    """Where in a zone a partition lies: the same in every zone."""
    return partition.uri[partition.uri.index(f"/{partition.table}/date=") + 1 :]
