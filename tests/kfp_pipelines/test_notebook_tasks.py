"""Notebooks as Kubeflow tasks, run with kfp's SubprocessRunner: like any step, as they are now, their pages kept."""

import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from kfp import dsl

from components.core import tracking
from components.core.launch.process import ProcessLauncher
from components.core.spec import Spec
from components.notebook import specs
from components.notebook.steps import EXPERIMENT
from kfp_pipelines import notebooks, wrappers
from kfp_pipelines.compilation import find_pipeline
from kfp_pipelines.component import find
from kfp_pipelines.observation import report
from kfp_pipelines.tasks import observation, task
from tests.kfp_pipelines.local_dag import LocalRun, run_pipeline
from tests.kfp_pipelines.test_local_runs import same_artifact
from tests.notebook.adding import TEXT, write
from tests.world import CHAIN, World, copy_state, fingerprint

pytestmark = pytest.mark.filterwarnings("ignore:You may be attemping to run a task:RuntimeWarning")
Run = Callable[..., LocalRun]
#: What the pipeline runs, as the world did.
LINKS = [link for link in CHAIN if link.spec.startswith("notebook.") or link.spec == "quality.drift"]


@pytest.fixture
def adding(mlflow_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Spec:
    """The Spec of a small notebook in a folder of this test alone."""
    monkeypatch.setenv("TRACEO_NOTEBOOKS", str(tmp_path / "notebooks"))
    found = specs.read(write(tmp_path / "notebooks"))
    assert found
    monkeypatch.setattr(specs, "SPECS", [found.spec])
    return found.spec


@pytest.fixture
def run(adding: Spec, tmp_path: Path) -> Run:
    """Runs a pipeline of that notebook's component, which is generated as `make pipelines` does."""
    path = tmp_path / "generated.py"
    path.write_text(wrappers.source_of("notebook"))
    found = importlib.util.spec_from_file_location("generated", path)
    assert found
    assert found.loader
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)

    @dsl.pipeline(name="summing")
    def summing(params: dict = {}) -> None:  # noqa: B006
        with dsl.ExitHandler(observation(report)):
            task(module.notebook_adding, params=params)

    return lambda name, params, **more: run_pipeline(summing, tmp_path / name, {"params": params}, **more)


def test_a_notebook_is_a_task_like_any_step(adding: Spec, run: Run, mlflow_home: Path) -> None:
    done = run("run", {"first": 3})
    place = mlflow_home / "runs" / adding.name
    uris = {port.name: str(place / port.file) for port in adding.outputs}
    ProcessLauncher().run(adding, uris, {"first": 3})
    assert done.failure is None
    assert json.loads((done.artifact("notebook-adding", "total") / "total.json").read_text())["sum"] == 6
    ours = [fingerprint(done.artifact("notebook-adding", name)) for name in ("total", "report")]
    assert ours[0] | ours[1] == fingerprint(place)


@pytest.mark.slow
def test_an_edit_is_seen_by_the_next_run_of_the_same_pipeline(run: Run, tmp_path: Path) -> None:
    cache: dict[str, Any] = {}
    run("first", {}, cache=cache)
    write(tmp_path / "notebooks", TEXT.replace("first: int = 2", "first: int = 5").replace("first + 3", "first * 100"))
    second = run("second", {}, cache=cache)
    assert json.loads((second.artifact("notebook-adding", "total") / "total.json").read_text())["sum"] == 500


@pytest.mark.slow
def test_one_that_raises_fails_its_task_and_leaves_its_page(
    run: Run, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path / "notebooks", TEXT.replace("result = first + 3", "raise ValueError('no data for checkout')"))
    done = run("run", {})
    assert done.failure == "notebook-adding"
    assert done.artifact("report", "report").read_text().startswith("# FAILED")
    written = "".join(capfd.readouterr())
    assert "cell 4 (The sum): ValueError: no data for checkout" in written
    [page] = (tmp_path / "run").rglob("index.html")
    assert "no data for checkout" in page.read_text()
    client = tracking.client()
    [kept] = client.search_runs([client.get_experiment_by_name(EXPERIMENT).experiment_id])
    assert kept.info.status == "FAILED"
    assert f"the page of notebook.adding is in MLflow: run {kept.info.run_id}" in written


@pytest.mark.slow
@pytest.mark.xdist_group("world")
def test_the_notebooks_pipeline_makes_the_artifacts_of_the_process_runner(
    world: World, mlflow_home: Path, tmp_path: Path
) -> None:
    copy_state(world.root, tmp_path / "own")
    cache: dict[str, Any] = {}
    arguments = arguments_of(world, tmp_path / "own" / "lake")
    run = run_pipeline(find_pipeline("traceo-notebooks"), tmp_path / "run", arguments, cache=cache)
    same_as_in(world, run)
    again = run_pipeline(find_pipeline("traceo-notebooks"), tmp_path / "again", arguments, cache=cache)
    assert set(run.tasks) - set(again.tasks) == {"quality-drift"}


def arguments_of(world: World, lake: Path) -> dict[str, Any]:
    """What the pipeline is given to do what the world did."""
    params = {f"{link.spec.replace('.', '_')}_params": world.params(link) for link in LINKS}
    return {"lake": str(lake), **params}


def same_as_in(world: World, run: LocalRun) -> None:
    """Drift and every notebook left the world's artifacts."""
    assert run.failure is None
    assert len(run.tasks) == len(LINKS) + 2
    for link in LINKS:
        for port in find(link.spec).outputs:
            if port.name != "report":
                same_artifact(run, link.spec, port.name, world.root)
            else:
                # Names the lake, which lies elsewhere.
                place = run.artifact(link.spec.replace(".", "-").replace("_", "-"), "report")
                assert list(place.rglob("*.html"))


def test_every_notebook_that_needs_the_lake_or_the_drift_report_stands_in_the_pipeline() -> None:
    wired = {component.python_func.__name__ for component in notebooks.NOTEBOOKS.values()}
    given = {"lake", "drift"}
    able = [s for s in specs.SPECS if {port.name for port in s.inputs if not port.optional} <= given]
    assert wired == {spec.name.replace(".", "_") for spec in able}
    assert len(wired) >= 5
