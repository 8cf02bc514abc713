"""A pipeline whose every task runs in its step's own image, with kfp's DockerRunner, on Podman or Docker."""

from pathlib import Path
from typing import Any

import docker
import pytest
from kfp import local
from kfp.local import docker_task_handler

from components.core.lake import Lake
from components.core.launch.docker import environment
from components.core.launch.images import image_of
from components.core.settings import settings
from components.core.spec import specs
from kfp_pipelines.compilation import find_pipeline
from kfp_pipelines.component import find
from tests.containers.conftest import engine
from tests.kfp_pipelines.local_dag import run_pipeline
from tests.kfp_pipelines.test_local_runs import INGEST, add_logs, home, launch, mining, same_artifact
from tests.kfp_pipelines.test_notebook_tasks import arguments_of, same_as_in
from tests.world import World, copy_state, fingerprint

__all__ = ["engine", "home"]  # fixtures

pytestmark = pytest.mark.containers
ONE_DAY = {**INGEST, "days": 1}
LOG_PIPELINE = ("telemetry.ingest", "quality.validate", "logs.mine", "features.build", "lifecycle.fetch")


@pytest.fixture
def runner(engine: Any, home: Path, monkeypatch: pytest.MonkeyPatch) -> local.DockerRunner:
    """kfp's DockerRunner as a user who may write here, with this test's home at the same place in every container."""
    monkeypatch.setattr(docker_task_handler, "run_docker_container", _run_container)
    home.mkdir()
    return local.DockerRunner(
        # Who runs the engine: root here, and this user where Podman runs without root.
        user="0:0",
        network_mode="none",
        environment=environment(settings()),
        mounts=[docker.types.Mount(str(home), str(home), type="bind")],
    )


@pytest.mark.parametrize("step", {spec.domain: spec.name for spec in specs()}.values())
def test_an_image_holds_what_kfp_needs_at_run_time(engine: Any, step: str) -> None:
    """kfp alone, without its dependencies: nothing may be installed when a task starts."""
    need(engine, step)
    command = ["sh", "-c", "_KFP_RUNTIME=true python3 -c 'import kfp.dsl.executor_main'"]
    assert _run_container(engine, image_of(find(step)), command, {}, network_mode="none") == 0


def test_a_task_in_its_image_writes_what_a_process_writes(
    engine: Any, runner: local.DockerRunner, home: Path, tmp_path: Path
) -> None:
    need(engine, "logs.mine", "lifecycle.fetch")
    lake, reference = Lake(str(home / "lake")), tmp_path / "reference"
    for place in (lake, Lake(str(reference / "lake"))):
        add_logs(place, 0)
    run = run_pipeline(mining, tmp_path / "run", {"lake": lake.uri}, runner=runner)
    assert run.failure is None
    assert run.artifact("report", "report").read_text().startswith("# SUCCEEDED")
    launch(reference, "logs.mine", {"lookback_h": 2, "as_of": run.tasks["observe"]["as_of"]})
    assert fingerprint(home / "lake") == fingerprint(reference / "lake")
    same_artifact(run, "logs.mine", "mined", reference)


def test_the_notebooks_pipeline_in_containers_makes_the_artifacts_of_processes(
    world: World, engine: Any, runner: local.DockerRunner, home: Path, tmp_path: Path
) -> None:
    need(engine, "notebook.reading_drift", "quality.drift", "lifecycle.fetch")
    copy_state(world.root, home)
    arguments = arguments_of(world, home / "lake")
    same_as_in(world, run_pipeline(find_pipeline("traceo-notebooks"), tmp_path / "run", arguments, runner=runner))


def need(engine: Any, *steps: str) -> None:
    """Skip where an image of these steps was not built."""
    wanted = [image_of(find(step)) for step in steps]
    if missing := [image for image in wanted if not _exists(engine, image)]:
        pytest.skip(f"there is no image {', '.join(missing)}; run make images")


def _exists(engine: Any, image: str) -> bool:
    try:
        engine.images.get(image)
    except docker.errors.ImageNotFound:
        return False
    return True


def _run_container(client: Any, image: str, command: list[str], volumes: dict[str, Any], **options: Any) -> int:
    """kfp's own, but for two things that fail on Podman: automatic removal, and a search among images without tags.

    The command replaces the image's entry point, as it does in a pod.
    """
    options = {"entrypoint": command[:1], "command": command[1:], "volumes": volumes, **options}
    container = client.containers.create(image, **options)
    try:
        container.start()
        for line in container.logs(stream=True, follow=True):
            print(line.decode(errors="replace"), end="")
        return int(container.wait()["StatusCode"])
    finally:
        container.remove(force=True)
