"""`--params JSON` of the four commands: one reading, one set of messages."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from components.core.errors import ParamsError

M = TypeVar("M", bound=BaseModel)


def params_of(text: str, model: type[M], given: Mapping[str, Any] | None = None) -> M:
    """The model from a JSON object with other flags (`given`) over it; ParamsError names what is wrong and allowed."""
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ParamsError(f"--params is not JSON: {error}; quote it as one argument") from None
    if not isinstance(content, dict):
        raise ParamsError(f"--params must be a JSON object, not {text!r}")
    try:
        return model.model_validate(content | dict(given or {}))
    except ValidationError as error:
        problem = error.errors()[0]
        name = ".".join(str(part) for part in problem["loc"]) or "params"
        known = ", ".join(model.model_fields)
        raise ParamsError(f"--params: {name!r}: {problem['msg']}; it takes {known}") from None
