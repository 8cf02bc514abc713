"""The build matrix: an image for every step, with the code it imports and without what belongs to others."""

from __future__ import annotations

import ast
import copy
import importlib.metadata
import os
import re
import subprocess
from pathlib import Path

import pytest
from docker.utils import exclude_paths

from components.core.launch.images import image_of
from components.core.spec import domains, specs
from infra.images import build, requirements, table
from infra.images.errors import ImageError
from infra.images.matrix import ROOT, Image, files, forbidden, images, package_name, project

CONTENT = project()
IMAGES = {image.name: image for image in images()}
each = pytest.mark.parametrize("image", IMAGES.values(), ids=IMAGES.keys())
_OURS = ("components", "dags", "expectations", "feature_repo")
#: Modules of core that only what starts steps imports, with the interfaces of all of them.
_LAUNCHING = re.compile(r"components/core/launch/(airflow|kfp|kubernetes|pods|pod_end|task)\.py")


def test_every_step_has_an_image_and_a_group() -> None:
    assert {*domains(), "airflow", "serving"} == IMAGES.keys()
    assert {build.reference(spec.domain) for spec in specs()} == {image_of(spec) for spec in specs()}
    for image in IMAGES.values():
        assert set(image.groups) <= CONTENT["project"]["optional-dependencies"].keys()


@each
def test_every_path_of_an_image_exists(image: Image) -> None:
    assert [path for path in image.paths if not files([path])] == []


@each
def test_an_image_holds_all_of_our_code_that_its_code_imports(image: Image) -> None:
    held = set(files(image.paths))
    # Where notebooks are no steps they are read, for their interfaces, and not run.
    read = "components/notebook/steps.py" not in held
    missing = {
        f"{path} imports {module}"
        for path in held
        if path.endswith(".py") and not _LAUNCHING.fullmatch(path) and not (read and path.startswith("notebooks/"))
        for module in _our_imports(ROOT / path)
        if not {f"{module.replace('.', '/')}.py", f"{module.replace('.', '/')}/__init__.py"} & held
    }
    assert missing == set()


@each
def test_an_image_holds_no_tests_no_state_and_no_secrets(image: Image) -> None:
    strange = [path for path in files(image.paths) if Path(path).parts[0] not in (*_OURS, "infra", "notebooks")]
    assert strange == []
    assert not [path for path in files(image.paths) if path.endswith((".env", ".pem", ".db", ".pyc"))]


@pytest.mark.parametrize("kind", ["checkout", "copy"])
def test_what_git_does_not_know_is_in_no_image(tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "notebooks"
    (folder / ".ipynb_checkpoints").mkdir(parents=True)
    for name in ("a.py", "a.ipynb", ".ipynb_checkpoints/a-checkpoint.ipynb", ".env"):
        (folder / name).write_text("")
    if kind == "checkout":
        subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
        subprocess.run(["git", "add", "notebooks/a.py"], cwd=tmp_path, check=True)
        (folder / "unknown.py").write_text("")
    assert files(["notebooks", "notebooks/*"], tmp_path) == ["notebooks/a.py"]


def test_what_is_secret_or_of_one_user_is_not_sent_to_the_builder(tmp_path: Path) -> None:
    refused = [".env", "infra/compose/.env", "notebooks/a.ipynb", "notebooks/.ipynb_checkpoints/a.py"]
    for name in [*refused, "notebooks/a.py"]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    patterns = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if not line.startswith("#")]
    sent = {path for path in exclude_paths(str(tmp_path), patterns) if (tmp_path / path).is_file()}
    assert sent == {"notebooks/a.py"}


def test_every_image_holds_kubeflows_executor_as_locked_and_nothing_that_it_depends_on() -> None:
    """tests/kfp_pipelines/test_pipelines_in_containers.py starts it in the images."""
    found = {name: version for name, version in requirements.core() if name.startswith("kfp")}
    assert found == {"kfp": importlib.metadata.version("kfp")}


@pytest.mark.parametrize("failing", ["image", "create", "cp", "rm"])
def test_what_the_engine_says_when_it_fails_is_the_error(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path, failing: str
) -> None:
    engine = tmp_path / "podman"
    engine.write_text(
        f'#!/bin/sh\n[ "$1" = {failing} ] && {{ echo "first" >&2; echo "no space left" >&2; exit 125; }}\necho 1\n'
    )
    engine.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(build, "BUILD", tmp_path)
    monkeypatch.setattr(build, "prepare", lambda chosen: None)
    monkeypatch.setattr(build, "_list_files", lambda chosen: None)
    monkeypatch.setattr(build, "import_base", lambda builder, anew: None)
    assert build.main(["logs", "--builder", "podman"]) == 1
    said = capfd.readouterr().err
    assert re.match(rf"error: podman {failing} .*: no space left\n$", said.splitlines(keepends=True)[-1])


