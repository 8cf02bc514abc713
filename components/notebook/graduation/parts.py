"""What of a notebook becomes a step: its computation, its outputs and its assertions, without pictures and printing.

* A cell tagged `plot`, what a cell shows (its last expression) and `print` stay behind.
* An assertion with computation behind it in the same cell guards that computation and becomes an InputError; the
  others, and loops of them, become the test.
* Of the rest, what neither an output nor an assertion needs is left out.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from components.core.errors import InputError
from components.notebook import parameters
from components.notebook.percent import Cell
from components.notebook.specs import REPORT, Notebook, shown

PLOT = "plot"
_ARTIFACTS = "components.notebook.artifacts"
_READS = {"Lake": ("lake",), "read_json": ("json",), "read_table": ("table",)}
_WRITES = {"write_json": "json", "write_table": "table"}
_OPPOSITE: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Gt: ast.LtE, ast.GtE: ast.Lt, ast.Lt: ast.GtE, ast.LtE: ast.Gt,
}  # fmt: skip


@dataclass
class Piece:
    """One top-level statement: its syntax and its text with the comments above it."""

    node: ast.stmt
    text: str


@dataclass
class Parts:
    """A notebook taken apart; `asserted` are the variables that the assertions look at."""

    imports: list[Piece] = field(default_factory=list)
    body: list[Piece] = field(default_factory=list)
    assertions: list[Piece] = field(default_factory=list)
    outputs: dict[str, str] = field(default_factory=dict)
    asserted: list[str] = field(default_factory=list)


def take_apart(notebook: Notebook) -> Parts:
    """The parts of a notebook; InputError names the line that uses a port in a way this does not understand."""
    kinds: dict[str, str] = {port.name: port.kind for port in notebook.spec.ports if port != REPORT}
    parts = Parts()
    for cell in notebook.cells:
        if cell.kind == "code" and not {PLOT, parameters.TAG} & cell.tags:
            _sort(parts, _pieces(cell), cell, kinds, notebook)
    missing = [p.name for p in notebook.spec.outputs if p.name in kinds and p.kind in ("json", "table")]
    if absent := [name for name in missing if name not in parts.outputs]:
        raise InputError(f"{shown(notebook.path)}: no cell writes {absent[0]!r} with write_json or write_table")
    bound = names_bound([piece.node for piece in parts.assertions])
    imported = {name for piece in parts.imports for name in names_bound([piece.node])}
    needed = names_used([piece.node for piece in parts.assertions]) - bound - imported - set(dir(builtins))
    parts.asserted = sorted(needed)
    parts.body = _needed(parts)
    return parts


def names_used(nodes: Sequence[ast.AST]) -> set[str]:
    """Names that are read anywhere in these nodes."""
    return {n.id for node in nodes for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}


def names_bound(nodes: Sequence[ast.AST]) -> set[str]:
    """Names that are assigned, imported or defined anywhere in these nodes."""
    found = set()
    for inner in (inner for node in nodes for inner in ast.walk(node)):
        match inner:
            case ast.Name(id=name, ctx=ast.Store()) | ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                found.add(name)
            case ast.alias(name=name, asname=other):
                found.add(other or name.split(".")[0])
            case ast.arg(arg=name):
                found.add(name)
    return found


def _pieces(cell: Cell) -> list[Piece]:
    lines, start, found = cell.source.splitlines(), 0, []
    for node in ast.parse(cell.source).body:
        end = node.end_lineno or node.lineno
        found.append(Piece(node, "\n".join(lines[start:end]).strip("\n")))
        start = end
    return found


def _sort(parts: Parts, pieces: list[Piece], cell: Cell, kinds: dict[str, str], notebook: Notebook) -> None:
    work = [index for index, piece in enumerate(pieces) if not _is_check(piece.node)]
    for index, piece in enumerate(pieces):
        last = index == len(pieces) - 1
        match piece.node:
            case ast.ImportFrom(module=module) if module == _ARTIFACTS:
                continue
            case ast.Import() | ast.ImportFrom():
                parts.imports.append(piece)
            case ast.Expr(value=ast.Call(func=ast.Name(id=name), args=[ast.Name(id=port), value])) if name in _WRITES:
                parts.outputs[port] = _read_ports(ast.unparse(value), value, cell, kinds, notebook)
            case ast.Expr(value=ast.Call(func=ast.Name(id="print" | "display"))):
                continue
            case ast.Expr() if last:
                continue
            case ast.Assert() as check if work and index < work[-1]:
                parts.body.append(_guard(check))
            case _:
                piece.text = _read_ports(piece.text, piece.node, cell, kinds, notebook)
                (parts.assertions if _is_check(piece.node) else parts.body).append(piece)


def _is_check(node: ast.stmt) -> bool:
    """An assertion, or a loop that ends in one and so exists for it."""
    return isinstance(node, ast.Assert) or (isinstance(node, ast.For) and isinstance(node.body[-1], ast.Assert))


def _guard(check: ast.Assert) -> Piece:
    """`assert x, message` as `if not x: raise InputError(message)`."""
    test = check.test
    match test:
        case ast.Compare(left=left, ops=[operator], comparators=[right]) if type(operator) in _OPPOSITE:
            refused: ast.expr = ast.Compare(left, [_OPPOSITE[type(operator)]()], [right])
        case _:
            refused = ast.UnaryOp(ast.Not(), test)
    message = check.msg or ast.Constant(f"expected {ast.unparse(test)}")
    raising = ast.Raise(ast.Call(ast.Name("InputError", ast.Load()), [message], []), None)
    node = ast.fix_missing_locations(ast.If(refused, [raising], []))
    return Piece(node, ast.unparse(node))


def _read_ports(text: str, node: ast.AST, cell: Cell, kinds: dict[str, str], notebook: Notebook) -> str:
    """The text with `Lake(port)`, `read_json(port)` and `read_table(port)` put as the port itself."""
    understood = set()
    for call in (inner for inner in ast.walk(node) if isinstance(inner, ast.Call)):
        match call:
            case ast.Call(func=ast.Name(id=name), args=[ast.Name(id=port) as argument], keywords=[]) if port in kinds:
                if kinds[port] in _READS.get(name, ()):
                    understood.add(id(argument))
                    text = text.replace(ast.unparse(call), port)
    for inner in ast.walk(node):
        if isinstance(inner, ast.Name) and inner.id in kinds and id(inner) not in understood:
            line = cell.line + inner.lineno - 1
            ways = "Lake(…), read_json(…), read_table(…), write_json(…, …) and write_table(…, …)"
            raise InputError(f"{shown(notebook.path)}:{line}: the port {inner.id!r} graduates only within {ways}")
    return text


def _needed(parts: Parts) -> list[Piece]:
    """The statements that outputs and assertions rest on, going backwards; guards always stay."""
    live = set(parts.asserted) | names_used([ast.parse(value) for value in parts.outputs.values()])
    kept: list[Piece] = []
    for piece in reversed(parts.body):
        changed = set(_changed(piece.node))
        if not changed or changed & live:
            kept.append(piece)
            live |= names_used([piece.node])
    return kept[::-1]


def _changed(node: ast.AST) -> Iterator[str]:
    """Names that a statement binds, or whose object it may change: by item, attribute or a method called on it."""
    match node:
        case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp() | ast.Lambda():
            # What these bind is theirs alone.
            return
        case ast.Subscript(value=ast.Name(id=name), ctx=ast.Store()):
            yield name
        case ast.Attribute(value=ast.Name(id=name), ctx=ast.Store()):
            yield name
        case ast.Expr(value=ast.Call(func=ast.Attribute(value=target))):
            yield from names_used([target])
        case ast.Name(id=name, ctx=ast.Store()) | ast.FunctionDef(name=name) | ast.ClassDef(name=name):
            yield name
    for child in ast.iter_child_nodes(node):
        yield from _changed(child)
