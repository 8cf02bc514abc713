"""The notebooks of this repository: readable, on one domain each, and their pages as the world left them."""

from __future__ import annotations

import json
import re
import subprocess

import pytest

from components.core.settings import REPOSITORY
from components.notebook.graduation.parts import take_apart
from components.notebook.specs import NOTEBOOKS, PROBLEMS, Notebook
from tests.world import World

each = pytest.mark.parametrize("notebook", NOTEBOOKS, ids=[item.name for item in NOTEBOOKS])


def test_every_notebook_can_be_read() -> None:
    assert PROBLEMS == {}
    files = {path.stem for path in (REPOSITORY / "notebooks").glob("*.py")}
    assert {item.name for item in NOTEBOOKS} == files
    assert len(files) >= 5


def test_no_ipynb_is_committed() -> None:
    listed = subprocess.run(["git", "ls-files", "*.ipynb"], cwd=REPOSITORY, capture_output=True, text=True)
    assert listed.stdout == ""


@each
def test_it_asserts_something_and_could_graduate(notebook: Notebook) -> None:
    assert len(take_apart(notebook).assertions) >= 3


@each
def test_it_rests_on_core_and_at_most_one_domain(notebook: Notebook) -> None:
    text = notebook.path.read_text()
    used = set(re.findall(r"^from components\.(\w+)", text, re.MULTILINE)) - {"core", "notebook"}
    assert len(used) <= 1, f"{notebook.name} mixes {used}"


@pytest.mark.xdist_group("world")
@each
def test_its_page_stands_alone(world: World, notebook: Notebook) -> None:
    report = world.root / "runs" / notebook.spec.name / "report"
    page = (report / "index.html").read_text()
    assert "<h1" in page
    assert notebook.spec.title in page
    assert page.count('src="data:image/png;base64,') >= 2
    assert not re.search(r'(src|href)="(?!data:image|#)', page), "the page asks another place for something"
    assert "<script" not in page
    cells = json.loads((report / "notebook.ipynb").read_text())["cells"]
    written = [output for cell in cells for output in cell.get("outputs", ()) if output.get("name") == "stderr"]
    assert written == [], "a cell warns"
    assert all(cell["execution_count"] for cell in cells if cell["cell_type"] == "code")
