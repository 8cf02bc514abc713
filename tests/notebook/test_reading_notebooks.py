"""How a py:percent file becomes a Spec without being run, and what is said about one that cannot."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import pytest
from pydantic import ValidationError

from components.core.errors import InputError
from components.core.spec import Port, Resources
from components.notebook import specs
from components.notebook.specs import REPORT
from tests.notebook.adding import TEXT, write


def test_a_notebook_is_a_spec(tmp_path: Path) -> None:
    extra = "# - `lake` (lake): telemetry,\n#   and more\n# - `rows` (table of features, optional): some\n"
    text = TEXT.replace("# **Outputs**", f"# **Inputs**\n{extra}#\n# **Outputs**").replace(
        "- `total` (json): the sum",
        "- `total` (json): the sum\n#\n# **Resources**\n# - cpu: 0.5\n# - cell_timeout_s: 9",
    )
    text = text.replace("first: int", 'lake = "lake"\nrows = "rows.parquet"\nfirst: int')
    found = specs.read(write(tmp_path, text))
    assert found
    assert found.spec.name == "notebook.adding"
    assert found.spec.title == "Adding up"
    assert found.spec.inputs == (
        Port("lake", "lake", "telemetry, and more"),
        Port("rows", "table", "some", "features", optional=True),
    )
    assert found.spec.outputs == (Port("total", "json", "the sum"), REPORT)
    assert found.spec.resources == Resources(cpu=0.5)
    assert found.cell_timeout_s == 9
    assert found.spec.params().model_dump() == {"first": 2, "words": "plain"}
    assert found.spec.params.model_fields["first"].description == "the first number"


@pytest.mark.parametrize("values", [{"first": 11}, {"first": -1}, {"first": "many"}, {"third": 3}])
def test_parameters_are_checked(tmp_path: Path, values: dict[str, Any]) -> None:
    found = specs.read(write(tmp_path))
    assert found
    with pytest.raises(ValidationError):
        found.spec.params.model_validate(values)


@pytest.mark.parametrize(
    ("written", "annotation"),
    [
        ("first = 2  # n", int),
        ("first = True  # n", bool),
        ("first: float = 2.5  # n", float),
        ("first: list[str] = ['a', 'b']  # n", list[str]),
        ("first: dict[str, float] = {'a': 1.0}  # n", dict[str, float]),
        ("first: str | None = None  # n", str | None),
        ("first: Literal['a', 'b'] = 'a'  # n", Literal["a", "b"]),
        ("first: list[str] = [\n    'a',\n    'b',\n]  # n", list[str]),
    ],
)
def test_types_of_parameters(tmp_path: Path, written: str, annotation: Any) -> None:
    found = specs.read(write(tmp_path, TEXT.replace("first: int = 2  # the first number, [0, 10]", written)))
    assert found
    assert found.spec.params.model_fields["first"].annotation == annotation


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("# # Adding up", "# Adding up", 2, "must be Markdown and begin with '# Title'"),
        ("# - `total` (json)", "# - total (json)", 5, "not a port"),
        ("(json)", "(yaml)", 5, "port 'total' has the kind 'yaml'; choose one of table, json, folder, lake"),
        ("`total`", "`report`", 5, "the port name 'report' is taken"),
        ("# - `total` (json): the sum", "# words", 2, "lists no **Outputs**"),
        ('# %% tags=["parameters"]', "# %%", 2, "0 cells are tagged"),
        ('total: str = "total.json"\n', "", 8, "lacks the port 'total'"),
        ('total: str = "total.json"', "total: str = 1", 8, "the port 'total' must be a path in quotes, not 1"),
        ("first: int = 2", "first: int = 1 + int('1')", 9, "'first' is not a literal: 1 + int('1')"),
        ("first: int = 2", "first: int = 11", 9, "parameter 'first' = 11: Input should be less than or equal to 10"),
        ("first: int = 2", "first: int = 2.5", 9, "Input should be a valid integer"),
        ("first: int = 2", "first: set[int] = 2", 9, "the type set[int] is not known here"),
        ("first: int = 2", "first: int", 9, "only name: type = literal may stand"),
        ("first: int = 2", "import os; first = 2", 9, "only name: type = literal may stand"),
        ("first: int = 2", "first: int = = 2", 9, "the parameters cell is not Python"),
        ("first: int = 2", "First: int = 2", 9, "write its name in lower case"),
        ("  # any words", "", 10, "parameter 'words' has no description"),
        ("# any words", "# any words, [1, 2]", 10, "is str and cannot have bounds"),
        ("words: str", "first: str", 8, "assigns 'first' twice"),
        ("the sum\n", "the sum\n#\n# **Resources**\n# - gpu: 1\n", 8, "not a resource"),
    ],
)
def test_a_malformed_notebook_names_file_and_line(tmp_path: Path, old: str, new: str, line: int, words: str) -> None:
    assert old in TEXT
    path = write(tmp_path, TEXT.replace(old, new, 1))
    with pytest.raises(InputError) as caught:
        specs.read(path)
    assert str(caught.value).startswith(f"{path}:{line}: ")
    assert words in str(caught.value)


def test_nothing_is_run(tmp_path: Path) -> None:
    path = write(tmp_path, TEXT.replace("result = first", "open('ran', 'w')\nresult = first"))
    specs.read(path)
    assert list(tmp_path.iterdir()) == [path]


def test_one_broken_notebook_leaves_the_others_in_service(tmp_path: Path) -> None:
    write(tmp_path)
    write(tmp_path, TEXT.replace("(json)", "(yaml)"), "broken")
    write(tmp_path, "# %%\nprint('an ordinary notebook')\n", "ordinary")
    found, problems = specs.discover(tmp_path)
    assert [item.name for item in found] == ["adding"]
    assert list(problems) == ["broken"]
    assert "broken.py:5:" in str(problems["broken"])


def test_a_name_that_is_no_step_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"Adding-Up\.py:1: the file's name 'Adding-Up' becomes a step"):
        specs.read(write(tmp_path, name="Adding-Up"))
