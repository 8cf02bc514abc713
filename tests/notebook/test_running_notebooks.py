"""A notebook run as a step: what it leaves when it succeeds, when a cell raises, and when one never ends."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from components.core import tracking
from components.core.errors import NotYetError, TraceoError
from components.core.step import StepIO, parse_params
from components.notebook import specs, steps
from tests.notebook.adding import TEXT, write
from tests.world import fingerprint

#: Would end a string, a line, a comment, a command and a page's text, wherever it were pasted in.
HOSTILE = "\"); open('hacked', 'w') #\n'''\\ $(touch hacked) <script>alert(1)</script> {{ 7 * 7 }}"


def run(path: Path, place: Path, params: dict[str, Any] | None = None) -> dict[str, Any]:
    """Run one notebook; its outputs go to `place`."""
    found = specs.read(path)
    assert found
    checked = parse_params(found.spec, params or {})
    uris = {"total": str(place / "total.json"), "report": str(place / "report")}
    io = StepIO(found.spec, uris, checked)
    summary = dict(steps.step_of(found)(io, checked))
    io.finish(summary)
    return summary


def failed(path: Path, place: Path) -> TraceoError:
    with pytest.raises(TraceoError) as caught:
        run(path, place)
    return caught.value


def artifacts(run_id: str) -> list[str]:
    return sorted(item.path for item in tracking.client().list_artifacts(run_id, "report"))


def test_a_run_keeps_outputs_report_and_mlflow_run_and_a_retry_the_same_bytes(
    mlflow_home: Path, tmp_path: Path
) -> None:
    path = write(tmp_path / "notebooks")
    summary = run(path, tmp_path / "run", {"first": 4, "words": HOSTILE})
    assert json.loads((tmp_path / "run/total.json").read_text()) == {"sum": 7, "words": HOSTILE}
    assert summary["sum"] == 7
    page = (tmp_path / "run/report/index.html").read_text()
    assert "<script" not in page
    assert "://" not in page
    assert "&lt;script&gt;alert(1)" in page
    logged = tracking.client().get_run(summary["mlflow_run_id"])
    assert logged.info.status == "FINISHED"
    assert logged.data.metrics == {"sum": 7.0}
    assert artifacts(summary["mlflow_run_id"]) == ["report/index.html", "report/notebook.ipynb"]
    first = fingerprint(tmp_path / "run" / "report")
    run(path, tmp_path / "run", {"first": 4, "words": HOSTILE})
    assert fingerprint(tmp_path / "run" / "report") == first
    assert not list(tmp_path.rglob("hacked"))
    assert not Path("hacked").exists()


def test_a_cell_that_raises_leaves_its_page_and_says_so_in_one_line(mlflow_home: Path, tmp_path: Path) -> None:
    path = write(
        tmp_path / "notebooks",
        TEXT.replace("result = first + 3", "raise ValueError('no <b>data</b> for checkout\\nsecond line')"),
    )
    error = failed(path, tmp_path / "run")
    assert str(error) == "notebook.adding: cell 4 (The sum): ValueError: no <b>data</b> for checkout"
    assert error.exit_code == 1
    report = tmp_path / "run" / "report"
    assert error.links["report"] == str(report / "index.html")
    page = (report / "index.html").read_text()
    assert 'href="#cell-id=cell-4"' in page
    assert 'id="cell-id=cell-4"' in page
    assert "ValueError: no &lt;b&gt;data&lt;/b&gt; for checkout" in page
    cells = json.loads((report / "notebook.ipynb").read_text())["cells"]
    assert [output["ename"] for cell in cells for output in cell.get("outputs", ()) if "ename" in output] == [
        "ValueError"
    ]
    # No sidecar: for the steps that follow nothing of it exists.
    assert not list((tmp_path / "run").rglob("*.meta.json"))
    assert not (tmp_path / "run" / "total.json").exists()
    logged = tracking.client().get_run(error.links["mlflow_run_id"])
    assert logged.info.status == "FAILED"
    assert logged.data.tags["error"] == "cell 4 (The sum): ValueError: no <b>data</b> for checkout"
    assert artifacts(error.links["mlflow_run_id"]) == ["report/index.html", "report/notebook.ipynb"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("while True:\n    pass", "cell 4 (The sum): TimeoutError: still running after 2 s"),
        ("import os\n\nos._exit(9)", "cell 4 (The sum): RuntimeError: the kernel died; it may have run out of memory"),
        ("result = first +", "cell 4 (The sum): SyntaxError: invalid syntax"),
    ],
)
def test_a_cell_that_never_ends_or_ends_its_kernel(mlflow_home: Path, tmp_path: Path, line: str, words: str) -> None:
    text = TEXT.replace("result = first + 3", line).replace(
        "the sum\n", "the sum\n#\n# **Resources**\n# - cell_timeout_s: 2\n", 1
    )
    error = failed(write(tmp_path / "notebooks", text), tmp_path / "run")
    assert words in str(error)
    assert words.split(": ", 1)[1] in (tmp_path / "run/report/index.html").read_text()
    assert "mlflow_run_id" in error.links


@pytest.mark.slow
def test_a_notebook_may_wait_for_data(mlflow_home: Path, tmp_path: Path) -> None:
    waiting = "from components.core.errors import NotYetError\n\nraise NotYetError('an hour more')"
    error = failed(write(tmp_path / "notebooks", TEXT.replace("result = first + 3", waiting)), tmp_path / "run")
    assert isinstance(error, NotYetError)
    assert str(error) == "notebook.adding: cell 4 (The sum): NotYetError: an hour more"


@pytest.mark.slow
def test_an_output_that_no_cell_writes_is_named(mlflow_home: Path, tmp_path: Path) -> None:
    error = failed(write(tmp_path / "notebooks", TEXT.rsplit("# %%", 1)[0]), tmp_path / "run")
    assert str(error) == "notebook.adding ended without its output; call write_json(total, …) in a cell"
    assert Path(error.links["report"]).exists()
