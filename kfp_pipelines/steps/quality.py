"""The quality steps as Kubeflow components. Generated from the Specs by `make pipelines`."""

from typing import Any, Dict, Optional

from kfp import dsl

from kfp_pipelines.component import component


@component("quality.validate")
def quality_validate(
    lake: str,
    validation: dsl.Output[dsl.Artifact],
    data_docs: dsl.Output[dsl.Artifact],
    as_of: Optional[str] = None,
    params: Dict[str, Any] = {},
) -> str:
    """Check incoming partitions; publish the good ones, quarantine the bad ones with the reason."""
    from components.core.launch.kfp import run_task

    return run_task("quality.validate", locals())


@component("quality.drift")
def quality_drift(
    lake: str,
    state: str,
    as_of: str,
    drift: dsl.Output[dsl.Artifact],
    report: dsl.Output[dsl.Artifact],
    params: Dict[str, Any] = {},
) -> str:
    """Compare the features of the last days with those of the same hours before."""
    from components.core.launch.kfp import run_task

    return run_task("quality.drift", locals())
