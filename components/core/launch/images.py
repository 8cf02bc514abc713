"""Which container image runs a step: one per domain, named by the settings."""

from __future__ import annotations

from components.core.settings import settings
from components.core.spec import Spec


def image_of(spec: Spec) -> str:
    """The image of the step's domain, such as localhost/traceo-forecasting:dev."""
    return f"{settings().image_prefix}{spec.domain}:{settings().image_tag}"
