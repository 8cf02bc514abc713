"""A notebook as a task: an edit is seen by the next run, a failure shows its page and its error in one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from components.core.errors import TraceoError
from components.core.launch.airflow import StepOperator
from components.core.launch.process import ProcessLauncher
from components.notebook import specs
from tests.notebook.adding import TEXT, write


@pytest.fixture
def folder(mlflow_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The notebooks' folder of the processes that a test starts."""
    monkeypatch.setenv("TRACEO_NOTEBOOKS", str(tmp_path / "notebooks"))
    return tmp_path / "notebooks"


@pytest.mark.slow
def test_an_edited_notebook_is_seen_by_the_next_run(folder: Path, tmp_path: Path) -> None:
    """The Spec at hand is the one from before the edit, as in a scheduler that has been up for days."""
    found = specs.read(write(folder))
    assert found
    edited = TEXT.replace("first: int = 2", "first: int = 5").replace("result = first + 3", "result = first * 100")
    write(folder, edited)
    uris = {"total": str(tmp_path / "total.json"), "report": str(tmp_path / "report")}
    summary = ProcessLauncher().run(found.spec, uris, {"words": "seen"})
    assert summary["sum"] == 500
    assert json.loads((tmp_path / "total.json").read_text()) == {"sum": 500, "words": "seen"}


def test_a_task_runs_the_notebook_as_it_is_now_and_a_failed_one_links_its_page(
    folder: Path, mlflow_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = specs.read(write(folder))
    assert found
    write(folder, TEXT.replace("result = first + 3", "raise ValueError('no data for checkout')"))
    # The task finds its Spec by name, in the folder as this process found it.
    monkeypatch.setattr(specs, "SPECS", [found.spec])
    task = StepOperator(spec=found.spec, task_id="adding")
    task.outputs = {port.name: str(mlflow_home / "runs" / "adding" / port.name) for port in found.spec.outputs}
    with pytest.raises(TraceoError) as caught:
        task.execute({"triggering_asset_events": {}})
    assert str(caught.value) == (
        "notebook.adding ended with exit code 1: "
        "error: notebook.adding: cell 4 (The sum): ValueError: no data for checkout"
    )
    assert task.links["report"].endswith("/files/runs/adding/report/index.html")
    assert (mlflow_home / "runs/adding/report/index.html").exists()
    assert (mlflow_home / "runs/adding/report/notebook.ipynb").exists()


def test_a_notebook_that_cannot_be_read_is_refused_by_name(folder: Path, tmp_path: Path) -> None:
    found = specs.read(write(folder))
    assert found
    path = write(folder, TEXT.replace("(json)", "(yaml)"))
    uris = {"total": str(tmp_path / "total.json"), "report": str(tmp_path / "report")}
    with pytest.raises(TraceoError, match=rf"exit code 2: error: {path}:5: port 'total' has the kind 'yaml'"):
        ProcessLauncher().run(found.spec, uris, {})
