"""A step as an Airflow task: what `dags/` is made of. TRACEO_RUNNER decides which kind of task `step` builds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow.sdk import Asset, BaseOperator

from components.core.launch import Launcher, known, launcher
from components.core.launch.task import StepTask
from components.core.settings import settings
from components.core.spec import Spec

#: What the DAGs tell each other: new validated telemetry, a new challenger, a settled rollout, drift.
LAKE, CHALLENGER, CHAMPION, DRIFT = (
    Asset(name=f"traceo_{name}", uri=f"traceo://{name}") for name in ("lake", "challenger", "champion", "drift")
)


class StepOperator(StepTask):
    """Runs one step through the configured launcher, next to the Airflow worker: as a process or a container."""

    _launcher: Launcher | None = None

    def launch(self, spec: Spec, uris: Mapping[str, str], params: Mapping[str, Any], context: Any) -> dict[str, Any]:
        self._launcher = launcher(settings().runner)
        return self._launcher.run(spec, uris, params)

    def on_kill(self) -> None:
        if self._launcher:
            self._launcher.stop()


def step(
    spec: Spec,
    *,
    task_id: str | None = None,
    uses: Mapping[str, BaseOperator] | None = None,
    outlets: Any = (),
    **step_params: Any,
) -> StepTask:
    """A task that runs `spec`; keyword arguments beyond the named ones are the step's parameters."""
    name = task_id or spec.name.replace(".", "_")
    return _kind()(spec=spec, task_id=name, uses=uses, outlets=list(outlets), step_params=step_params)


def _kind() -> type[StepTask]:
    # A mistyped runner is told where the DAGs are read, not after every task's last retry.
    known(settings().runner)
    if settings().runner != "kubernetes":
        return StepOperator
    # Not at the top: the provider costs a second whenever a DAG file is read, whatever the runner.
    from components.core.launch.kubernetes import PodOperator

    return PodOperator
