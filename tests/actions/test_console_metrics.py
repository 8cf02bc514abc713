"""`/metrics` of the console: values from a small lake, bounded labels, and one broken source that costs only itself."""

from __future__ import annotations

import json
import os
import threading
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from fastapi.testclient import TestClient
from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric
from prometheus_client.parser import text_string_to_metric_families

from components.actions.console import findings, operations
from components.actions.console.app import create_app
from components.actions.console.metrics import ProductCollector
from components.actions.specs import CORRELATE
from components.core import step
from components.core.lake import QUARANTINE, Lake
from components.core.settings import Settings
from components.core.times import Window, iso

from .test_actions_steps import NOON, T0, put_anomalies, put_risk

END = T0 + timedelta(days=1)
HOSTILE = 'a"b\\c\nd{}'


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    lake = Lake(str(tmp_path / "lake"))
    row = pl.DataFrame({"timestamp": [NOON], "service": ["a"], "metric": ["m"], "value": [1.0]})
    lake.write_window("metrics", row, Window(T0, END), producer="test", params={})
    late = END - timedelta(minutes=20)
    put_anomalies(lake, (HOSTILE, "error_rate_trend", late, 4), (HOSTILE, "latency_p99_trend", late, 4))
    put_risk(lake, END, 0.9)
    step.run(CORRELATE, {"lake": lake.uri, "correlated": str(tmp_path / "correlated.json")}, {"as_of": iso(END)})
    return lake


def scrape(home: Path) -> dict[str, Metric]:
    answer = TestClient(create_app(Settings(home=str(home))), base_url="http://127.0.0.1").get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=")
    return {family.name: family for family in text_string_to_metric_families(answer.text)}


def value(families: dict[str, Metric], name: str, **labels: str) -> float:
    (found,) = [s.value for s in families[name.removesuffix("_total")].samples if s.name == name and s.labels == labels]
    return found


def test_incidents_forecasts_and_anomalies_are_counted(lake: Lake, tmp_path: Path, mlflow_home: Path) -> None:
    found = scrape(tmp_path)
    assert value(found, "traceo_incidents", status="open", kind="anomaly", severity="critical") == 1
    assert value(found, "traceo_incidents", status="open", kind="forecast", severity="warning") == 1
    assert value(found, "traceo_incidents", status="resolved", kind="anomaly", severity="critical") == 0
    assert value(found, "traceo_forecast_series", state="ahead") == 1
    disk = {"service": "db", "metric": "disk_usage_percent"}
    assert value(found, "traceo_forecast_failure_probability_ratio", **disk, horizon="72h") == 0.9
    assert value(found, "traceo_forecast_failure_probability_ratio", **disk, horizon="24h") == 0
    assert value(found, "traceo_forecast_limit_timestamp_seconds", **disk) == (END + timedelta(hours=60)).timestamp()
    assert value(found, "traceo_lake_watermark_timestamp_seconds", table="metrics") == END.timestamp()
    assert value(found, "traceo_lake_recent_rows", table="metrics") == 1


