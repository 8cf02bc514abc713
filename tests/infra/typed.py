"""A plain object against the classes of a generated Kubernetes client: unknown fields, wrong types, missing ones."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import kserve
from kubernetes.client import models

_SCALARS: dict[str, type | tuple[type, ...]] = {
    "str": str, "int": int, "bool": bool, "float": (int, float), "object": object, "datetime": str,
    "ResourceQuantity": (str, int, float), "KnativeAddressable": dict,
}  # fmt: skip


def problems(value: Any, kind: str, where: str = "") -> Iterator[str]:
    """What of `value` the class `kind` would not take, field by field."""
    if match := re.fullmatch(r"list\[(.+)\]", kind):
        yield from _items(value, match[1], where)
    elif match := re.fullmatch(r"dict[(\[]str, (.+)[)\]]", kind):
        yield from _members(value, match[1], where)
    elif kind in _SCALARS:
        # A bool is an int to Python alone.
        if not isinstance(value, _SCALARS[kind]) or (isinstance(value, bool) and kind not in ("bool", "object")):
            yield f"{where}: {value!r} is no {kind}"
    elif kind == "IntOrString":
        if not isinstance(value, int | str):
            yield f"{where}: {value!r} is neither a number nor a text"
    else:
        yield from _fields(value, _class(kind), where)


def _items(value: Any, kind: str, where: str) -> Iterator[str]:
    if not isinstance(value, list):
        yield f"{where}: {value!r} is no list"
        return
    for index, item in enumerate(value):
        yield from problems(item, kind, f"{where}[{index}]")


def _members(value: Any, kind: str, where: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{where}: {value!r} is no mapping"
        return
    for name, item in value.items():
        yield from problems(item, kind, f"{where}.{name}")


def _fields(value: Any, model: type[Any], where: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{where}: {value!r} is no {model.__name__}"
        return
    known = {json_name: name for name, json_name in model.attribute_map.items()}
    for name, item in value.items():
        if name not in known:
            yield f"{where}.{name}: {model.__name__} has no such field"
        else:
            yield from problems(item, model.openapi_types[known[name]], f"{where}.{name}")
    try:
        model(**{known[name]: item for name, item in value.items() if name in known})
    except ValueError as error:
        yield f"{where}: {error}"


def _class(kind: str) -> type[Any]:
    # KServe's generator spells the group out for one class of Kubernetes' own.
    name = kind.replace("K8sIoApiAppsV1", "V1")
    found: type[Any] = getattr(kserve, name, None) or getattr(models, name)
    return found
