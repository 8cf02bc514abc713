"""The rootcause steps as Kubeflow components. Generated from the Specs by `make pipelines`."""

from typing import Any, Dict

from kfp import dsl

from kfp_pipelines.component import component


@component("rootcause.diagnose")
def rootcause_diagnose(
    lake: str,
    state: str,
    as_of: str,
    diagnosed: dsl.Output[dsl.Artifact],
    params: Dict[str, Any] = {},
) -> str:
    """rank what caused each open incident, with evidence."""
    from components.core.launch.kfp import run_task

    return run_task("rootcause.diagnose", locals())
