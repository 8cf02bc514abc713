"""One file, or a directory of files in parallel: what the four commands share."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from components.core.errors import InputError, ParamsError, StorageError, TraceoError

#: Works on one job and returns the human summary; raises TraceoError. A top-level function or a
#: functools.partial of one, since it travels to worker processes.
Work = Callable[["Job"], str]


@dataclass(frozen=True)
class Job:
    """One input with its output."""

    source: Path
    output: Path


def file_jobs(source: Path, output: Path, suffixes: Sequence[str], sides: Sequence[Path | None] = ()) -> list[Job]:
    """The jobs of a command: one for a file; for a directory one per file of these suffixes, same names out.

    Files are found recursively and keep their place below the directory; what an earlier run wrote within it, to
    `output` or to the directories of `sides` (plots and the like), is no input. InputError where an output would
    replace its input.
    """
    if source.exists() and source.resolve() == output.resolve():
        raise InputError(f"--output {output}: would replace the input; name another place")
    if source.is_dir():
        files = (path for path in source.rglob("*") if path.is_file() and path.name.endswith(tuple(suffixes)))
        written = {path.resolve() for path in (output, *sides) if path} - {source.resolve()}
        found = sorted(path for path in files if written.isdisjoint(path.resolve().parents))
        if not found:
            raise InputError(f"{source}: no {' or '.join(suffixes)} file in this directory")
        if output.exists() and not output.is_dir():
            raise InputError(f"--output {output}: is a file, but {source} is a directory; name a directory")
        return [Job(path, output / path.relative_to(source)) for path in found]
    if not source.exists():
        raise InputError(f"{source}: no such file or directory; check the path")
    return [Job(source, output)]


def refuse_collisions(jobs: Sequence[Job], place: Callable[[Job], Path]) -> None:
    """InputError where two jobs would write to the same place."""
    taken: dict[Path, Job] = {}
    for job in jobs:
        other = taken.setdefault(place(job), job)
        if other is not job:
            raise InputError(
                f"{other.source} and {job.source} would write the same {place(job)}…: rename one or call twice"
            )


def refuse_same(files: Mapping[str, Path | None], read: Collection[str] = ()) -> None:
    """ParamsError where two names are of one file: the one written last would replace the other.

    read: the names that are only read; two of them may be one file.
    """
    seen: dict[Path, str] = {}
    for name, path in files.items():
        other = seen.setdefault(path.resolve(), name) if path else name
        if other != name and not (name in read and other in read):
            raise ParamsError(f"{name} {path}: would replace {other}; name another place")


def printable(text: str) -> str:
    """Text as it may stand on a terminal: without the control characters that a file's content smuggles in."""
    return "".join(sign if sign.isprintable() or sign == "\n" else repr(sign)[1:-1] for sign in text)


def run_jobs(jobs: Sequence[Job], work: Work, label: str) -> int:
    """Run every job, over all cores; print summaries on stdout and bad inputs on stderr. Returns the exit code.

    A bad file does not stop the others: it is reported at the end and the exit code is 2.
    """
    if len(jobs) == 1:
        return _run_one(jobs[0], work)
    # Not at the top: a single file needs no other process, and starts sooner without.
    from concurrent.futures import Future, ProcessPoolExecutor, as_completed
    from concurrent.futures.process import BrokenProcessPool
    from multiprocessing import get_context

    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    errors: list[tuple[Job, TraceoError]] = []
    workers = min(len(jobs), os.cpu_count() or 1)
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with (
        Progress(*columns, console=console, disable=not console.is_terminal) as progress,
        ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool,
    ):
        task = progress.add_task(label, total=len(jobs))
        pending: dict[Future[str], Job] = {pool.submit(work, job): job for job in jobs}
        for future in as_completed(pending):
            progress.advance(task)
            try:
                print(printable(f"{pending[future].source.name}: {future.result()}"))
            except TraceoError as error:
                errors.append((pending[future], error))
            except BrokenProcessPool:
                errors.append(
                    (pending[future], TraceoError(f"{pending[future].source}: a worker was killed; try again"))
                )
            except Exception as error:
                # A mistake of ours costs one file, not the others.
                what = f"{type(error).__name__}: {error}; call the command with this file alone to see where"
                errors.append((pending[future], TraceoError(f"{pending[future].source}: {what}")))
    for _, refused in sorted(errors, key=lambda item: str(item[0].source)):
        print(printable(f"error: {refused}"), file=sys.stderr)
    print(f"{len(jobs) - len(errors)} of {len(jobs)} done" + (f", {len(errors)} refused" if errors else ""))
    return max((_exit_code(refused) for _, refused in errors), default=0)


def _run_one(job: Job, work: Work) -> int:
    try:
        print(printable(work(job)))
    except TraceoError as error:
        print(printable(f"error: {error}"), file=sys.stderr)
        return _exit_code(error)
    return 0


def _exit_code(error: TraceoError) -> int:
    # All that these commands store is where their user told them to.
    return InputError.exit_code if isinstance(error, StorageError) else error.exit_code
