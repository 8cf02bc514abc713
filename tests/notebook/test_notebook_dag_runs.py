"""The DAG of the notebooks in a real Airflow: an edit is seen by the next run, a failure shows where and what."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from components.core.settings import REPOSITORY
from tests.core.airflow_run import run_dag
from tests.notebook.adding import TEXT, write

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("airflow")]
DAG = REPOSITORY / "dags" / "traceo_notebooks.py"


def run(folder: Path, name: str) -> dict[str, Any]:
    """One run of the DAG on the notebooks of a folder; what Airflow tells of the task of `adding`."""
    given = {"TRACEO_HOME": str(folder / "home"), "TRACEO_NOTEBOOKS": str(folder / "notebooks")}
    given["TRACEO_CONSOLE_PAGE"] = "https://console.example"
    (folder / name).mkdir()
    page: dict[str, Any] = run_dag(DAG, "traceo_notebooks", folder / name, **given)["notebook_adding"]
    return page


def test_an_edit_is_seen_by_the_next_run_and_a_failure_leaves_its_page(tmp_path: Path) -> None:
    write(tmp_path / "notebooks")
    first = run(tmp_path, "first")
    edited = TEXT.replace("first: int = 2", "first: int = 5").replace("first + 3", "first * 100")
    write(tmp_path / "notebooks", edited)
    second = run(tmp_path, "second")
    assert [page["state"] for page in (first, second)] == ["success"] * 2
    assert [page["result"]["sum"] for page in (first, second)] == [5, 500]
    write(tmp_path / "notebooks", edited.replace("result = first * 100", "raise ValueError('no data for checkout')"))
    third = run(tmp_path, "third")
    assert third["state"] == "failed"
    link = third["links"]["Report"]
    assert link.startswith("https://console.example/files/runs/traceo_notebooks/")
    page = tmp_path / "home" / link.removeprefix("https://console.example/files/")
    assert "ValueError: no data for checkout</p>" in page.read_text()
    assert "no data for checkout" in json.dumps(json.loads(page.with_name("notebook.ipynb").read_text()))
