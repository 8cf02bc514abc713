"""infra/grafana: the JSON is what the program makes, is one that Grafana can read, and names metrics that there are.

Grafana itself does not run here: the structure is checked by the named checks below. What the queries return is
checked against a real Prometheus, in tests/infra/test_grafana_queries.py.
"""

from __future__ import annotations

import copy
import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.core.settings import REPOSITORY
from infra.grafana.generate import DASHBOARDS, FOLDER
from infra.grafana.panels import render

from .promql import exposed, names, recorded, rules

GRAFANA = REPOSITORY / "infra/grafana"
FILES = sorted(FOLDER.glob("*.json"))
#: Of Grafana's panels and units (packages/grafana-data/src/valueFormats), those in use.
PANELS = {"timeseries", "stat", "table", "bargauge"}
UNITS = {"short", "s", "percentunit", "bytes", "reqps", "dateTimeFromNow"}
INTERVAL = "$__rate_interval"


def load(file: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(file.read_text())
    return content


def queries(dashboard: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Each query with the name of its panel."""
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            yield f"{dashboard['title']}: {panel['title']} {target['refId']}", target["expr"]


def flaws(dashboard: dict[str, Any]) -> list[str]:
    """What Grafana would not show, or not as meant."""
    found = [f"no {key}" for key in ("uid", "title", "schemaVersion", "panels", "templating") if not dashboard.get(key)]
    panels = dashboard.get("panels", [])
    if len({panel["id"] for panel in panels}) < len(panels):
        found.append("two panels have one id")
    variables = {variable["name"] for variable in dashboard["templating"]["list"]}
    for panel in panels:
        found += [f"{panel['title']}: {flaw}" for flaw in _flaws_of(panel, variables)]
    for one, other in itertools.combinations(panels, 2):
        if _overlap(one["gridPos"], other["gridPos"]):
            found.append(f"{one['title']} and {other['title']} overlap")
    return found


def _flaws_of(panel: dict[str, Any], variables: set[str]) -> Iterator[str]:
    place = panel["gridPos"]
    if panel["type"] not in PANELS:
        yield f"unknown panel {panel['type']!r}"
    if panel["fieldConfig"]["defaults"]["unit"] not in UNITS:
        yield f"unknown unit {panel['fieldConfig']['defaults']['unit']!r}"
    if place["x"] < 0 or place["x"] + place["w"] > 24 or place["w"] < 3:
        yield "does not fit into the 24 columns"
    if not panel["targets"]:
        yield "no query"
    for target in panel["targets"]:
        if target["instant"] == target["range"]:
            yield f"query {target['refId']} is neither instant nor over a range"
        if target["datasource"]["uid"].strip("${}") not in variables:
            yield f"query {target['refId']} asks a data source that no variable names"
    if len({target["refId"] for target in panel["targets"]}) < len(panel["targets"]):
        yield "two queries have one refId"


def _overlap(one: dict[str, int], other: dict[str, int]) -> bool:
    return all(
        one[start] < other[start] + other[length] and other[start] < one[start] + one[length]
        for start, length in (("x", "w"), ("y", "h"))
    )


def test_the_files_are_what_the_program_makes() -> None:
    assert [file.stem for file in FILES] == sorted(dashboard.name for dashboard in DASHBOARDS)
    for dashboard in DASHBOARDS:
        written = (FOLDER / f"{dashboard.name}.json").read_text()
        assert written == render(dashboard), "run `python -m infra.grafana.generate`"


@pytest.mark.parametrize("file", FILES, ids=[file.stem for file in FILES])
def test_the_structure_is_one_that_grafana_reads(file: Path) -> None:
    assert flaws(load(file)) == []


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"type": "grahp"}, "unknown panel 'grahp'"),
        ({"gridPos": {"x": 20, "y": 0, "w": 8, "h": 4}}, "does not fit into the 24 columns"),
        ({"targets": []}, "no query"),
        ({"gridPos": {"x": 4, "y": 0, "w": 4, "h": 4}}, "overlap"),
        ({"id": 2}, "two panels have one id"),
    ],
)
def test_a_flaw_is_named(change: dict[str, Any], told: str) -> None:
    """Mutations of a dashboard's first panel."""
    broken = copy.deepcopy(load(FILES[0]))
    broken["panels"][0] |= change
    assert any(told in flaw for flaw in flaws(broken))


def test_uids_and_titles_are_unique() -> None:
    loaded = [load(file) for file in FILES]
    assert len({one["uid"] for one in loaded}) == len({one["title"] for one in loaded}) == len(FILES) == 3


def misnamed(dashboards: list[dict[str, Any]], known: set[str]) -> dict[str, set[str]]:
    """By query, the metrics that nothing exposes or records."""
    asked = {name: names(query.replace(INTERVAL, "5m")) for board in dashboards for name, query in queries(board)}
    return {name: missing for name, found in asked.items() if (missing := found - known)}


def test_every_query_names_metrics_that_there_are(tmp_path: Path, mlflow_home: Path) -> None:
    loaded = [load(file) for file in FILES]
    known = exposed(tmp_path) | recorded()
    assert sum(1 for board in loaded for _ in queries(board)) > 35
    assert misnamed(loaded, known) == {}
    loaded[0]["panels"][0]["targets"][0]["expr"] = "max(traceo_incident)"
    name = f"{loaded[0]['title']}: {loaded[0]['panels'][0]['title']} A"
    assert misnamed(loaded, known) == {name: {"traceo_incident"}}, "mutation: a misspelled metric"


def test_every_metric_of_ours_is_shown(tmp_path: Path, mlflow_home: Path) -> None:
    recorded_from = {name: names(rule["expr"]) for rule in rules() if (name := rule.get("record"))}
    asked = {
        name for file in FILES for _, query in queries(load(file)) for name in names(query.replace(INTERVAL, "5m"))
    }
    shown = asked.union(*(recorded_from.get(name, set()) for name in asked))
    ours = {name for name in exposed(tmp_path) if name.startswith("traceo_") and not name.endswith("_created")}
    assert ours - shown == set()


def test_provisioning_finds_the_dashboards_and_the_data_source() -> None:
    (source,) = yaml.safe_load((GRAFANA / "provisioning/datasources/traceo.yaml").read_text())["datasources"]
    (provider,) = yaml.safe_load((GRAFANA / "provisioning/dashboards/traceo.yaml").read_text())["providers"]
    assert (source["type"], source["url"]) == ("prometheus", "${TRACEO_PROMETHEUS_URL}")
    assert provider["type"] == "file"
    assert provider["options"]["path"].startswith("/var/lib/grafana/")
    scraped = yaml.safe_load((REPOSITORY / "infra/prometheus/prometheus.yml").read_text())
    assert source["jsonData"]["timeInterval"] == scraped["global"]["scrape_interval"]
