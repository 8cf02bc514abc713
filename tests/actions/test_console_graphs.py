"""The call graph of an incident, coloured by score."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest
from fastapi.testclient import TestClient

from components.actions.console.app import create_app
from components.actions.console.graphs import causes, levels
from components.core.lake import Lake
from components.core.settings import Settings

from .test_actions_steps import NOON

HOSTILE = "<script>\0\x1b alert(1)</script> $^{$"


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    lake = Lake(str(tmp_path / "lake"))
    calls = [("web", HOSTILE, 9, 0.2), (HOSTILE, "db", 9, 0.0), ("db", "db", 1, 0.0)]
    table = pl.DataFrame(calls, schema=["caller", "callee", "calls", "error_ratio"], orient="row")
    table = table.with_columns(calls_per_s=pl.lit(0.5), passed_on_ratio=pl.when(pl.col("error_ratio") > 0).then(0.75))
    table = table.with_columns(p95_us=pl.lit(1.0), first_seen=pl.lit(NOON - timedelta(hours=1)), last_seen=pl.lit(NOON))
    lake.write_snapshot("calls", table, NOON, producer="test", params={})
    found = [{"service": service, "score": score} for service, score in (("db", 0.9), ("web", 0.1), ("lonely", 0.0))]
    row = {"incident_id": "i1", "diagnosed_at": NOON, "abstained": False, "reason": "", "causes": json.dumps(found)}
    diagnosed = pl.DataFrame([row]).with_columns(elapsed_ms=pl.lit(None, pl.Float64))
    lake.write_snapshot("diagnoses", diagnosed, NOON, producer="test", params={})
    return lake


@pytest.mark.parametrize(
    ("edges", "columns"),
    [
        ([("a", "b"), ("b", "c"), ("a", "c")], {"a": 0, "b": 1, "c": 2}),
        ([], {"a": 0, "b": 0, "c": 0}),
        ([("a", "b"), ("b", "a"), ("b", "c")], {"a": 0, "b": 1, "c": 2}),
        ([("a", "a"), ("c", "b")], {"a": 0, "b": 1, "c": 0}),
    ],
)
def test_callers_stand_left_of_callees(edges, columns):
    assert levels(["a", "b", "c"], [(*edge, 0.0) for edge in edges]) == columns


def test_every_service_is_drawn_with_its_score_and_names_stay_text(lake: Lake):
    drawn = causes(lake, "i1")
    assert drawn == causes(lake, "i1")
    assert drawn is not None
    text = drawn.decode()
    assert "<!-- db 0.90 -->" in text
    assert "<!-- web 0.10 -->" in text
    assert text.count("% fail") == 1
    assert "<!-- 20% fail, 75% passed on -->" in text
    assert "lonely" not in text
    assert "<script" not in text


def test_it_is_xml_whatever_the_names(lake: Lake):
    from xml.dom.minidom import parseString

    drawn = causes(lake, "i1")
    assert drawn is not None
    assert parseString(drawn).documentElement.tagName == "svg"


def test_the_console_shows_it_and_refuses_unknown_incidents(lake: Lake, tmp_path: Path):
    client = TestClient(create_app(Settings(home=str(tmp_path))), base_url="http://127.0.0.1:8082")
    assert client.get("/plots/causes.svg", params={"incident": "i1"}).headers["content-type"] == "image/svg+xml"
    assert client.get("/plots/causes.svg", params={"incident": "i2"}).status_code == 404
    assert causes(Lake(str(tmp_path / "empty")), "i1") is None
