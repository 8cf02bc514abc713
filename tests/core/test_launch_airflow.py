"""A step as an Airflow task, whatever runs it: its links, also after a failure, its parameters, its announcements."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest
from airflow.sdk.exceptions import AirflowSkipException
from airflow.serialization.serialized_objects import DagSerialization

from components.actions.specs import CORRELATE
from components.core import tracking
from components.core.errors import NotYetError, SettingsError, TraceoError
from components.core.lake import Lake
from components.core.launch import LAUNCHERS
from components.core.launch.airflow import LAKE, step
from components.core.launch.task import StepTask
from components.core.settings import settings
from components.core.spec import Spec
from components.core.times import Window
from tests.core.driving import context, dag, execute

pytestmark = pytest.mark.xdist_group("airflow")


class Scripted:
    """A launcher that ends as it is told."""

    says: Any = None
    given: dict[str, Any]

    def run(self, spec: Spec, uris: Mapping[str, str], params: Mapping[str, Any]) -> dict[str, Any]:
        type(self).given = {"uris": dict(uris), "params": dict(params)}
        if isinstance(self.says, Exception):
            raise self.says
        return dict(self.says)

    def stop(self) -> None: ...


@pytest.fixture(autouse=True)
def _scripted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setitem(LAUNCHERS, "scripted", Scripted)
    monkeypatch.setattr(tracking, "run_url", lambda run_id: f"http://mlflow/#/runs/{run_id}")
    monkeypatch.setenv("TRACEO_RUNNER", "scripted")
    monkeypatch.setenv("TRACEO_HOME", str(tmp_path))
    monkeypatch.setenv("TRACEO_CONSOLE_PAGE", "https://console.example/")
    settings.cache_clear()
    yield
    settings.cache_clear()


def task(says: Any, **given: Any) -> StepTask:
    Scripted.says = says
    with dag():
        return step(CORRELATE, **given)


def links(made: StepTask) -> dict[str, str]:
    """What Airflow's runner asks each link once the task has ended, by the key of the XCom it keeps it under."""
    return {link.xcom_key: link.get_link(made, ti_key=None) for link in made.operator_extra_links}


def left(home: Path) -> dict[str, str]:
    return {"mlflow_run_id": "abc", "report": f"{home}/runs/a dag/it#1/report/index.html"}


EXPECTED = {
    "link_mlflow": "http://mlflow/#/runs/abc",
    "link_report": "https://console.example/files/runs/a%20dag/it%231/report/index.html",
}


def test_a_summary_becomes_links(tmp_path: Path) -> None:
    made = task(left(tmp_path))
    assert execute(made) == left(tmp_path)
    assert links(made) == EXPECTED


def test_a_failed_task_has_its_links(tmp_path: Path) -> None:
    made = task(TraceoError("cell 3 raised ValueError", links=left(tmp_path)))
    with pytest.raises(TraceoError, match="cell 3"):
        execute(made)
    assert links(made) == EXPECTED


def test_a_skipped_task_has_its_links(tmp_path: Path) -> None:
    made = task(NotYetError("two hours so far", links=left(tmp_path)))
    with pytest.raises(AirflowSkipException, match="two hours so far"):
        execute(made)
    assert links(made) == EXPECTED


def test_a_task_without_a_run_has_no_link() -> None:
    made = task({})
    execute(made)
    assert links(made) == {"link_mlflow": "", "link_report": ""}


def test_the_web_server_finds_links_and_artifacts_by_name() -> None:
    """The web server knows no class of ours: it has the serialized task, the rendered fields and the XComs."""
    made = task({})
    known = DagSerialization.deserialize_dag(DagSerialization.serialize_dag(made.dag)).get_task(made.task_id)
    assert {link.name: link.xcom_key for link in known.operator_extra_links} == {
        "MLflow run": "link_mlflow",
        "Report": "link_report",
    }
    assert {"inputs", "outputs", "step_params"} <= set(known.template_fields)


def test_a_run_looks_at_the_latest_instant_it_was_told(tmp_path: Path) -> None:
    given = context(made := task({}), conf={"as_of": "2026-03-01T01:00:00+02:00"})
    event = SimpleNamespace(extra={"as_of": "2026-03-01T00:00:00Z"})
    given["triggering_asset_events"] = {LAKE: [event, SimpleNamespace(extra=None)]}
    execute(made, given)
    assert Scripted.given["params"] == {"as_of": "2026-03-01T00:00:00Z"}


def test_an_instant_that_the_dag_gives_comes_first() -> None:
    made = task({}, as_of="{{ dag.dag_id }}")
    execute(made, context(made, conf={"as_of": "2026-03-01T00:00:00Z"}))
    assert Scripted.given["params"] == {"as_of": "a_dag"}


def test_an_outlet_tells_how_far_the_lake_goes(tmp_path: Path) -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    facts = {"service": "a", "instance": "a-0", "metric": "m", "value": 1.0}
    rows = pl.DataFrame({"timestamp": [start]}).with_columns(pl.lit(v).alias(k) for k, v in facts.items())
    window = Window(start, start + timedelta(minutes=5))
    Lake(settings().lake_uri).write_window("metrics", rows, window, producer="test", params={})
    given = context(made := task({}, outlets=[LAKE]))
    execute(made, given)
    assert given["outlet_events"][LAKE].extra == {"as_of": "2026-01-01T00:05:00Z"}


def test_a_mistyped_runner_is_told_where_dags_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRACEO_RUNNER", "kubernets")
    settings.cache_clear()
    with dag(), pytest.raises(SettingsError, match=r"TRACEO_RUNNER='kubernets' is not known; choose from .*kubernetes"):
        step(CORRELATE)
