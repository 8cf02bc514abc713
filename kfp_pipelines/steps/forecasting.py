"""The forecasting steps as Kubeflow components. Generated from the Specs by `make pipelines`."""

from typing import Any, Dict, Optional

from kfp import dsl

from kfp_pipelines.component import component


@component("forecasting.train")
def forecasting_train(
    lake: str,
    state: str,
    as_of: str,
    model: dsl.Output[dsl.Artifact],
    holdout: dsl.Output[dsl.Dataset],
    training: dsl.Output[dsl.Artifact],
    params: Dict[str, Any] = {},
) -> str:
    """Backtest every candidate model on every watched series; keep weights and conformal residual quantiles."""
    from components.core.launch.kfp import run_task

    return run_task("forecasting.train", locals())


@component("forecasting.evaluate")
def forecasting_evaluate(
    challenger: dsl.Input[dsl.Artifact],
    holdout: dsl.Input[dsl.Dataset],
    evaluation: dsl.Output[dsl.Artifact],
    champion: Optional[dsl.Input[dsl.Artifact]] = None,
    params: Dict[str, Any] = {},
) -> str:
    """Compare champion, challenger and seasonal-naive series by series on the held-out hours (MASE)."""
    from components.core.launch.kfp import run_task

    return run_task("forecasting.evaluate", locals())


@component("forecasting.predict")
def forecasting_predict(
    lake: str,
    state: str,
    as_of: str,
    predicted: dsl.Output[dsl.Artifact],
    params: Dict[str, Any] = {},
) -> str:
    """Forecast the watched series seven days ahead and the risk of those with a limit."""
    from components.core.launch.kfp import run_task

    return run_task("forecasting.predict", locals())
