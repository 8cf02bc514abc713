"""The features steps as Kubeflow components. Generated from the Specs by `make pipelines`."""

from typing import Any, Dict

from kfp import dsl

from kfp_pipelines.component import component


@component("features.build")
def features_build(
    lake: str,
    state: str,
    as_of: str,
    built: dsl.Output[dsl.Artifact],
    params: Dict[str, Any] = {},
) -> str:
    """Aggregate metrics to five-minute features and push the newest to the online store."""
    from components.core.launch.kfp import run_task

    return run_task("features.build", locals())


@component("features.training_set")
def features_training_set(
    lake: str,
    state: str,
    as_of: str,
    training_set: dsl.Output[dsl.Dataset],
    params: Dict[str, Any] = {},
) -> str:
    """Read the features of the last days point in time from Feast's offline store."""
    from components.core.launch.kfp import run_task

    return run_task("features.training_set", locals())


@component("features.online")
def features_online(
    lake: str,
    state: str,
    as_of: str,
    online_features: dsl.Output[dsl.Dataset],
    params: Dict[str, Any] = {},
) -> str:
    """Read the latest feature vector of every series from Feast's online store."""
    from components.core.launch.kfp import run_task

    return run_task("features.online", locals())
