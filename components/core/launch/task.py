"""What every Airflow task that runs a step shares: its artifacts, its parameters, its links, what it announces.

An artifact of a run lies at `<home>/runs/<dag>/<run>/<task>/<port>`, so a retry writes to the same place and
a downstream task finds its input by the upstream task's name.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote

from airflow.sdk import Asset, BaseOperator, BaseOperatorLink
from airflow.sdk.exceptions import AirflowSkipException

from components.core import storage
from components.core.errors import NotYetError, TraceoError
from components.core.lake import Lake
from components.core.settings import settings
from components.core.spec import Port, Spec, specs
from components.core.times import iso

_RUN = "{{ run_id | replace(':', '') | replace('+', '_') }}"
logger = logging.getLogger("traceo.launch")


class StepLink(BaseOperatorLink):
    """A button on the task's page: the URL that the step left in its summary, or on failing."""

    def __init__(self, name: str, key: str) -> None:
        self._name, self.key = name, key

    @property
    def name(self) -> str:
        return self._name

    @property
    def xcom_key(self) -> str:
        return f"link_{self.key}"

    def get_link(self, operator: BaseOperator, *, ti_key: Any) -> str:
        # Asked in the task's own process once the task has ended, however it ended; the web server reads what
        # was answered then from the XCom named `xcom_key`.
        links: Mapping[str, str] = getattr(operator, "links", {})
        return links.get(self.key, "")


class StepTask(BaseOperator):
    """An Airflow task that runs one step; where and how, `launch` of a subclass says.

    uses: for each input that another task of the DAG writes, that task.
    step_params: the step's parameters; values may be templates. `as_of`, where the step has it and it is
    not given, comes from the asset event or the run configuration that started the DAG run, so that every
    task of one run looks at the same instant.
    """

    template_fields: Sequence[str] = ("inputs", "outputs", "step_params")
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
        for upstream in uses.values():
            self.set_upstream(upstream)

    def launch(self, spec: Spec, uris: Mapping[str, str], params: Mapping[str, Any], context: Any) -> dict[str, Any]:
        """Run the step to its end; its summary. TraceoError and NotYetError as `Outcome.settle` raises them."""
        raise NotImplementedError

    def execute(self, context: Any) -> dict[str, Any]:
        spec = _find(self.spec_name)
        params = {**_as_of(spec, context), **self.step_params}
        uris = {**self._given_inputs(spec), **self.outputs}
        for name, uri in uris.items():
            logger.info("%s = %s", name, uri)
        try:
            summary = self.launch(spec, uris, params, context)
        except TraceoError as error:
            self._link(error.links)
            if isinstance(error, NotYetError):
                # Too little data is no failure: the task and those that need it are skipped until a later run.
                raise AirflowSkipException(str(error)) from None
            raise
        self._link(summary)
        self._announce(context)
        return summary

    def _given_inputs(self, spec: Spec) -> dict[str, str]:
        # An upstream step may leave an optional output out; then the input is not given.
        optional = {port.name for port in spec.inputs if port.optional}
        return {n: uri for n, uri in self.inputs.items() if n not in optional or storage.exists(uri + ".meta.json")}

    def _link(self, summary: Mapping[str, Any]) -> None:
        if run_id := summary.get("mlflow_run_id"):
            from components.core import tracking

            self.links["mlflow"] = tracking.run_url(run_id) or ""
        if report := summary.get("report"):
            relative = str(report).removeprefix(settings().home.rstrip("/") + "/")
            self.links["report"] = f"{settings().console_address}/files/{quote(relative)}"

    def _announce(self, context: Any) -> None:
        assets = [outlet for outlet in self.outlets if isinstance(outlet, Asset)]
        watermark = Lake(settings().lake_uri).watermark() if assets else None
        for asset in assets:
            context["outlet_events"][asset].extra = {"as_of": iso(watermark)} if watermark else {}


def _input_uri(port: Port, uses: Mapping[str, BaseOperator]) -> str:
    return settings().lake_uri if port.kind == "lake" else _artifact_uri(port, uses[port.name].task_id)


def _artifact_uri(port: Port, task_id: str) -> str:
    if port.kind == "lake":
        return settings().lake_uri
    return storage.join(settings().home, "runs", "{{ dag.dag_id }}", _RUN, task_id, port.file)


def _find(name: str) -> Spec:
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
