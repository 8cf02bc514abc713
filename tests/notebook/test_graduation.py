"""What of a notebook becomes a step, and that the scaffold of each one here passes its tests and the linters."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from components.core.errors import InputError, TraceoError
from components.core.settings import REPOSITORY
from components.notebook import graduation, specs
from components.notebook.graduation.parts import take_apart
from tests.notebook.adding import TEXT, write
from tests.world import World, fingerprint

CODE = """\
# %%
import math

from components.core.lake import Lake
from components.notebook.artifacts import write_json

telemetry = Lake(lake)
assert first is not None, "say first"
# Why two.
base = first + 2
shown = [name for name in range(base)]
seen = []
for number in range(base):
    seen.append(math.sqrt(number))
base

# %% tags=["plot"]
print("a picture", shown)

# %%
print(base)
assert base > 1, "too little"
for number in seen:
    assert number >= 0

# %%
write_json(total, {"sum": sum(seen)})
"""
FIXTURE = """\
import pytest
from pathlib import Path
from tests.world import World


@pytest.fixture(scope="session")
def world():
    return World(Path({root!r}))
"""
NOTEBOOK = (
    TEXT[: TEXT.index("# %% [markdown]\n# ## The sum")]
    .replace("# **Outputs**", "# **Inputs**\n# - `lake` (lake): telemetry\n#\n# **Outputs**")
    .replace("total: str", 'lake: str = "lake"\ntotal: str')
    + CODE
)


def test_a_notebook_is_taken_apart(tmp_path: Path) -> None:
    found = specs.read(write(tmp_path, NOTEBOOK))
    assert found
    parts = take_apart(found)
    assert [piece.text for piece in parts.body] == [
        "if first is None:\n    raise InputError('say first')",
        "# Why two.\nbase = first + 2",
        "seen = []",
        "for number in range(base):\n    seen.append(math.sqrt(number))",
    ]
    assert [piece.text for piece in parts.assertions] == [
        'assert base > 1, "too little"',
        "for number in seen:\n    assert number >= 0",
    ]
    assert parts.asserted == ["base", "seen"]
    assert parts.outputs == {"total": "{'sum': sum(seen)}"}


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("telemetry = Lake(lake)", "telemetry = open(lake)", r"adding\.py:22: the port 'lake' graduates only within"),
        ("write_json(total, ", "print(", r"no cell writes 'total'"),
    ],
)
def test_what_cannot_graduate_is_named(tmp_path: Path, old: str, new: str, words: str) -> None:
    found = specs.read(write(tmp_path, NOTEBOOK.replace(old, new)))
    assert found
    with pytest.raises(InputError, match=words):
        take_apart(found)


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with one package that offers no steps."""
    root = tmp_path / "checkout"
    (root / "components" / "serving").mkdir(parents=True)
    (root / "components" / "serving" / "server.py").write_text("PORT = 8081\n")
    (root / "tests").mkdir()
    monkeypatch.setattr(graduation, "REPOSITORY", root)
    return root


def notebook(folder: Path, text: str = NOTEBOOK) -> specs.Notebook:
    found = specs.read(write(folder, text))
    assert found
    return found


WITHOUT_INPUTS = NOTEBOOK.replace("# **Inputs**\n# - `lake` (lake): telemetry\n#\n", "").replace(
    'lake: str = "lake"\n', ""
)
WITHOUT_INPUTS = WITHOUT_INPUTS.replace("telemetry = Lake(lake)\n", "")


def test_a_notebook_without_inputs_graduates_to_a_spec_without_inputs(checkout: Path, tmp_path: Path) -> None:
    written = graduation.graduate(notebook(tmp_path, WITHOUT_INPUTS), "sums")
    assert {path for path in checkout.rglob("*.py") if "serving" not in path.parts} == set(written)
    for path in written:
        ast.parse(path.read_text())
    namespace: dict[str, Any] = {}
    exec((checkout / "components/sums/specs.py").read_text(), namespace)
    assert namespace["ADDING"].inputs == ()
    assert [port.name for port in namespace["ADDING"].outputs] == ["total"]


@pytest.mark.parametrize(
    ("old", "new", "domain", "words"),
    [
        ("", "", "serving", r"'serving' cannot be the domain, it has no .*specs\.py .*--domain"),
        ("- `total` (json)", "- `total` (lake)", "sums", r"the output 'total' is a lake; write that step by hand"),
        ("", "", "class", r"'class' cannot be the domain; there are "),
        ("# # Adding up", '# # Adding """up', "sums", r"its scaffold is no Python \(.*up"),
    ],
)
def test_what_is_refused_leaves_nothing_written(
    checkout: Path, tmp_path: Path, old: str, new: str, domain: str, words: str
) -> None:
    before = fingerprint(checkout)
    with pytest.raises(InputError, match=words):
        graduation.graduate(notebook(tmp_path, NOTEBOOK.replace(old, new, 1)), domain)
    assert fingerprint(checkout) == before
    assert [path.name for path in (checkout / "components").iterdir()] == ["serving"]


def test_a_failure_while_writing_is_undone(checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    graduation.graduate(notebook(tmp_path), "sums")
    before = fingerprint(checkout)
    other = specs.read(write(tmp_path, NOTEBOOK, "adding_again"))
    assert other

    def fail(files: list[Path]) -> None:
        assert all(path.exists() for path in files)
        raise TraceoError("no ruff")

    monkeypatch.setattr(graduation, "_tidy", fail)
    for domain in ("sums", "more_sums"):
        with pytest.raises(TraceoError, match="no ruff"):
            graduation.graduate(other, domain)
        assert fingerprint(checkout) == before
    assert not (checkout / "components" / "more_sums").exists()


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the repository's code, to scaffold into."""
    target = tmp_path / "copy"
    target.mkdir()
    for name in ("components", "dags", "expectations", "feature_repo", "infra", "kfp_pipelines", "notebooks", "tests"):
        if (REPOSITORY / name).exists():
            shutil.copytree(REPOSITORY / name, target / name, ignore=shutil.ignore_patterns("__pycache__", "*.ipynb"))
    shutil.copy(REPOSITORY / "pyproject.toml", target)
    return target


def call(copy: Path, *command: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(copy)}
    done = subprocess.run([sys.executable, "-m", *command], cwd=copy, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
@pytest.mark.xdist_group("world")
@pytest.mark.parametrize(
    ("name", "domain", "arguments"),
    [
        ("exploring_the_lake", "overview", ["--domain", "overview"]),
        ("choosing_a_detector", "anomaly", []),
        ("backtesting_a_forecast", "forecasting", []),
        ("walking_through_an_incident", "rootcause", ["--domain", "rootcause"]),
        ("reading_drift", "quality", []),
    ],
)
def test_a_graduated_notebook_passes_its_tests_and_the_linters(
    world: World, copy: Path, name: str, domain: str, arguments: list[str]
) -> None:
    said = call(copy, "components.cli", "notebook", "graduate", name, *arguments)
    assert f"wrote components/{domain}/{name}.py" in said
    assert f"a link for {domain}.{name}" in said
    # The world that stands already, instead of another one.
    (copy / "tests" / domain / "conftest.py").write_text(FIXTURE.format(root=str(world.root)))
    test = f"tests/{domain}/test_{name}.py"
    call(copy, "pytest", "-n", "0", "-p", "no:cacheprovider", test)
    paths = [f"components/{domain}", test]
    call(copy, "ruff", "check", "--no-cache", *paths)
    call(copy, "ruff", "format", "--no-cache", "--check", *paths)
    call(copy, "mypy", "--cache-dir", str(copy / ".mypy"), "-p", f"components.{domain}")
