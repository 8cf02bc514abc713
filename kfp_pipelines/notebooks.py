"""Run every notebook that needs the lake alone, or the drift report; each keeps its page, in MLflow too."""

from inspect import Parameter, Signature
from typing import Any, Dict

from kfp import dsl

from kfp_pipelines.observation import observe, report
from kfp_pipelines.steps import notebook
from kfp_pipelines.steps.quality import quality_drift
from kfp_pipelines.tasks import LAKE, observation, task

_READ = ["features", "metrics", "logs"]
#: What this pipeline has to give; a notebook that needs more stands in a pipeline of its own.
_GIVEN = {"lake", "drift", "params"}


def _needs(component: Any) -> set[str]:
    return {name for name, given in component.component_spec.inputs.items() if not given.optional}


#: As in the DAG: what `make pipelines` found in the notebooks' folder.
NOTEBOOKS = {
    name: component
    for name, component in vars(notebook).items()
    if name.startswith("notebook_") and _needs(component) <= _GIVEN
}


def _run_them(lake: str, drift_params: Any, *params: Any) -> None:
    with dsl.ExitHandler(observation(report)):
        looked = observation(observe, lake=lake, tables=_READ)
        seen = looked.outputs
        compared = task(quality_drift, lake=lake, state=seen["state"], as_of=seen["as_of"], params=drift_params)
        given = {"lake": lake, "drift": compared.outputs["drift"]}
        for component, own in zip(NOTEBOOKS.values(), params, strict=True):
            wanted = {name: given[name] for name in component.component_spec.inputs if name in given}
            task(component, **wanted, params=own).after(looked)


def _declared() -> Signature:
    """The lake, and the parameters of each task under its own name; kfp reads a pipeline's parameters off this."""
    kind = Parameter.POSITIONAL_OR_KEYWORD
    steps = [f"{name}_params" for name in ("quality_drift", *NOTEBOOKS)]
    params = [Parameter(name, kind, default={}, annotation=Dict[str, Any]) for name in steps]
    return Signature([Parameter("lake", kind, default=LAKE, annotation=str), *params])


_run_them.__signature__ = _declared()  # type: ignore[attr-defined]
notebooks = dsl.pipeline(name="traceo-notebooks", description=__doc__)(_run_them)
