"""The notebook steps as Kubeflow components. Generated from the Specs by `make pipelines`."""

from typing import Any, Dict

from kfp import dsl

from kfp_pipelines.component import component


@component("notebook.backtesting_a_forecast")
def notebook_backtesting_a_forecast(
    lake: str,
    backtest: dsl.Output[dsl.Artifact],
    report: dsl.Output[dsl.Artifact],
    params: Dict[str, Any] = {},
) -> str:
    """Backtesting a forecast."""
    from components.core.launch.kfp import run_task

    return run_task("notebook.backtesting_a_forecast", locals())


@component("notebook.choosing_a_detector")
def notebook_choosing_a_detector(
    lake: str,
    choice: dsl.Output[dsl.Artifact],
    report: dsl.Output[dsl.Artifact],
    params: Dict[str, Any] = {},
) -> str:
    """Choosing an anomaly detector for your metric."""
    from components.core.launch.kfp import run_task

    return run_task("notebook.choosing_a_detector", locals())


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


@component("notebook.reading_drift")
def notebook_reading_drift(
    lake: str,
    drift: dsl.Input[dsl.Artifact],
    reading: dsl.Output[dsl.Artifact],
    report: dsl.Output[dsl.Artifact],
    params: Dict[str, Any] = {},
) -> str:
    """Reading drift."""
    from components.core.launch.kfp import run_task

    return run_task("notebook.reading_drift", locals())


@component("notebook.walking_through_an_incident")
def notebook_walking_through_an_incident(
    lake: str,
    story: dsl.Output[dsl.Artifact],
    report: dsl.Output[dsl.Artifact],
    params: Dict[str, Any] = {},
) -> str:
    """Walking through one incident."""
    from components.core.launch.kfp import run_task

    return run_task("notebook.walking_through_an_incident", locals())
