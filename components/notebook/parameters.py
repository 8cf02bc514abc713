"""The cell tagged `parameters`, read with `ast`: typed literal defaults, nothing is run."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import Field, ValidationError, create_model

from components.core.spec import Params
from components.notebook.header import Malformed
from components.notebook.percent import Cell

TAG = "parameters"
_PLAIN: dict[str, Any] = {"int": int, "float": float, "str": str, "bool": bool, "None": None}
_BOUNDS = re.compile(r"^(?P<words>.*?),? *\[(?P<low>-?\d+(?:\.\d+)?), *(?P<high>-?\d+(?:\.\d+)?)\]$")


@dataclass(frozen=True)
class Parameter:
    """One assignment of the cell; `type` as written in it, for people."""

    name: str
    default: Any
    annotation: Any
    type: str
    words: str
    line: int
    bounds: tuple[float, float] | None = None


def read(cell: Cell, ports: Collection[str]) -> list[Parameter]:
    """The assignments of the cell; Malformed names the line of what is not one, or lacks its description or port."""
    try:
        body = ast.parse(cell.source).body
    except SyntaxError as error:
        raise Malformed(
            cell.line + (error.lineno or 1) - 1, f"the parameters cell is not Python: {error.msg}"
        ) from None
    comments = _comments(cell.source)
    found = [_parameter(statement, comments, cell.line, ports) for statement in body]
    names = [item.name for item in found]
    if twice := {name for name in names if names.count(name) > 1}:
        raise Malformed(cell.line, f"the parameters cell assigns {sorted(twice)[0]!r} twice")
    if missing := sorted(set(ports) - set(names)):
        raise Malformed(cell.line, f"the parameters cell lacks the port {missing[0]!r}; give it a path for Jupyter")
    return found


def model(name: str, parameters: Collection[Parameter]) -> type[Params]:
    """The Params class of these parameters; Malformed where a default is not of its own type or out of bounds."""
    fields: dict[str, Any] = {}
    for item in parameters:
        low, high = item.bounds or (None, None)
        info = Field(default=item.default, description=item.words, ge=low, le=high)
        fields[item.name] = (item.annotation, info)
    made: type[Params] = create_model(f"{name.title().replace('_', '')}Params", __base__=Params, **fields)
    for item in parameters:
        try:
            made.model_validate({item.name: item.default}, strict=True)
        except ValidationError as error:
            problem = error.errors()[0]["msg"]
            raise Malformed(item.line, f"parameter {item.name!r} = {item.default!r}: {problem}") from None
    return made


def _parameter(statement: ast.stmt, comments: dict[int, str], first: int, ports: Collection[str]) -> Parameter:
    line = first + statement.lineno - 1
    name, annotation, value = _assignment(statement, line)
    try:
        default = ast.literal_eval(value)
    except ValueError:
        raise Malformed(line, f"{name!r} is not a literal: {ast.unparse(value)}; compute it in a later cell") from None
    words, bounds = _described(comments.get(statement.end_lineno or statement.lineno, ""))
    if name in ports:
        if not isinstance(default, str):
            raise Malformed(line, f"the port {name!r} must be a path in quotes, not {default!r}")
        return Parameter(name, default, str, "str", words, line)
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise Malformed(line, f"parameter {name!r}: write its name in lower case letters, digits and _")
    if not words:
        raise Malformed(line, f"parameter {name!r} has no description; write it as a comment behind it")
    if annotation is None and not isinstance(default, int | float | str | bool):
        raise Malformed(line, f"parameter {name!r} has no type; write {name}: list[int] = … or the like")
    written = ast.unparse(annotation) if annotation else type(default).__name__
    type_ = _type(annotation, line) if annotation else type(default)
    if bounds and not set(re.findall(r"\w+", written)) & {"int", "float"}:
        raise Malformed(line, f"parameter {name!r} is {written} and cannot have bounds")
    return Parameter(name, default, type_, written, words, line, bounds)


def _assignment(statement: ast.stmt, line: int) -> tuple[str, ast.expr | None, ast.expr]:
    match statement:
        case ast.AnnAssign(target=ast.Name(id=name), annotation=annotation, value=ast.expr() as value):
            return name, annotation, value
        case ast.Assign(targets=[ast.Name(id=name)], value=value):
            return name, None, value
    raise Malformed(line, f"only name: type = literal may stand in the parameters cell, not {ast.unparse(statement)!r}")


def _type(node: ast.expr, line: int) -> Any:
    match node:
        case ast.Name(id=name) if name in _PLAIN:
            return _PLAIN[name]
        case ast.Constant(value=None):
            return None
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return _type(left, line) | _type(right, line)
        case ast.Subscript(value=ast.Name(id="list"), slice=item):
            return list[_type(item, line)]  # type: ignore[misc]
        case ast.Subscript(value=ast.Name(id="dict"), slice=ast.Tuple(elts=[key, item])):
            return dict[_type(key, line), _type(item, line)]  # type: ignore[misc]
        case ast.Subscript(value=ast.Name(id="Literal"), slice=choices):
            return Literal[ast.literal_eval(choices)]
    known = "int, float, str, bool, list[…], dict[str, …], Literal[…] and | None"
    raise Malformed(line, f"the type {ast.unparse(node)} is not known here; it may be {known}")


def _comments(source: str) -> dict[int, str]:
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return {t.start[0]: t.string.lstrip("# ").strip() for t in tokens if t.type == tokenize.COMMENT}


def _described(comment: str) -> tuple[str, tuple[float, float] | None]:
    found = _BOUNDS.match(comment)
    return (found["words"], (_number(found["low"]), _number(found["high"]))) if found else (comment, None)


def _number(text: str) -> float:
    return float(text) if "." in text else int(text)
