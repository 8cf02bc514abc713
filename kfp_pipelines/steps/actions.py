"""The actions steps as Kubeflow components. Generated from the Specs by `make pipelines`."""

from typing import Any, Dict, Optional

from kfp import dsl

from kfp_pipelines.component import component


@component("actions.correlate")
def actions_correlate(
    lake: str,
    state: str,
    as_of: str,
    correlated: dsl.Output[dsl.Artifact],
    params: Dict[str, Any] = {},
) -> str:
    """group anomalies, forecasts and log changes into incidents."""
    from components.core.launch.kfp import run_task

    return run_task("actions.correlate", locals())


@component("actions.alert")
def actions_alert(
    lake: str,
    alerted: dsl.Output[dsl.Artifact],
    as_of: Optional[str] = None,
    params: Dict[str, Any] = {},
) -> str:
    """tell the alert receiver about open and newly resolved incidents."""
    from components.core.launch.kfp import run_task

    return run_task("actions.alert", locals())
