"""`traceo diagnose`: what caused an incident, for one case directory or every case in a directory.

The output is the same bytes for the same case, parameters and seed, but for the field `elapsed_ms`, which is a clock
reading by definition: it is the last key on a line of its own, so that a diff shows nothing else.
"""

from __future__ import annotations

import argparse
import json
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components.core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from components.cli.batch import Job
    from components.rootcause.past import Past
    from components.rootcause.specs import ScorerParams

INCIDENT_FILE = "incident.json"
_PLOT_SUFFIX = ".png"


def add(commands: Any) -> None:
    parser = commands.add_parser(
        "diagnose",
        help="what caused this incident",
        description="Rank the services of a case by how likely they caused the incident, with evidence. A case is a "
        "directory with incident.json and any of metrics, spans, logs, alerts, calls, changes (.csv or .parquet).",
        epilog="examples: traceo diagnose cases/checkout-errors --output causes.json --plot causes.png; "
        "traceo diagnose cases/new --past cases/solved --output causes.json",
    )
    parser.add_argument("case", type=Path, metavar="CASE|DIR", help="a case directory, or a directory of them")
    parser.add_argument("--seed", type=int, default=None, help="fixes every random choice (default 0)")
    parser.add_argument("--params", default="{}", metavar="JSON", help="e.g. '{\"min_deviation\": 5}'")
    parser.add_argument(
        "--past",
        type=Path,
        metavar="DIR",
        help="a directory of cases of the same system whose incident.json names the 'cause': rank by what they teach; "
        "cases without a cause among their services teach nothing, nor does a case about itself",
    )
    parser.add_argument("--plot", type=Path, metavar="PNG|DIR", help="draw the call graph and the deviating series")
    parser.add_argument("--output", type=Path, required=True, metavar="FILE|DIR", help="JSON")
    parser.set_defaults(main=main)


def main(arguments: argparse.Namespace) -> int:
    from components.cli.batch import run_jobs
    from components.cli.params import params_of
    from components.rootcause.specs import ScorerParams

    params = params_of(arguments.params, ScorerParams, {} if arguments.seed is None else {"seed": arguments.seed})
    jobs = case_jobs(arguments.case, arguments.output, arguments.plot)
    several = jobs[0].source != arguments.case
    pictures = {job.source: _picture(arguments.plot, job.source, several) for job in jobs}
    _check_plot(arguments.plot, several)
    _check_outputs(jobs, pictures, arguments.past)
    past = _past(arguments.past, params) if arguments.past else None
    work = partial(
        _diagnose_case,
        params=params.model_dump(),
        pictures=pictures,
        past=past,
        taught_by=arguments.past,
    )
    return run_jobs(jobs, work, "diagnose")


def case_jobs(source: Path, output: Path, plot: Path | None = None) -> list[Job]:
    """One job for a case directory; for a directory of cases one per case, `<case>.json` out.

    A directory is a case when it holds incident.json or any table of one; its subdirectories are cases otherwise.
    """
    from components.cli.batch import Job

    folders = [] if _is_case(source) else [f for f in _subfolders(source) if not _holds_results(f, (output, plot))]
    if not folders:
        if output.is_dir():
            raise InputError(f"--output {output}: is a directory, but {source} is one case; name a .json file")
        return [Job(source, output)]
    if output.exists() and not output.is_dir():
        raise InputError(f"--output {output}: is a file, but {source} holds several cases; name a directory")
    return [Job(folder, output / f"{folder.name}.json") for folder in folders]


def _is_case(folder: Path) -> bool:
    from components.rootcause.reading import CASE_FILES

    return any((folder / name).exists() for name in CASE_FILES)


def _holds_results(folder: Path, written: Sequence[Path | None]) -> bool:
    """Whether a directory is no case, but has what this run or an earlier one wrote within the directory of cases."""
    if _is_case(folder):
        return False
    places = [path.resolve() for path in written if path]
    suffixes = {path.suffix for path in folder.rglob("*") if path.is_file()}
    return any(folder.resolve() in (place, *place.parents) for place in places) or (
        bool(suffixes) and suffixes <= {".json", _PLOT_SUFFIX}
    )


