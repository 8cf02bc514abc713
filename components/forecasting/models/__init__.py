"""The models, one file each; a file that defines MODEL is found by its name."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable
from functools import lru_cache

from components.core.errors import ParamsError
from components.forecasting.model import BASELINE, Candidate, Combination


@lru_cache(maxsize=1)
def names() -> tuple[str, ...]:
    """The names of the available models, sorted."""
    return tuple(sorted(module.name for module in pkgutil.iter_modules(__path__)))


def get(name: str) -> Candidate | Combination:
    """The model or variant ("file.variant") of this name; ParamsError names the available ones where there is none."""
    file, _, variant = name.partition(".")
    if file not in names():
        raise ParamsError(f"no model {name!r}; available: {', '.join(names())}")
    model: Candidate | Combination = importlib.import_module(f"{__name__}.{file}").MODEL
    if not variant:
        return model
    variants = {one.name: one for one in model.variants()} if isinstance(model, Candidate) else {}
    if name not in variants:
        raise ParamsError(f"no variant {name!r}; {file} has {', '.join(sorted(variants)) or 'none'}")
    return variants[name]


def candidate(name: str) -> Candidate:
    """The candidate of this name; ParamsError where it is unknown or a combination of others."""
    model = get(name)
    if not isinstance(model, Candidate):
        raise ParamsError(f"model {name!r} combines others and cannot be a candidate itself; name single models")
    return model


def pool(wanted: Iterable[str]) -> list[Candidate]:
    """Every variant of the named candidates, the baseline among them, in the order of their names."""
    members = {one.name: one for name in {BASELINE, *wanted} for one in candidate(name).variants()}
    return [members[name] for name in sorted(members)]
