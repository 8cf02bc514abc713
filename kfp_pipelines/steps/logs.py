"""The logs steps as Kubeflow components. Generated from the Specs by `make pipelines`."""

from typing import Any, Dict

from kfp import dsl

from kfp_pipelines.component import component


@component("logs.mine")
def logs_mine(
    lake: str,
    state: str,
    as_of: str,
    mined: dsl.Output[dsl.Artifact],
    params: Dict[str, Any] = {},
) -> str:
    """count log lines per five minutes, service, severity and template."""
    from components.core.launch.kfp import run_task

    return run_task("logs.mine", locals())


@component("logs.collect")
def logs_collect(
    lake: str,
    collected: dsl.Output[dsl.Artifact],
    params: Dict[str, Any] = {},
) -> str:
    """archive log files in blocks, with the templates of their lines."""
    from components.core.launch.kfp import run_task

    return run_task("logs.collect", locals())
