"""The interface of a step: its name, parameters, inputs and outputs. Light to import, by contract."""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

Kind = Literal["table", "json", "folder", "lake"]


class Params(BaseModel):
    """What a step computes: frozen, unknown names refused, every field bounded, described and with a default."""

    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True)
class Port:
    """One input or output of a step.

    `name` is the flag on the command line and the artifact's name everywhere: an output feeds the inputs
    of the same name. `kind`: a `table` is one Parquet file (with a schema of core.schema where `schema`
    names one), `json` one JSON file, a `folder` a tree of files (a model, a report), a `lake` the root
    of partitioned tables, which steps read and extend.
    """

    name: str
    kind: Kind
    description: str
    schema: str | None = None
    optional: bool = False

    @property
    def file(self) -> str:
        """What an artifact of this port is called in its folder: its name with the suffix of its kind."""
        return self.name + {"table": ".parquet", "json": ".json"}.get(self.kind, "")


@dataclass(frozen=True)
class Resources:
    """What a step needs at most; containers and pods are limited to it."""

    cpu: float = 1.0
    memory_mb: int = 2048


@dataclass(frozen=True)
class Spec:
    """A step as others see it; the function behind it stands in the domain's `steps` module under the same name."""

    name: str
    title: str
    params: type[Params]
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    resources: Resources = field(default_factory=Resources)
    #: Parameters of a small, quick run; the contract tests use them.
    example: Mapping[str, Any] = field(default_factory=dict)

    @property
    def domain(self) -> str:
        return self.name.split(".")[0]

    @property
    def step(self) -> str:
        return self.name.split(".")[1]

    @property
    def ports(self) -> tuple[Port, ...]:
        """Every port once; a lake that a step reads and extends is one port."""
        return tuple({port.name: port for port in (*self.inputs, *self.outputs)}.values())


def domains() -> list[str]:
    """Names of the packages below `components` that offer steps."""
    import components

    names = [module.name for module in pkgutil.iter_modules(components.__path__) if module.ispkg]
    return [name for name in names if importlib.util.find_spec(f"components.{name}.specs")]


def specs(domain: str | None = None) -> list[Spec]:
    """Every Spec, or those of one domain, in the order in which its `specs` module lists them in SPECS."""
    found: list[Spec] = []
    for name in [domain] if domain else domains():
        found += importlib.import_module(f"components.{name}.specs").SPECS
    return found