def _check_outputs(jobs: Sequence[Job], pictures: Mapping[Path, Path | None], past: Path | None) -> None:
    """Refuse, before any work, to replace a file of a case or one result by another."""
    from components.cli.batch import refuse_same
    from components.rootcause.reading import CASE_FILES

    cases = {job.source for job in jobs} | set(_subfolders(past) if past else ())
    inputs = {place for case in cases for name in CASE_FILES for place in (case / name, case.resolve() / name)}
    read = {path.resolve() for path in inputs} | inputs
    for job in jobs:
        refuse_same({"--output": job.output, "--plot": pictures[job.source]})
        for path in (job.output, pictures[job.source]):
            if path and not read.isdisjoint((path, path.resolve(), path.parent.resolve() / path.name)):
                raise InputError(f"{path}: would replace the input; name another place")


def _picture(plot: Path | None, case: Path, several: bool) -> Path | None:
    return plot / f"{case.name}{_PLOT_SUFFIX}" if plot and several else plot


def _subfolders(source: Path) -> list[Path]:
    if not source.is_dir():
        reason = "is a file, not a case directory" if source.exists() else "no such directory"
        raise InputError(f"{source}: {reason}; give a directory with {INCIDENT_FILE}")
    return sorted(path for path in source.iterdir() if path.is_dir() and not path.name.startswith("."))


def _check_plot(plot: Path | None, several: bool) -> None:
    """Refuse, before any work, a picture that could not be written."""
    if plot and not several and plot.suffix.lower() != _PLOT_SUFFIX:
        raise InputError(f"--plot {plot}: unknown kind {plot.suffix!r}; end it in {_PLOT_SUFFIX}")
    if plot and not several and plot.is_dir():
        raise InputError(f"--plot {plot}: is a directory; name a {_PLOT_SUFFIX} file")
    if plot and several and plot.is_file():
        raise InputError(f"--plot {plot}: is a file, but there are several cases; name a directory")


def _past(source: Path, params: ScorerParams) -> Past:
    """Learn from every case of a directory whose cause is known; a case that cannot be read is told and left out."""
    from components.cli.batch import printable
    from components.rootcause.diagnosis import diagnose
    from components.rootcause.past import described, learned
    from components.rootcause.reading import read_case

    incidents, refused = [], 0
    for folder in _subfolders(source):
        try:
            case = read_case(folder)
        except InputError as error:
            refused += 1
            print(printable(f"warning: left out of --past: {error}"), file=sys.stderr)
            continue
        if case.incident.cause:
            standings = diagnose(case, params.model_copy(update={"abstain": False})).standings
            incidents.append(described(folder.name, case, standings, case.incident.cause))
    try:
        return learned(incidents)
    except InputError as error:
        unread = f" ({refused} could not be read)" if refused else ""
        raise InputError(f"--past {source}: {error}{unread}") from None


def _diagnose_case(
    job: Job,
    *,
    params: dict[str, Any],
    pictures: Mapping[Path, Path | None],
    past: Past | None = None,
    taught_by: Path | None = None,
) -> str:
    from components.core.storage import write_files
    from components.rootcause.diagnosis import diagnose
    from components.rootcause.reading import read_case
    from components.rootcause.specs import ScorerParams

    if past and taught_by and job.source.resolve().parent == taught_by.resolve():
        past = past.without(job.source.name)
    case = read_case(job.source)
    diagnosis = diagnose(case, ScorerParams(**params), past)
    text = json.dumps(diagnosis.content(), indent=1, ensure_ascii=False, allow_nan=False)
    contents = {job.output: f"{text}\n".encode()}
    if picture := pictures[job.source]:
        from components.rootcause.plot import draw

        contents[picture] = draw(diagnosis, job.source.name)
    write_files(contents)
    if diagnosis.abstained:
        return f"abstained: {diagnosis.reason}"
    best = diagnosis.causes[0]
    where = f"{best['service']} {best['metric']}" if best["metric"] else best["service"]
    found = f"{where} ({best['kind']}, {best['level']}, score {best['score']:.2f}); {best['evidence'][0]['text']}"
    return "; ".join([found, *case.notes])
