"""The models, one file each; a file that defines MODEL is found by its name."""

from __future__ import annotations

import importlib
import pkgutil
from functools import lru_cache

from components.core.errors import ParamsError
from components.forecasting.model import Candidate, Combination


@lru_cache(maxsize=1)
def names() -> tuple[str, ...]:
    """The names of the available models, sorted."""
    return tuple(sorted(module.name for module in pkgutil.iter_modules(__path__)))


def get(name: str) -> Candidate | Combination:
    """The model of this name; ParamsError names the available ones where there is none."""
    if name not in names():
        raise ParamsError(f"no model {name!r}; available: {', '.join(names())}")
    model: Candidate | Combination = importlib.import_module(f"{__name__}.{name}").MODEL
    return model


def candidate(name: str) -> Candidate:
    """The candidate of this name; ParamsError where it is unknown or a combination of others."""
    model = get(name)
    if not isinstance(model, Candidate):
        raise ParamsError(f"model {name!r} combines others and cannot be a candidate itself; name single models")
    return model
