"""One file per detector: the module's name is the detector's name, its class is called `Detector`."""

from __future__ import annotations

import importlib
import pkgutil

from components.anomaly.detector import Detector, Tuning
from components.core.errors import ParamsError

DEFAULT = "auto"


def names() -> list[str]:
    """Names of every detector there is; nothing is imported for it."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def create(name: str, tuning: Tuning) -> Detector:
    """A fresh detector by name; ParamsError lists the names there are."""
    if name not in names():
        raise ParamsError(f"no detector {name!r}; choose one of {', '.join(names())}")
    detector: Detector = importlib.import_module(f"{__name__}.{name}").Detector(tuning)
    return detector
