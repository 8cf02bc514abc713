"""The anomaly steps as Kubeflow components. Generated from the Specs by `make pipelines`."""

from typing import Any, Dict, Optional

from kfp import dsl

from kfp_pipelines.component import component


@component("anomaly.train")
def anomaly_train(
    lake: str,
    state: str,
    as_of: str,
    model: dsl.Output[dsl.Artifact],
    holdout: dsl.Output[dsl.Dataset],
    training: dsl.Output[dsl.Artifact],
    training_set: Optional[dsl.Input[dsl.Dataset]] = None,
    params: Dict[str, Any] = {},
) -> str:
    """Train and cross-validate the anomaly detectors on the lake's features."""
    from components.core.launch.kfp import run_task

    return run_task("anomaly.train", locals())


@component("anomaly.evaluate")
def anomaly_evaluate(
    challenger: dsl.Input[dsl.Artifact],
    holdout: dsl.Input[dsl.Dataset],
    evaluation: dsl.Output[dsl.Artifact],
    champion: Optional[dsl.Input[dsl.Artifact]] = None,
    params: Dict[str, Any] = {},
) -> str:
    """Compare champion, challenger and the trailing z-score on the holdout, series by series."""
    from components.core.launch.kfp import run_task

    return run_task("anomaly.evaluate", locals())


@component("anomaly.score")
def anomaly_score(
    lake: str,
    state: str,
    as_of: str,
    scored: dsl.Output[dsl.Artifact],
    online_features: Optional[dsl.Input[dsl.Dataset]] = None,
    params: Dict[str, Any] = {},
) -> str:
    """Score the features that have no anomaly row yet with the champion."""
    from components.core.launch.kfp import run_task

    return run_task("anomaly.score", locals())
