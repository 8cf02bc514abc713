"""How far an import is: a bar on a terminal, log lines elsewhere."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

logger = logging.getLogger("traceo.telemetry")

#: Called once per piece of work that is done, with what to say about it.
Advance = Callable[[str], None]


@contextmanager
def progress_of(total: int) -> Iterator[Advance]:
    """A function to call after each of `total` days; the bar goes to stderr."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _log_lines(total)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("importing", total=total)
        yield lambda message: bar.update(task, advance=1, description=message)


def _log_lines(total: int) -> Advance:
    done = iter(range(1, total + 1))
    return lambda message: logger.info("imported day %d of %d: %s", next(done), total, message)
