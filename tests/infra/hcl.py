"""infra/terraform as plain mappings, read with python-hcl2."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import hcl2

from tests.infra.manifests import INFRA

FOLDER = INFRA / "terraform"
Block = dict[str, Any]
#: What python-hcl2 adds to a block.
_MARK = "__is_block__"


@lru_cache
def configuration(folder: Path = FOLDER) -> tuple[Block, ...]:
    """The files' contents, in the order of their names."""
    options = hcl2.SerializationOptions(with_comments=False, strip_string_quotes=True)
    return tuple(hcl2.loads(path.read_text(), serialization_options=options) for path in sorted(folder.glob("*.tf")))


def blocks(files: tuple[Block, ...], kind: str) -> Iterator[tuple[str, str, Block]]:
    """Every `resource` or `data` block: its type, its name, its body."""
    for file in files:
        for block in file.get(kind, []):
            for of_type, named in block.items():
                if of_type != _MARK:
                    yield from ((of_type, name, body) for name, body in named.items() if name != _MARK)


def named(files: tuple[Block, ...], kind: str) -> dict[str, Block]:
    """Every `variable` or `output` block by name."""
    return {
        name: body for file in files for block in file.get(kind, []) for name, body in block.items() if name != _MARK
    }


def local_values(files: tuple[Block, ...]) -> Block:
    return {name: value for file in files for block in file.get("locals", []) for name, value in block.items()
            if name != _MARK}  # fmt: skip


def inner(body: Block) -> Iterator[tuple[str, Any]]:
    """What a block says: its arguments, and its nested blocks, those of `dynamic` as if they were written out."""
    for name, value in body.items():
        if name == "dynamic":
            for dynamic in value:
                for label, found in dynamic.items():
                    if label != _MARK:
                        yield label, found["content"]
        elif name != _MARK:
            yield name, value


def texts(value: Any) -> Iterator[str]:
    """Every text within, expressions included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from texts(item)


def references(value: Any) -> set[str]:
    """What expressions refer to: var.x, local.x, aws_type.name.attribute, data.aws_type.name.attribute."""
    pattern = r"(?<![\w.\"])((?:var|local)\.\w+|(?:data\.)?aws_\w+\.\w+(?:\[[^\]]*\])?(?:\.\w+)?)"
    return {match for text in texts(value) for match in re.findall(pattern, text)}
