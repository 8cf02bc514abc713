"""The main job on ten days of the shop: from telemetry to incidents with forecast, anomalies, causes and logs."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import polars as pl
import pytest

from components.core.lake import Lake
from components.core.times import Window, parse_instant
from components.telemetry.shop import Fault, Shop
from tests.world import ANCHOR, DAYS, World

# The world is made once, by the one worker that runs all tests of this group.
pytestmark = pytest.mark.xdist_group("world")

END = parse_instant(ANCHOR)
LAST_DAY = Window(END - timedelta(days=1), END)


@pytest.fixture(scope="module")
def lake(world: World) -> Lake:
    return Lake(str(world.lake))


@pytest.fixture(scope="module")
def faults() -> list[Fault]:
    return [fault for fault in Shop(3, END).faults(LAST_DAY) if not fault.decoy]


@pytest.fixture(scope="module")
def incidents(lake: Lake) -> list[dict[str, Any]]:
    causes = {row["incident_id"]: json.loads(row["causes"]) for row in lake.read_snapshot("diagnoses").to_dicts()}
    rows = lake.read_snapshot("incidents").to_dicts()
    return [
        {**row, "evidence": json.loads(row["evidence"]), "causes": causes.get(row["incident_id"], [])} for row in rows
    ]


def of(fault: Fault, incidents: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The incidents that overlap a fault in time and in services."""
    concerned = {fault.service, *fault.affected}
    return [
        row
        for row in incidents
        if row["started_at"] <= fault.end + timedelta(minutes=20)
        and (row["resolved_at"] or row["updated_at"]) >= fault.acute_start
        and concerned & set(json.loads(row["services"]))
        and row["evidence"][0]["kind"] == "anomaly"
    ]


def test_everything_is_published_and_featured(lake: Lake) -> None:
    for table in ("metrics", "spans", "logs", "changes", "features", "log_counts"):
        assert lake.coverage(table) == [Window(END - timedelta(days=DAYS), END)], table


def test_both_models_are_champions_by_a_verdict(world: World) -> None:
    for domain in ("anomaly", "forecasting"):
        verdict = json.loads((world.root / "runs" / f"gate.{domain}" / "verdict.json").read_text())
        assert verdict["outcome"] == "PASS"
        assert verdict["metrics"][0]["baseline"] is not None
    rows = sorted((world.root / "ledger").rglob("*.json"))
    assert len(rows) == 2


def test_the_faults_of_the_last_day_become_incidents(faults: list[Fault], incidents: list[dict[str, Any]]) -> None:
    acute = [fault for fault in faults if fault.acute_start < END]
    found = [fault for fault in acute if of(fault, incidents)]
    named = [
        fault
        for fault in acute
        if any(row["causes"] and row["causes"][0]["service"] == fault.service for row in of(fault, incidents))
    ]
    assert len(acute) >= 8
    assert len(found) >= 0.75 * len(acute)
    assert len(named) >= 0.6 * len(acute)


def test_a_bad_release_shows_in_logs_and_changes(faults: list[Fault], incidents: list[dict[str, Any]]) -> None:
    release = next(fault for fault in faults if fault.kind == "bad_release")
    rows = of(release, incidents)
    assert any(item["kind"] == "log" for row in rows for item in row["evidence"])
    assert any("timeline" in row and release.service in row["timeline"] for row in rows)


def test_the_filling_disk_is_forecast_to_fail(lake: Lake, faults: list[Fault], incidents: list[dict[str, Any]]) -> None:
    disk = next(fault for fault in faults if fault.kind == "disk_fill")
    risk = lake.read_snapshot("risks").filter(pl.col("service") == disk.service, pl.col("metric") == disk.metric)
    assert risk["p_168h"][0] >= 0.7
    forecast = [row for row in incidents if row["evidence"][0]["kind"] == "forecast"]
    assert (disk.service, disk.metric) in [(row["service"], row["metric"]) for row in forecast]


def test_quiet_hours_stay_quiet(lake: Lake) -> None:
    """Where no fault was felt, next to nothing is abnormal."""
    shop, rows = Shop(3, END), lake.read("anomalies", LAST_DAY)
    felt = [
        (f.service, f.acute_start - timedelta(minutes=15), f.end + timedelta(hours=1)) for f in shop.faults(LAST_DAY)
    ]
    concerned = {s for f in shop.faults(LAST_DAY) for s in (f.service, *f.affected)}
    quiet = rows.filter(~pl.col("service").is_in(list(concerned)) | ~_within(felt))
    assert quiet["is_anomaly"].mean() < 0.005


def _within(spans: list[tuple[str, Any, Any]]) -> pl.Expr:
    return pl.any_horizontal([pl.col("timestamp").is_between(start, end) for _, start, end in spans])
