"""The step on a lake: open incidents diagnosed once, carried over, calls kept over time, a rerun changes nothing."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from components.core import step
from components.core.lake import Lake
from components.core.schema import TABLES
from components.core.times import Window, iso
from components.rootcause.specs import DIAGNOSE
from tests.rootcause.cases import DB_FAULT, NOTICED, metrics

START = NOTICED - timedelta(hours=2)
AS_OF = NOTICED + timedelta(minutes=10)


def _incident(name: str = "one", **changes: Any) -> dict[str, Any]:
    row: dict[str, Any] = dict.fromkeys(TABLES["incidents"].columns)
    row |= {"incident_id": name, "status": "open", "service": "web", "metric": "latency_p99", "evidence": "[]"}
    row |= {"started_at": NOTICED, "detected_at": NOTICED + timedelta(minutes=5), "updated_at": AS_OF}
    return row | changes


def _span(number: int, span: str, parent: str | None, service: str, at: datetime) -> dict[str, Any]:
    found: dict[str, Any] = {"trace_id": str(number), "span_id": span, "parent_span_id": parent, "service": service}
    return found | {"name": "op", "start_time": at, "duration_us": 1000, "status_code": "OK"}


def _write_incidents(lake: Lake, rows: list[dict[str, Any]], at: datetime) -> None:
    frame = pl.DataFrame(rows, schema=dict(TABLES["incidents"].columns))
    lake.write_snapshot("incidents", frame, at, producer="test", params={})


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    found = Lake(str(tmp_path / "lake"))
    window = Window(START, NOTICED + timedelta(minutes=10))
    rows = metrics(DB_FAULT).filter(pl.col("timestamp") < window.end)
    found.write_window("metrics", rows, window, producer="test", params={})
    return found


def _run(lake: Lake, tmp_path: Path, **params: Any) -> dict[str, Any]:
    uris = {"lake": lake.uri, "diagnosed": str(tmp_path / "diagnosed.json")}
    return step.run(DIAGNOSE, uris, params)


def _add_spans(lake: Lake) -> None:
    rows = []
    for number in range(200):
        at = START + timedelta(seconds=30 * number)
        rows += [
            _span(number, "a", None, "web", at),
            _span(number, "b", "a", "shop", at),
            _span(number, "c", "b", "db", at),
        ]
    schema = dict(TABLES["spans"].required)
    window = Window(START, NOTICED + timedelta(minutes=10))
    lake.write_window("spans", pl.DataFrame(rows, schema=schema), window, producer="test", params={})


def test_an_open_incident_is_diagnosed_and_the_calls_are_kept(lake: Lake, tmp_path: Path):
    _add_spans(lake)
    _write_incidents(lake, [_incident()], AS_OF)
    summary = _run(lake, tmp_path)
    assert summary == {
        "as_of": iso(AS_OF), "incidents": 1, "diagnosed": 1, "abstained": 0, "carried_over": 0, "calls": 2
    }  # fmt: skip
    (row,) = lake.read_snapshot("diagnoses").to_dicts()
    causes = json.loads(row["causes"])
    assert [cause["service"] for cause in causes] == ["db", "shop", "web"]
    assert (row["diagnosed_at"], row["abstained"], row["elapsed_ms"]) == (AS_OF, False, None)
    calls = lake.read_snapshot("calls").select("caller", "callee", "calls", "first_seen").rows()
    assert calls == [("shop", "db", 200, START), ("web", "shop", 200, START)]


def test_without_spans_logs_and_changes_it_still_works(lake: Lake, tmp_path: Path):
    _write_incidents(lake, [_incident()], AS_OF)
    assert _run(lake, tmp_path)["diagnosed"] == 1
    assert json.loads(lake.read_snapshot("diagnoses")["causes"][0])[0]["service"] == "db"


@pytest.mark.parametrize(("days", "known"), [(6, True), (8, False)])
def test_calls_that_nobody_made_for_a_week_say_nothing_of_an_incident(
    lake: Lake, tmp_path: Path, days: int, known: bool
):
    seen = NOTICED - timedelta(days=days)
    columns = ["caller", "callee", "calls", "calls_per_s", "error_ratio", "passed_on_ratio", "p95_us"]
    rows = [(*pair, 9, 1.0, 0.0, None, 1.0) for pair in (("web", "shop"), ("shop", "db"))]
    schema = {name: TABLES["calls"].columns[name] for name in columns}
    calls = pl.DataFrame(rows, schema=schema, orient="row").with_columns(
        first_seen=pl.lit(seen), last_seen=pl.lit(seen)
    )
    lake.write_snapshot("calls", calls, AS_OF - timedelta(hours=1), producer="test", params={})
    _write_incidents(lake, [_incident()], AS_OF)
    _run(lake, tmp_path)
    assert ("reaches it in" in lake.read_snapshot("diagnoses")["causes"][0]) == known
    assert len(lake.read_snapshot("calls")) == 2


def test_a_rerun_writes_the_same_bytes_and_another_lake_too(lake: Lake, tmp_path: Path):
    _write_incidents(lake, [_incident()], AS_OF)
    _run(lake, tmp_path)
    files = {path: path.read_bytes() for path in Path(lake.uri).rglob("*as_of=*.parquet")}
    assert {path.parent.name for path in files} == {"incidents", "diagnoses", "calls"}
    for name in ("diagnoses", "calls"):
        for path in (Path(lake.uri) / name).iterdir():
            path.unlink()
    _run(lake, tmp_path)
    assert {path: path.read_bytes() for path in files} == files


def test_unchanged_incidents_are_carried_over_and_changed_ones_done_again(lake: Lake, tmp_path: Path):
    early = AS_OF - timedelta(minutes=2)
    _write_incidents(lake, [_incident("calm", updated_at=early), _incident("live", updated_at=early)], early)
    assert _run(lake, tmp_path, as_of=iso(early))["diagnosed"] == 2
    _write_incidents(lake, [_incident("calm", updated_at=early), _incident("live")], AS_OF)
    summary = _run(lake, tmp_path)
    assert (summary["diagnosed"], summary["carried_over"]) == (1, 1)
    rows = lake.read_snapshot("diagnoses").select("incident_id", "diagnosed_at").rows()
    assert rows == [("calm", early), ("live", AS_OF)]


def test_old_resolved_incidents_are_left_and_recent_ones_done_once(lake: Lake, tmp_path: Path):
    old = {"status": "resolved", "started_at": NOTICED - timedelta(days=3), "updated_at": NOTICED - timedelta(days=2)}
    _write_incidents(lake, [_incident("old", **old), _incident("new", status="resolved")], AS_OF)
    assert _run(lake, tmp_path)["diagnosed"] == 1
    assert lake.read_snapshot("diagnoses")["incident_id"].to_list() == ["new"]


def test_a_forecast_has_no_cause_yet(lake: Lake, tmp_path: Path):
    _write_incidents(lake, [_incident(evidence=json.dumps([{"kind": "forecast"}]))], AS_OF)
    assert _run(lake, tmp_path)["abstained"] == 1
    assert lake.read_snapshot("diagnoses")["reason"][0].startswith("a forecast")


def test_nothing_after_as_of_is_looked_at(lake: Lake, tmp_path: Path):
    at = NOTICED - timedelta(minutes=30)
    early = _incident(started_at=at, detected_at=at, updated_at=at)
    _write_incidents(lake, [early], at)
    _run(lake, tmp_path, as_of=iso(at))
    assert lake.read_snapshot("diagnoses")["abstained"].to_list() == [True]


def test_an_empty_lake_is_said_to_be_empty(tmp_path: Path):
    summary = _run(Lake(str(tmp_path / "nothing")), tmp_path)
    assert summary == {"as_of": None, "reason": "the lake holds no metrics yet"}
