"""`component(NAME)`: a function as a Kubeflow component on the image of the step of this name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kfp import dsl

from components.core.errors import InputError
from components.core.launch.images import image_of
from components.core.spec import Spec, specs


def component(step: str) -> Callable[[Callable[..., Any]], Any]:
    """The images bring everything a step needs, kfp's executor included: nothing is installed at run time."""
    return lambda function: dsl.component(function, base_image=image_of(find(step)), install_kfp_package=False)


def find(step: str) -> Spec:
    """The Spec of this name, such as anomaly.train; InputError where it is gone, as a notebook elsewhere may be."""
    for spec in specs(step.split(".")[0]):
        if spec.name == step:
            return spec
    raise InputError(f"no step {step!r}, though it has a Kubeflow wrapper; run make pipelines (TRACEO_NOTEBOOKS too)")