def test_what_is_abnormal_now_is_named_by_service(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    end = T0 + timedelta(days=2)
    put_anomalies(lake, (HOSTILE, "m", end - timedelta(minutes=10), 2), ("b", "m", end - timedelta(hours=1), 2))
    scored, abnormal = findings.anomalies(lake)
    assert [s.value for s in scored.samples] == [1]
    assert {s.labels["service"]: s.value for s in abnormal.samples} == {HOSTILE: 1}


def test_a_service_called_other_is_counted_with_the_rest(tmp_path: Path) -> None:
    lake, end = Lake(str(tmp_path)), T0 + timedelta(days=2)
    at = end - timedelta(minutes=10)
    names = [f"service-{i:03}" for i in range(60)]
    put_anomalies(lake, ("other", "m", at, 2), ("other", "n", at, 2), *((name, "m", at, 2) for name in names))
    _, abnormal = findings.anomalies(lake)
    found = [(sample.labels["service"], sample.value) for sample in abnormal.samples]
    assert len(found) == len(dict(found)) == findings.MOST_SERVICES
    assert dict(found)["other"] == 62 - (findings.MOST_SERVICES - 1)


def test_names_follow_the_conventions(lake: Lake, tmp_path: Path, mlflow_home: Path) -> None:
    families = scrape(tmp_path)
    assert len(families) > 15
    for name, family in families.items():
        assert name.startswith("traceo_"), name
        assert family.documentation.endswith("."), name
        assert not name.endswith(("_ms", "_percent", "_minutes", "_hours", "_mb")), f"{name} is not in base units"
        assert ("timestamp" in name) == name.endswith("_timestamp_seconds"), name


def test_labels_are_bounded_however_many_services_there_are(tmp_path: Path) -> None:
    lake, end = Lake(str(tmp_path)), T0 + timedelta(days=2)
    names = [f"service-{i:03}" for i in range(300)]
    put_anomalies(lake, *((name, "m", end - timedelta(minutes=10), 2) for name in names))
    _, abnormal = findings.anomalies(lake)
    assert len(abnormal.samples) == findings.MOST_SERVICES + 1
    assert sum(sample.value for sample in abnormal.samples) == 300
    assert next(s.value for s in abnormal.samples if s.labels["service"] == "other") == 250


def test_a_quarantined_partition_is_counted(lake: Lake) -> None:
    rows = pl.DataFrame({"timestamp": [T0], "service": ["a"], "severity": ["INFO"], "body": ["x"]})
    lake.zone(QUARANTINE).write_window("logs", rows, Window(T0, NOON), producer="test", params={})
    parts = next(m for m in operations.lake_state(lake, operations.PartitionRows()) if m.name.endswith("partitions"))
    counts = {(s.labels["table"], s.labels["zone"]): s.value for s in parts.samples}
    assert counts["logs", "quarantined"] == 1
    assert counts["logs", "published"] == counts["metrics", "quarantined"] == 0


def put_decision(home: Path, sequence: int, **changes: object) -> None:
    row = {"model": "m", "version": "1", "action": "promoted", "when": iso(NOON), "evidence": {"outcome": "PASS"}}
    (home / "ledger").mkdir(exist_ok=True)
    (home / "ledger" / f"{sequence:08d}.json").write_text(json.dumps(row | changes))


def test_the_last_decision_and_the_last_promotion(tmp_path: Path) -> None:
    put_decision(tmp_path, 1)
    put_decision(tmp_path, 2, action="rejected", when=iso(END), evidence={"outcome": "FAIL"})
    decided, promoted = operations.decisions(str(tmp_path))
    (last,) = decided.samples
    assert last.labels == {"model": "m", "action": "rejected", "verdict": "FAIL"}
    assert last.value == END.timestamp()
    assert [sample.value for sample in promoted.samples] == [NOON.timestamp()]


def put_artifact(home: Path, run: str, at: datetime, *, dag: str, task: str, **summary: object) -> None:
    folder = home / "runs" / dag / run / task
    folder.mkdir(parents=True)
    sidecar = folder / "out.json.meta.json"
    sidecar.write_text(json.dumps({"summary": summary}))
    for path in (sidecar, folder, folder.parent):
        os.utime(path, (at.timestamp(), at.timestamp()))


def test_a_tasks_last_success_and_how_late_it_was(tmp_path: Path) -> None:
    drift = {"dag": "traceo_drift", "task": "quality_drift"}
    put_artifact(tmp_path, "scheduled__2026-03-01T000000_0000", T0 + timedelta(seconds=30), **drift, share=0.1)
    put_artifact(
        tmp_path, "scheduled__2026-03-01T120000.5_0000", NOON + timedelta(seconds=42), **drift, share=0.7, threshold=0.5
    )
    (tmp_path / "runs" / "traceo_drift" / "manual__2026-03-01T130000_0000" / "quality_drift").mkdir(parents=True)
    success, delay, share, threshold = operations.tasks(str(tmp_path))
    assert [(s.labels, s.value) for s in success.samples] == [(drift, NOON.timestamp() + 42)]
    assert [s.value for s in delay.samples] == [42]
    assert [s.value for s in (*share.samples, *threshold.samples)] == [0.7, 0.5]


def test_a_home_on_s3_has_no_task_metrics() -> None:
    assert [sample for metric in operations.tasks("s3://bucket/home") for sample in metric.samples] == []


def test_a_broken_source_costs_its_own_metrics_alone(lake: Lake, tmp_path: Path, mlflow_home: Path) -> None:
    (tmp_path / "ledger").mkdir()
    (tmp_path / "ledger" / "00000001.json").write_text("{")
    found = scrape(tmp_path)
    assert value(found, "traceo_collector_errors_total", source="ledger") == 1
    assert value(found, "traceo_collector_errors_total", source="lake") == 0
    assert "traceo_model_decision_timestamp_seconds" not in found
    assert value(found, "traceo_lake_recent_rows", table="metrics") == 1


def read(registry: CollectorRegistry) -> dict[str, float]:
    return {s.name + str(s.labels.get("source", "")): s.value for family in registry.collect() for s in family.samples}


def test_a_source_that_does_not_answer_is_left_out_and_not_asked_twice_at_once() -> None:
    released, asked = threading.Event(), []

    def slow() -> list[Metric]:
        asked.append(1)
        released.wait(20)
        return [findings.gauge("slow", "Slow.")]

    quick = findings.gauge("quick", "Quick.")
    quick.add_metric([], 1)
    registry = CollectorRegistry()
    registry.register(ProductCollector({"slow": slow, "quick": lambda: [quick]}, wait_s=0.05))
    for errors in (1, 2):
        found = read(registry)
        assert found["quick"] == 1
        assert found["traceo_collector_errors_totalslow"] == errors
    assert len(asked) == 1
    released.set()


def test_a_source_that_became_slow_shows_its_reading_before() -> None:
    released, asked = threading.Event(), []

    def slowing() -> list[Metric]:
        asked.append(1)
        if len(asked) > 1:
            released.wait(20)
        found = findings.gauge("found", "Found.")
        found.add_metric([], len(asked))
        return [found]

    registry = CollectorRegistry()
    registry.register(ProductCollector({"one": slowing}, fresh_s=0, wait_s=1))
    assert read(registry)["found"] == 1
    found = read(registry)
    assert (found["found"], found["traceo_collector_errors_totalone"]) == (1, 0)
    released.set()


@pytest.mark.parametrize(("fresh_s", "readings"), [(60.0, 1), (0.0, 3)])
def test_scrapes_share_a_fresh_reading(fresh_s: float, readings: int) -> None:
    asked: list[int] = []
    registry = CollectorRegistry()
    registry.register(ProductCollector({"one": lambda: asked.append(1) or []}, fresh_s=fresh_s))
    for _ in range(3):
        read(registry)
    assert len(asked) == readings


def test_an_empty_home_has_metrics_too(tmp_path: Path, mlflow_home: Path) -> None:
    found = scrape(tmp_path)
    assert value(found, "traceo_incidents", status="open", kind="anomaly", severity="critical") == 0
    errors = {s.labels["source"]: s.value for s in found["traceo_collector_errors"].samples if s.name.endswith("total")}
    assert set(errors.values()) == {0}, errors


def test_services_without_anything_abnormal_count_zero(tmp_path: Path) -> None:
    lake, end = Lake(str(tmp_path)), T0 + timedelta(days=2)
    put_anomalies(lake, ("a", "m", end - timedelta(minutes=10), 2))
    day = lake.read("anomalies").with_columns(is_anomaly=False)
    quiet = Lake(str(tmp_path / "quiet"))
    quiet.write_window("anomalies", day, Window(T0 + timedelta(days=1), end), producer="test", params={})
    _, abnormal = findings.anomalies(quiet)
    assert {sample.labels["service"]: sample.value for sample in abnormal.samples} == {"a": 0}
