"""Marks on incidents: what a click writes, and which forms are refused."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from components.actions.console.app import create_app
from components.actions.specs import CORRELATE
from components.core import step
from components.core.errors import StorageError
from components.core.lake import Lake
from components.core.settings import Settings
from components.core.times import iso

from .test_actions_steps import NOON, T0, put_anomalies

HERE = "http://127.0.0.1:8082"
OWN_PAGE = {"origin": HERE}


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """One incident of two series of one service whose name is no safe text."""
    lake = Lake(str(tmp_path / "lake"))
    put_anomalies(lake, ("a<b>", "error_rate_trend", NOON, 4), ("a<b>", "latency_p99_trend", NOON, 6))
    step.run(
        CORRELATE, {"lake": lake.uri, "correlated": str(tmp_path / "c.json")}, {"as_of": iso(T0 + timedelta(days=1))}
    )
    return lake


@pytest.fixture
def client(lake: Lake, tmp_path: Path) -> TestClient:
    return TestClient(create_app(Settings(home=str(tmp_path))), base_url=HERE, follow_redirects=False)


def incident(lake: Lake) -> str:
    return str(lake.read_snapshot("incidents")["incident_id"][0])


def test_a_click_writes_one_row_per_series_and_leads_back(client: TestClient, lake: Lake) -> None:
    form = {"incident": incident(lake), "verdict": "false_alarm"}
    answer = client.post("/marks", data=form, headers=OWN_PAGE)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/#incident-{incident(lake)}")
    rows = lake.read("feedback").sort("metric")
    assert rows.select("service", "metric", "verdict", "who", "incident_id").rows() == [
        ("a<b>", "error_rate_trend", "false_alarm", "console", incident(lake)),
        ("a<b>", "latency_p99_trend", "false_alarm", "console", incident(lake)),
    ]
    assert rows["start"].to_list() == [NOON, NOON]
    assert rows["end"].to_list() == [NOON + timedelta(minutes=20), NOON + timedelta(minutes=30)]


def test_the_page_shows_the_newest_mark(client: TestClient, lake: Lake) -> None:
    assert client.get("/").text.count('aria-pressed="true">') == 0
    for verdict in ("false_alarm", "real"):
        client.post("/marks", data={"incident": incident(lake), "verdict": verdict}, headers=OWN_PAGE)
    page = client.get("/").text
    assert 'value="real" aria-pressed="true"' in page
    assert 'value="false_alarm" aria-pressed="false"' in page
    assert len(lake.read("feedback")) == 4


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"origin": HERE}, 303),
        ({"sec-fetch-site": "same-origin"}, 303),
        ({"sec-fetch-site": "same-origin", "origin": "null"}, 303),
        ({}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "https://elsewhere.example"}, 403),
        ({"origin": "http://127.0.0.1:9999"}, 403),
        ({"origin": HERE, "sec-fetch-site": "cross-site"}, 403),
        ({"origin": HERE, "sec-fetch-site": "same-site"}, 403),
        ({"origin": "http://elsewhere.example", "host": "elsewhere.example"}, 400),
    ],
)
def test_only_the_consoles_own_page_may_mark(
    headers: dict[str, str], status: int, client: TestClient, lake: Lake
) -> None:
    answer = client.post("/marks", data={"incident": incident(lake), "verdict": "real"}, headers=headers)
    assert answer.status_code == status
    assert len(lake.read("feedback")) == (2 if status == 303 else 0)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("", 400),
        ("incident=1", 400),
        ("verdict=real", 400),
        ("incident=1&verdict=maybe", 400),
        ("incident=1&incident=2&verdict=real", 400),
        ("incident=%ff&verdict=real&x=1", 400),
        (b"\xff\xfe", 400),
        ("incident=" + "1" * 2000 + "&verdict=real", 400),
        ("incident=nobody&verdict=real", 404),
        ("incident=..%2F..%2Fetc%0d%0aset-cookie:x&verdict=real", 404),
    ],
)
def test_a_form_that_says_nothing_sensible_writes_nothing(
    body: str | bytes, status: int, client: TestClient, lake: Lake
) -> None:
    answer = client.post("/marks", content=body, headers=OWN_PAGE)
    assert answer.status_code == status
    assert json.loads(answer.text)["detail"].startswith(("a mark names", "no such incident"))
    assert lake.read("feedback").is_empty()


def test_reading_the_route_is_refused(client: TestClient) -> None:
    assert client.get("/marks").status_code == 405


def test_the_page_may_send_forms_to_itself_alone(client: TestClient) -> None:
    assert "form-action 'self'" in client.get("/").headers["content-security-policy"]


def test_a_lake_that_takes_nothing_is_no_page_of_code(
    client: TestClient, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*given: object, **named: object) -> None:
        raise StorageError("cannot write /secret/place: no space")

    monkeypatch.setattr(Lake, "write_late", full)
    answer = client.post("/marks", data={"incident": incident(lake), "verdict": "real"}, headers=OWN_PAGE)
    assert (answer.status_code, answer.json()["detail"]) == (503, "the lake took no mark; the console's log says why")
