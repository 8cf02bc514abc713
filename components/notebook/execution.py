"""Running a notebook with papermill, and reading off it what failed."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jupytext
import nbformat
import papermill
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from papermill.exceptions import PapermillExecutionError

from components.notebook import kernel, percent
from components.notebook.specs import Notebook

logger = logging.getLogger("traceo.notebook")
logging.getLogger("papermill").setLevel(logging.WARNING)
#: Seconds a kernel may take to answer for the first time, on a busy machine.
_START_S = 120
_BANNER = "papermill-error-cell-tag"
# What differs from run to run without meaning anything: addresses of objects, the kernel's names for cells.
_ADDRESS = re.compile(r"\b0x[0-9a-f]{8,16}\b")
_CELL_FILE = re.compile(r"\S*ipykernel_\d+[\\/]\d+\.py")


@dataclass(frozen=True)
class Failure:
    """The cell that failed (its number and title in the source), the error's class and its first line."""

    cell: int
    title: str
    error: str
    message: str

    def __str__(self) -> str:
        return f"cell {self.cell} ({self.title}): {self.error}: {self.message}".rstrip(": ")


@dataclass(frozen=True)
class Executed:
    """A notebook with its outputs, the same bytes for the same run, and where it failed if it did."""

    notebook: Any
    failure: Failure | None


def execute(notebook: Notebook, values: Mapping[str, Any], folder: Path) -> Executed:
    """Run a notebook in `folder` with the given values of its parameters and ports; never raises for its cells."""
    source = prepared(notebook)
    target = folder / ".executed.ipynb"
    reason: Exception | None = None
    begun: list[str] = []

    def announce(cell: Any, cell_index: int) -> None:
        begun.append(cell.id)
        if cell.cell_type == "code" and _number(cell):
            logger.info("cell %d (%s)", _number(cell), cell.metadata.get("title", ""))

    try:
        papermill.execute_notebook(
            source,
            str(target),
            dict(values),
            kernel_name=kernel.NAME,
            progress_bar=False,
            cwd=str(folder),
            start_timeout=_START_S,
            execution_timeout=notebook.cell_timeout_s,
            kernel_manager_class=kernel.manager_class(folder),
            on_cell_start=announce,
        )
    except PapermillExecutionError as error:
        reason = error
    except CellTimeoutError:
        reason = TimeoutError(f"still running after {notebook.cell_timeout_s:g} s")
    except DeadKernelError:
        reason = RuntimeError("the kernel died; it may have run out of memory")
    executed = nbformat.read(target, as_version=4)
    failure = _failure(executed, reason, begun) if reason else None
    return Executed(normalized(executed), failure)


def prepared(notebook: Notebook) -> Any:
    """The notebook as papermill takes it: cells named by their number in the source, the kernel ours."""
    text = notebook.path.read_text(encoding="utf-8")
    made = jupytext.reads(text, fmt="py:percent")
    titles = {cell.number: cell.title for cell in percent.cells(text)}
    for number, cell in enumerate(made.cells, 1):
        cell.id = f"cell-{number}"
        cell.metadata["title"] = titles.get(number, "")
        cell.metadata["alt"] = f"plot: {titles.get(number, '')}"
    made.metadata["kernelspec"] = {"name": kernel.NAME, "display_name": kernel.NAME, "language": "python"}
    made.metadata["title"] = notebook.spec.title
    return made


def normalized(executed: Any) -> Any:
    """Without what differs from run to run: times, papermill's own notes, addresses, names of temporary files."""
    executed.metadata.pop("papermill", None)
    # Papermill's banner above a failed notebook; the page has its own.
    executed.cells = [cell for cell in executed.cells if _BANNER not in cell.metadata.get("tags", ())]
    for number, cell in enumerate(executed.cells):
        if not cell.id.startswith("cell-"):
            cell.id = f"added-{number}"
        for note in ("papermill", "execution"):
            cell.metadata.pop(note, None)
        for output in cell.get("outputs", ()):
            _settle(output)
    return executed


def _settle(output: Any) -> None:
    holders = [output.get("data", {}), output]
    for holder in holders:
        for key in ("text/plain", "text/html", "text", "evalue"):
            if isinstance(holder.get(key), str):
                holder[key] = _ADDRESS.sub("0x…", _CELL_FILE.sub("cell", holder[key]))
    if "traceback" in output:
        output["traceback"] = [_ADDRESS.sub("0x…", _CELL_FILE.sub("cell", line)) for line in output["traceback"]]


def _failure(executed: Any, reason: Exception, begun: list[str]) -> Failure:
    """Where it stopped: the cell with an error, else the one that was begun last."""
    last = begun[-1] if begun else executed.cells[0].id
    raised = [cell for cell in executed.cells if _errors(cell)]
    cell = raised[0] if raised else next(cell for cell in executed.cells if cell.id == last)
    name, words = type(reason).__name__, str(reason)
    if isinstance(reason, PapermillExecutionError):
        name, words = reason.ename, reason.evalue
    else:
        # In the place of the interrupt by which a hung cell was ended.
        kept = [output for output in cell.get("outputs", ()) if output.output_type != "error"]
        cell["outputs"] = [*kept, nbformat.v4.new_output("error", ename=name, evalue=words)]
        cell["outputs"][-1]["traceback"] = [f"{name}: {words}"]
    return Failure(_number(cell), cell.metadata.get("title", ""), name, one_line(words))


def _number(cell: Any) -> int:
    """The cell's number in the source; 0 for one that papermill added."""
    number: str = cell.id.removeprefix("cell-")
    return int(number) if number.isdigit() else 0


def one_line(words: str) -> str:
    """The first line of an error's text, at most 500 characters."""
    return (words.strip().splitlines() or [""])[0][:500]


def _errors(cell: Any) -> list[Any]:
    return [output for output in cell.get("outputs", ()) if output.output_type == "error"]