@each
def test_what_belongs_to_others_is_forbidden(image: Image) -> None:
    refused = forbidden(image, CONTENT, ())
    own = {package_name(line) for group in image.groups for line in CONTENT["project"]["optional-dependencies"][group]}
    assert refused & own == set()
    assert {"apache-airflow", "kfp", "feast", "prophet"} - own <= refused


def test_a_group_that_pulls_airflow_in_is_refused() -> None:
    """Though the group asks for it itself: the import contracts say that forecasting's code may not import it."""
    mutated = copy.deepcopy(CONTENT)
    mutated["project"]["optional-dependencies"]["forecasting"].append("apache-airflow>=3.3")
    pins = {("prophet", "1.5"): "", ("apache-airflow", "3.3.2"): "", ("apache-airflow-core", "3.3.2"): ""}
    with pytest.raises(ImageError, match=r"image forecasting: .*apache-airflow, apache-airflow-core.*pyproject\.toml"):
        requirements.check(IMAGES["forecasting"], pins, mutated, {})
    requirements.check(IMAGES["airflow"], {("apache-airflow", "3.3.2"): ""}, mutated, {})


def test_what_core_brings_along_is_allowed() -> None:
    pins = {("scikit-learn", "1.9.0"): ""}
    with pytest.raises(ImageError, match="scikit-learn"):
        requirements.check(IMAGES["telemetry"], pins, CONTENT, {})
    requirements.check(IMAGES["telemetry"], pins, CONTENT, pins)


def test_requirements_are_read_with_their_hashes() -> None:
    text = (
        'a-b==1.0 ; python_version < "3.12" \\\n    --hash=sha256:00\n    # via c\nC_d==2.1 \\\n    --hash=sha256:11\n'
    )
    pins = requirements.parse(text)
    assert list(pins) == [("a-b", "1.0"), ("c-d", "2.1")]
    assert "--hash=sha256:00" in pins["a-b", "1.0"]


def test_every_package_of_the_lock_has_a_hash() -> None:
    locked = requirements.parse((ROOT / "requirements.lock").read_text())
    assert len(locked) > 300
    assert [key for key, block in locked.items() if "--hash=sha256:" not in block] == []


def test_the_dockerfile_installs_by_hash_and_ends_as_nobody_in_particular() -> None:
    text = (ROOT / "infra/images/Dockerfile").read_text()
    joined = text.replace("\\\n", " ")
    installs = [line for line in joined.splitlines() if line.startswith("RUN") and "install" in line]
    assert len(installs) == 4
    assert all(line.count(" install ") == line.count("--require-hashes") for line in installs)
    stages = dict(re.findall(r"^FROM (\S+) AS (\S+)$", text, re.MULTILINE)[i][::-1] for i in range(8))
    assert {base for base in stages.values() if base not in stages} == {"${BASE}", "${CORE}"}
    runtime = text[text.index("AS runtime") : text.index("# --- test")]
    assert re.findall(r"^USER (\S+)$", runtime, re.MULTILINE) == ["10001:10001"]
    assert "RUN" not in runtime, "a RUN would leave traces of the machine that builds"


def test_an_image_that_is_not_known_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert build.main(["forecastign"]) == 1
    assert "there is no image 'forecastign'; there are actions, airflow," in capsys.readouterr().err


def test_the_table_says_what_an_image_adds_to_what_all_share() -> None:
    rows = [
        table.Row("base", 100_000_000, None, 90.0),
        table.Row("core", 1_000_000_000, None, 60.0),
        table.Row("logs", 1_025_000_000, 103, 9.6),
        table.Row("rootcause", 1_017_000_000, 102, 8.2),
    ]
    lines = table.render(rows).splitlines()
    assert "| `core` |  | 1000 |  | 60 |" in lines
    assert "| `logs` | 103 | 1025 | 25 | 10 |" in lines
    assert "| all, on disk | | 1042 | | 168 |" in lines


def _our_imports(path: Path) -> set[str]:
    """The modules of ours that a file imports, `from package import module` resolved."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            modules = {name for name in inner if _exists(name)}
            found.update(modules or {node.module})
    return {name for name in found if name.split(".")[0] in _OURS}


def _exists(module: str) -> bool:
    place = ROOT / module.replace(".", "/")
    return place.with_suffix(".py").exists() or (place / "__init__.py").exists()
