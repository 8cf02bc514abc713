"""The interface of every notebook that is a component, found in the notebooks' folder (TRACEO_NOTEBOOKS)."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from components.core.errors import InputError
from components.core.settings import REPOSITORY, settings
from components.core.spec import Port, Spec
from components.notebook import header, parameters, percent
from components.notebook.header import Malformed
from components.notebook.parameters import Parameter
from components.notebook.percent import Cell

REPORT = Port("report", "folder", "the executed notebook (notebook.ipynb) and its page (index.html)")
logger = logging.getLogger("traceo.notebook")


@dataclass(frozen=True)
class Notebook:
    """A notebook that is a component: its file, its interface, its cells and how long one of them may run."""

    path: Path
    spec: Spec
    cells: tuple[Cell, ...]
    parameters: tuple[Parameter, ...]
    cell_timeout_s: float

    @property
    def name(self) -> str:
        return self.spec.step


def read(path: Path) -> Notebook | None:
    """The notebook in a file; None where it is an ordinary one (neither Outputs nor parameters).

    InputError names the file and the line of what a component may not have.
    """
    cells = percent.cells(path.read_text(encoding="utf-8"))
    tagged = [cell for cell in cells if parameters.TAG in cell.tags]
    if not tagged and not any("**Outputs**" in cell.source for cell in cells[:1]):
        return None
    try:
        return _component(path, cells, tagged)
    except Malformed as error:
        raise InputError(f"{shown(path)}:{error.line}: {error}") from None


def discover(folder: Path) -> tuple[list[Notebook], dict[str, InputError]]:
    """The components in a folder by name, and what is wrong with those that cannot be read, by their file's stem."""
    found, problems = [], {}
    for path in sorted(folder.glob("*.py")):
        try:
            notebook = read(path)
        except (InputError, UnicodeDecodeError) as error:
            problems[path.stem] = error if isinstance(error, InputError) else InputError(f"{shown(path)}: {error}")
            # One broken notebook must not take the others out of service.
            logger.warning("left out: %s", problems[path.stem])
            continue
        if notebook:
            found.append(notebook)
    return found, problems


def notebook(name: str) -> Notebook:
    """The component of this name; InputError says what is wrong with its file, or which names there are."""
    if name in PROBLEMS:
        raise PROBLEMS[name]
    try:
        return next(item for item in NOTEBOOKS if item.name == name)
    except StopIteration:
        known = ", ".join(item.name for item in NOTEBOOKS) or "none"
        raise InputError(f"no notebook {name!r} in {shown(FOLDER)}; there are {known}") from None


def shown(path: Path) -> str:
    """A path as messages name it: within the repository relative to it."""
    return str(path.relative_to(REPOSITORY)) if path.is_relative_to(REPOSITORY) else str(path)


def _component(path: Path, cells: Sequence[Cell], tagged: Sequence[Cell]) -> Notebook:
    if not re.fullmatch(r"[a-z][a-z0-9_]*", path.stem):
        raise Malformed(
            1, f"the file's name {path.stem!r} becomes a step; write it in lower case letters, digits and _"
        )
    head = header.read(cells[0])
    if len(tagged) != 1:
        raise Malformed(cells[0].line, f'{len(tagged)} cells are tagged; mark one with # %% tags=["{parameters.TAG}"]')
    ports = {port.name for port in (*head.inputs, *head.outputs)}
    assigned = parameters.read(tagged[0], ports)
    chosen = tuple(item for item in assigned if item.name not in ports)
    spec = Spec(
        name=f"notebook.{path.stem}",
        title=head.title,
        params=parameters.model(path.stem, chosen),
        inputs=tuple(head.inputs),
        outputs=(*head.outputs, REPORT),
        resources=head.resources,
    )
    return Notebook(path, spec, tuple(cells), chosen, head.cell_timeout_s)


FOLDER = Path(settings().notebooks)
NOTEBOOKS, PROBLEMS = discover(FOLDER)
SPECS = [item.spec for item in NOTEBOOKS]
