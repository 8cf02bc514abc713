"""A step as an Airflow task: resolves its artifacts, launches it, links its run and its report.

An artifact of a run lies at `<home>/runs/<dag>/<run>/<task>/<port>`, so a retry writes to the same place and
a downstream task finds its input by the upstream task's name.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from airflow.sdk import Asset, BaseOperator, BaseOperatorLink
from airflow.sdk.exceptions import AirflowSkipException

from components.core import storage
from components.core.errors import NotYetError, TraceoError
from components.core.lake import Lake
from components.core.launch import Launcher, launcher
from components.core.settings import settings
from components.core.spec import Port, Spec
from components.core.times import iso

#: What the DAGs tell each other: new validated telemetry, a new challenger, a settled rollout, drift.
LAKE, CHALLENGER, CHAMPION, DRIFT = (
    Asset(name=f"traceo_{name}", uri=f"traceo://{name}") for name in ("lake", "challenger", "champion", "drift")
)

_RUN = "{{ run_id | replace(':', '') | replace('+', '_') }}"
_SUFFIX = {"table": ".parquet", "json": ".json", "folder": "", "lake": ""}
logger = logging.getLogger("traceo.launch")


class StepLink(BaseOperatorLink):
    """A button on the task's page: the URL that the step left in its summary."""

    def __init__(self, name: str, key: str) -> None:
        self._name, self.key = name, key

    @property
    def name(self) -> str:
        return self._name

    @property
    def xcom_key(self) -> str:
        return f"link_{self.key}"

    def get_link(self, operator: BaseOperator, *, ti_key: Any) -> str:
        links: Mapping[str, str] = getattr(operator, "links", {})
        return links.get(self.key, "")


class StepOperator(BaseOperator):
    """Runs one step through the configured launcher.

    uses: for each input that another task of the DAG writes, that task.
    step_params: the step's parameters; values may be templates. `as_of`, where the step has it and it is
    not given, comes from the asset event or the run configuration that started the DAG run, so that every
    task of one run looks at the same instant.
    """

    template_fields = ("inputs", "outputs", "step_params")
    operator_extra_links = (StepLink("MLflow run", "mlflow"), StepLink("Report", "report"))

    def __init__(
        self,
        *,
        spec: Spec,
        uses: Mapping[str, BaseOperator] | None = None,
        step_params: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(doc_md=f"**{spec.name}**: {spec.title}", **kwargs)
        uses = dict(uses or {})
        self.spec_name = spec.name
        self.inputs = {
            port.name: _input_uri(port, uses) for port in spec.inputs if port.kind == "lake" or port.name in uses
        }
        self.outputs = {port.name: _artifact_uri(port, self.task_id) for port in spec.outputs}
        self.step_params = dict(step_params or {})
        self.links: dict[str, str] = {}
        self._launcher: Launcher | None = None
        for upstream in uses.values():
            self.set_upstream(upstream)

    def execute(self, context: Any) -> dict[str, Any]:
        spec = _find(self.spec_name)
        params = {**_as_of(spec, context), **self.step_params}
        self._launcher = launcher(settings().runner)
        uris = {**self._given_inputs(spec), **self.outputs}
        for name, uri in uris.items():
            logger.info("%s = %s", name, uri)
        try:
            summary = self._launcher.run(spec, uris, params)
        except NotYetError as error:
            # Too little data is no failure: the task and those that need it are skipped until a later run.
            raise AirflowSkipException(str(error)) from None
        except TraceoError as error:
            self._link(error.links)
            raise
        self._link(summary)
        self._announce(context)
        return summary

    def on_kill(self) -> None:
        if self._launcher:
            self._launcher.stop()

    def _given_inputs(self, spec: Spec) -> dict[str, str]:
        # An upstream step may leave an optional output out; then the input is not given.
        optional = {port.name for port in spec.inputs if port.optional}
        return {n: uri for n, uri in self.inputs.items() if n not in optional or storage.exists(uri + ".meta.json")}

    def _link(self, summary: Mapping[str, Any]) -> None:
        if run_id := summary.get("mlflow_run_id"):
            from components.core import tracking

            self.links["mlflow"] = tracking.run_url(run_id) or ""
        if report := summary.get("report"):
            relative = str(report).removeprefix(str(settings().home).rstrip("/") + "/")
            self.links["report"] = f"http://{settings().host}:{settings().console_port}/files/{relative}"

    def _announce(self, context: Any) -> None:
        assets = [outlet for outlet in self.outlets if isinstance(outlet, Asset)]
        watermark = Lake(settings().lake_uri).watermark() if assets else None
        for asset in assets:
            context["outlet_events"][asset].extra = {"as_of": iso(watermark)} if watermark else {}


def step(
    spec: Spec,
    *,
    task_id: str | None = None,
    uses: Mapping[str, BaseOperator] | None = None,
    outlets: Any = (),
    **step_params: Any,
) -> StepOperator:
    """A task that runs `spec`; keyword arguments beyond the named ones are the step's parameters."""
    name = task_id or spec.name.replace(".", "_")
    return StepOperator(spec=spec, task_id=name, uses=uses, outlets=list(outlets), step_params=step_params)


def _input_uri(port: Port, uses: Mapping[str, BaseOperator]) -> str:
    return settings().lake_uri if port.kind == "lake" else _artifact_uri(port, uses[port.name].task_id)


def _artifact_uri(port: Port, task_id: str) -> str:
    if port.kind == "lake":
        return settings().lake_uri
    return storage.join(settings().home, "runs", "{{ dag.dag_id }}", _RUN, task_id, port.name + _SUFFIX[port.kind])


def _find(name: str) -> Spec:
    from components.core.spec import specs

    return next(spec for spec in specs(name.split(".")[0]) if spec.name == name)


def _as_of(spec: Spec, context: Any) -> dict[str, str]:
    if "as_of" not in spec.params.model_fields:
        return {}
    told = [
        event.extra["as_of"]
        for events in (context.get("triggering_asset_events") or {}).values()
        for event in events
        if "as_of" in (event.extra or {})
    ]
    told += [value for value in [(context["dag_run"].conf or {}).get("as_of")] if value]
    return {"as_of": max(told, key=datetime.fromisoformat)} if told else {}
