"""How the product itself fares, as metrics: the lake's tables, models, decisions, drift, the tasks of the DAGs."""

from __future__ import annotations

import heapq
import json
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from prometheus_client.core import Metric

from components.actions.console.findings import gauge
from components.core import storage, tracking
from components.core.lake import INCOMING, QUARANTINE, Lake, Partition
from components.core.storage import is_s3, join

WINDOW_TABLES = ("metrics", "spans", "logs", "changes", "features", "anomalies", "log_counts", "log_changes")
SNAPSHOT_TABLES = ("forecasts", "risks", "incidents", "diagnoses", "calls", "alerts")
_RAW_TABLES = WINDOW_TABLES[:4]
_RECENT = timedelta(days=1)
#: Runs of a DAG that are looked at, newest first: a task that failed in all of them keeps no success here.
_RUNS = 20
_SIDECAR = ".meta.json"
#: Airflow's run ids end in the instant the run was due, here without colons and with `_` for `+`.
_DUE = re.compile(r"__(\d{4}-\d\d-\d\dT\d{6})(\.\d+)?_0000")


class PartitionRows:
    """How many rows a partition has; each sidecar is read once, for it never changes."""

    def __init__(self) -> None:
        self._known: dict[str, int] = {}

    def total(self, partitions: Iterable[Partition]) -> int:
        wanted = {p.uri: self._known.get(p.uri) for p in partitions}
        for partition in partitions:
            if wanted[partition.uri] is None:
                wanted[partition.uri] = self._known[partition.uri] = int(partition.meta()["rows"])
        return sum(rows or 0 for rows in wanted.values())


def lake_state(lake: Lake, rows: PartitionRows) -> list[Metric]:
    """How far each table goes, how much came in the last day, and what waits for validation or was refused."""
    ends = gauge("traceo_lake_watermark_timestamp_seconds", "End of the newest window of a table.", "table")
    looks = gauge("traceo_lake_snapshot_timestamp_seconds", "Instant of a table's newest snapshot.", "table")
    recent = gauge("traceo_lake_recent_rows", "Rows in the last day of windows before the watermark.", "table")
    parts = gauge("traceo_lake_partitions", "Partitions of a table in a zone of the lake.", "table", "zone")
    for table in WINDOW_TABLES:
        partitions = lake.partitions(table)
        windows = [p for p in partitions if p.window]
        parts.add_metric([table, "published"], len(partitions))
        if windows:
            end = max(p.window.end for p in windows if p.window)
            ends.add_metric([table], end.timestamp())
            recent.add_metric([table], rows.total([p for p in windows if p.window and p.window.end > end - _RECENT]))
    for table in _RAW_TABLES:
        for zone, name in ((INCOMING, "incoming"), (QUARANTINE, "quarantined")):
            parts.add_metric([table, name], len(lake.zone(zone).partitions(table)))
    for table in SNAPSHOT_TABLES:
        for instant in lake.snapshots(table)[-1:]:
            looks.add_metric([table], instant.timestamp())
    return [ends, looks, recent, parts]


def models() -> list[Metric]:
    """The registry: versions of each model, and which one each alias points to."""
    versions = gauge("traceo_model_versions", "Versions of a registered model.", "model")
    aliases = gauge(
        "traceo_model_alias_info", "1 for the version that an alias points to.", "model", "alias", "version"
    )
    champions = gauge("traceo_model_champion", "Whether a model has a champion: 1 or 0.", "model")
    for model, pointed in tracking.registered_models().items():
        versions.add_metric([model], len(tracking.versions(model)))
        champions.add_metric([model], float("champion" in pointed))
        for alias, version in pointed.items():
            aliases.add_metric([model, alias, version], 1)
    return [versions, aliases, champions]


def decisions(home: str) -> list[Metric]:
    """The promotion ledger: each model's last decision with its verdict, and its last promotion."""
    decided = gauge(
        "traceo_model_decision_timestamp_seconds", "When the gate last decided about a model, and how.",
        "model", "action", "verdict",
    )  # fmt: skip
    promoted = gauge("traceo_model_promotion_timestamp_seconds", "When a model last got a new champion.", "model")
    last: dict[str, dict[str, Any]] = {}
    promotions: dict[str, float] = {}
    for uri in storage.list_files(join(home, "ledger"), ".json"):
        row = json.loads(storage.read_bytes(uri))
        last[row["model"]] = row
        if row["action"] == "promoted":
            promotions[row["model"]] = datetime.fromisoformat(row["when"]).timestamp()
    for model, row in last.items():
        when = datetime.fromisoformat(row["when"]).timestamp()
        decided.add_metric([model, row["action"], row["evidence"]["outcome"]], when)
    for model, when in promotions.items():
        promoted.add_metric([model], when)
    return [decided, promoted]


@dataclass(frozen=True)
class Finished:
    """The newest success of one task: the sidecar it wrote last, when, and when its run was due."""

    dag: str
    task: str
    sidecar: Path
    at: float
    due: float | None


def tasks(home: str) -> list[Metric]:
    """The newest success of every task that wrote its artifacts below `<home>/runs`, and the last drift.

    An object store keeps no such times that are cheap to list: with a home on S3 there is nothing here, and the
    lake's watermarks and snapshots tell how far the pipelines are.
    """
    success = gauge("traceo_task_last_success_timestamp_seconds", "When a task last ended well.", "dag", "task")
    delay = gauge(
        "traceo_task_completion_delay_seconds",
        "From when its run was due to when a task last ended well.", "dag", "task",
    )  # fmt: skip
    share = gauge("traceo_drift_share_ratio", "Share of series that drifted in the last comparison.")
    threshold = gauge("traceo_drift_threshold_ratio", "Share from which a retraining is asked for.")
    for one in [] if is_s3(home) else _newest(Path(home, "runs")):
        success.add_metric([one.dag, one.task], one.at)
        if one.due is not None:
            delay.add_metric([one.dag, one.task], max(0.0, one.at - one.due))
        if one.task == "quality_drift":
            drift = json.loads(one.sidecar.read_bytes())["summary"]
            # Where there was too little to compare there is no share.
            if drift.get("share") is not None:
                share.add_metric([], drift["share"])
                threshold.add_metric([], drift["threshold"])
    return [success, delay, share, threshold]


def _newest(root: Path) -> Iterator[Finished]:
    for dag in _folders(root):
        seen: set[str] = set()
        for run in heapq.nlargest(_RUNS, _folders(dag), key=lambda folder: folder.stat().st_mtime):
            for task in _folders(run):
                sidecars = [entry for entry in os.scandir(task) if entry.name.endswith(_SIDECAR)]
                if sidecars and task.name not in seen:
                    seen.add(task.name)
                    last = max(sidecars, key=lambda entry: entry.stat().st_mtime)
                    yield Finished(dag.name, task.name, Path(last.path), last.stat().st_mtime, _due(run.name))


def _folders(path: Path) -> list[Path]:
    return sorted(Path(entry.path) for entry in os.scandir(path) if entry.is_dir()) if path.is_dir() else []


def _due(run_id: str) -> float | None:
    found = _DUE.search(run_id)
    return datetime.strptime(found[1], "%Y-%m-%dT%H%M%S").replace(tzinfo=UTC).timestamp() if found else None
