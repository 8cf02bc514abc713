"""The lifecycle steps as Kubeflow components. Generated from the Specs by `make pipelines`."""

from typing import Any, Dict, Optional

from kfp import dsl

from kfp_pipelines.component import component


@component("lifecycle.register")
def lifecycle_register(
    model: dsl.Input[dsl.Artifact],
    holdout: dsl.Input[dsl.Dataset],
    training: dsl.Input[dsl.Artifact],
    registered: dsl.Output[dsl.Artifact],
    params: Dict[str, Any] = {},
) -> str:
    """make a trained model the challenger in the registry."""
    from components.core.launch.kfp import run_task

    return run_task("lifecycle.register", locals())


@component("lifecycle.fetch")
def lifecycle_fetch(
    champion: dsl.Output[dsl.Artifact],
    challenger: dsl.Output[dsl.Artifact],
    holdout: dsl.Output[dsl.Dataset],
    candidates: dsl.Output[dsl.Artifact],
    params: Dict[str, Any] = {},
) -> str:
    """fetch a model's champion, challenger and holdout from the registry."""
    from components.core.launch.kfp import run_task

    return run_task("lifecycle.fetch", locals())


@component("lifecycle.gate")
def lifecycle_gate(
    evaluation: dsl.Input[dsl.Artifact],
    candidates: dsl.Input[dsl.Artifact],
    verdict: dsl.Output[dsl.Artifact],
    params: Dict[str, Any] = {},
) -> str:
    """judge whether the challenger is better than the baseline and the champion."""
    from components.core.launch.kfp import run_task

    return run_task("lifecycle.gate", locals())


@component("lifecycle.promote")
def lifecycle_promote(
    verdict: dsl.Input[dsl.Artifact],
    candidates: dsl.Input[dsl.Artifact],
    promotion: dsl.Output[dsl.Artifact],
    decided_at: Optional[str] = None,
    params: Dict[str, Any] = {},
) -> str:
    """move the alias champion after a PASS and write the decision into the ledger."""
    from components.core.launch.kfp import run_task

    return run_task("lifecycle.promote", locals())
