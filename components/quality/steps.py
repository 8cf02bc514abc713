"""The quality steps."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl

from components.core import storage
from components.core.catalog import load_catalog
from components.core.lake import INCOMING, QUARANTINE, SIDECAR, Lake, Partition
from components.core.schema import TABLES
from components.core.step import StepIO
from components.core.times import Window, iso
from components.quality.comparison import Windows, chance_distance, choose_windows, hourly, paired
from components.quality.drift import distances, write_report
from components.quality.facts import Facts, measure, newest_end
from components.quality.specs import DriftParams, ValidateParams
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


def drift(io: StepIO, params: DriftParams) -> dict[str, Any]:
    """Compare the features of the last days with the days before; abstain where there is too little history."""
    lake = io.lake()
    covered = lake.coverage("features")
    as_of = params.as_of or lake.watermark("metrics")
    windows = choose_windows(covered[0].start, as_of, params.days) if covered and as_of else None
    pairs = _pairs(lake, windows, params.max_columns) if windows else {}
    if not windows or not pairs:
        return _abstain(io, params, windows)
    floors = {name: chance_distance(reference) for name, (reference, _) in pairs.items()}
    results = distances(pairs, {name: max(params.column_threshold, floor) for name, floor in floors.items()})
    moved = [result.series for result in results if result.drifted]
    share = len(moved) / len(results)
    content = {
        **_outcome(params, share=share, exceeded=share >= params.share_threshold),
        "reference": _span(windows.reference),
        "current": _span(windows.current),
        "drifted": moved,
        "columns": [
            {"series": r.series, "distance": round(r.distance, 6), "threshold": round(r.threshold, 6)} for r in results
        ],
    }
    io.write_json("drift", content)
    with io.write_folder("report") as folder:
        write_report(pairs, results, folder / "index.html")
    return {**_summary(io, content), "columns": len(results), "drifted": len(moved)}


def _pairs(lake: Lake, windows: Windows, max_columns: int) -> dict[str, tuple[pl.Series, pl.Series]]:
    both = Window(windows.reference.start, windows.current.end)
    features = lake.scan("features", both).select("timestamp", "service", "metric", "mean").collect().lazy()
    hours = int(windows.current.length / timedelta(hours=1))
    found = paired(hourly(features, windows.reference), hourly(features, windows.current), hours)
    return dict(list(found.items())[:max_columns])


def _abstain(io: StepIO, params: DriftParams, windows: Windows | None) -> dict[str, Any]:
    reason = "no series is known in both windows" if windows else "less than two days of features"
    content = {**_outcome(params, abstained=True, reason=reason), "drifted": [], "columns": []}
    io.write_json("drift", content)
    with io.write_folder("report") as folder:
        (folder / "index.html").write_text(f"<!doctype html><title>Drift</title><p>Not compared: {reason}.</p>\n")
    return _summary(io, content)


def _outcome(params: DriftParams, **known: Any) -> dict[str, Any]:
    unknown = {"share": None, "abstained": False, "reason": None, "exceeded": False}
    return {**unknown, **known, "threshold": params.share_threshold, "column_threshold": params.column_threshold}


def _summary(io: StepIO, content: Mapping[str, Any]) -> dict[str, Any]:
    names = ("share", "threshold", "exceeded", "abstained", "reason")
    return {**{name: content[name] for name in names}, "report": storage.join(io.uri("report"), "index.html")}


def _span(window: Window) -> list[str]:
    return [iso(window.start), iso(window.end)]
