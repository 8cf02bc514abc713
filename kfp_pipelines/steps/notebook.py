"""The notebook steps as Kubeflow components. Generated from the Specs by `make pipelines`."""

from typing import Any, Dict

from kfp import dsl

from kfp_pipelines.component import component


@component("notebook.exploring_the_lake")
def notebook_exploring_the_lake(
    lake: str,
    inventory: dsl.Output[dsl.Dataset],
    report: dsl.Output[dsl.Artifact],
    params: Dict[str, Any] = {},
) -> str:
    """Exploring the lake."""
    from components.core.launch.kfp import run_task

    return run_task("notebook.exploring_the_lake", locals())
