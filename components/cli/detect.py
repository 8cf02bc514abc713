"""`traceo detect`: what is abnormal in a file of series, or in every file of a directory."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components.core.errors import InputError, ParamsError

if TYPE_CHECKING:
    from components.anomaly.specs import DetectParams
    from components.cli.batch import Job
    from components.core.files import SeriesFile

PLOT_SUFFIXES = (".png", ".html")


def add(commands: Any) -> None:
    parser = commands.add_parser(
        "detect",
        help="what is abnormal in these series",
        description="Score every row of a series (several columns together); a score above 1 is an anomaly. "
        "A score never depends on later rows unless --retrospective.",
        epilog="example: traceo detect cpu.csv --history last_month.csv --output anomalies.csv --plot anomalies.png",
    )
    parser.add_argument("series", type=Path, metavar="SERIES|DIR", help="CSV or Parquet: timestamp and numeric columns")
    parser.add_argument("--history", type=Path, metavar="FILE|DIR", help="the same columns, earlier, mostly normal")
    parser.add_argument(
        "--detector", default="auto", metavar="auto|NAME", help="recent_days, isolation_forest, zscore …"
    )
    parser.add_argument("--retrospective", action="store_true", help="may use the whole series for every score")
    parser.add_argument("--seed", type=int, default=None, help="fixes every random choice (default 0)")
    parser.add_argument("--params", default="{}", metavar="JSON", help="e.g. '{\"expected_false_events_per_week\": 1}'")
    parser.add_argument(
        "--feedback",
        type=Path,
        metavar="FILE",
        help="marks on earlier alarms: series (a file or column), start, end, verdict (false_alarm or real)",
    )
    parser.add_argument(
        "--changes",
        type=Path,
        metavar="FILE",
        help="deployments and the like, for the words: timestamp, what[, service]",
    )
    parser.add_argument("--plot", type=Path, metavar="PNG|HTML|DIR", help="draw series, band and events")
    parser.add_argument("--band", type=Path, metavar="FILE|DIR", help="write what was expected: CSV or Parquet")
    parser.add_argument("--output", type=Path, required=True, metavar="FILE|DIR", help="CSV or Parquet")
    parser.set_defaults(main=main)


def main(arguments: argparse.Namespace) -> int:
    from components.anomaly import detectors
    from components.anomaly.detect import tuning_of
    from components.anomaly.feedback import read_marks
    from components.anomaly.specs import DetectParams
    from components.cli.batch import file_jobs, run_jobs
    from components.cli.params import params_of
    from components.core.changes import read_changes
    from components.core.files import TABLE_SUFFIXES

    params = params_of(arguments.params, DetectParams, {} if arguments.seed is None else {"seed": arguments.seed})
    tuning_of(params)
    if arguments.detector not in detectors.names():
        raise ParamsError(f"--detector {arguments.detector}: none of that name; choose {', '.join(detectors.names())}")
    directory = arguments.series.is_dir()
    if arguments.feedback:
        read_marks(arguments.feedback)
    if arguments.changes:
        read_changes(arguments.changes)
    jobs = file_jobs(arguments.series, arguments.output, TABLE_SUFFIXES, (arguments.plot, arguments.band))
    _check_outputs(arguments, directory)
    work = partial(
        _detect_file,
        root=arguments.series if directory else None,
        history=arguments.history,
        detector=arguments.detector,
        retrospective=arguments.retrospective,
        params=params.model_dump(),
        feedback=arguments.feedback,
        changes=arguments.changes,
        plot=arguments.plot,
        band=arguments.band,
    )
    return run_jobs(jobs, work, "detect")


def _check_outputs(arguments: argparse.Namespace, directory: bool) -> None:
    """Refuse, before any work, outputs that could not be written."""
    from components.core.files import TABLE_SUFFIXES

    if not directory and arguments.output.suffix.lower() not in TABLE_SUFFIXES:
        raise InputError(f"--output {arguments.output}: unknown kind; end it in .csv or .parquet")
    if arguments.band and not directory and arguments.band.suffix.lower() not in TABLE_SUFFIXES:
        raise InputError(f"--band {arguments.band}: unknown kind; end it in .csv or .parquet")
    if arguments.plot and not directory and arguments.plot.suffix.lower() not in PLOT_SUFFIXES:
        raise InputError(f"--plot {arguments.plot}: unknown kind; end it in .png or .html")
    for option, path in (("--plot", arguments.plot), ("--band", arguments.band)):
        if path and directory and path.is_file():
            raise InputError(f"{option} {path}: is a file, but {arguments.series} is a directory; name a directory")
    if arguments.history and not arguments.history.exists():
        raise InputError(f"--history {arguments.history}: no such file or directory; check the path")


def _detect_file(
    job: Job,
    *,
    root: Path | None,
    history: Path | None,
    detector: str,
    retrospective: bool,
    params: dict[str, Any],
    feedback: Path | None,
    changes: Path | None,
    plot: Path | None,
    band: Path | None,
) -> str:
    from components.anomaly.detect import band_frame, detect, result_frame, summarize
    from components.anomaly.specs import DetectParams
    from components.cli.batch import refuse_same
    from components.core.files import frame_bytes, read_series
    from components.core.storage import write_files

    before = _beside(history, job.source, root) if history else None
    usual = band / job.source.relative_to(root) if band and root else band
    picture = _picture(plot, job.source, root)
    read = {"the input": job.source, "--feedback": feedback, "--changes": changes}
    written = {"--output": job.output, "--band": usual, "--plot": picture}
    refuse_same(read | {"--history": before} | written, read)
    series = read_series(job.source)
    earlier = read_series(before) if before else None
    chosen, said = _own_knob(feedback, series, DetectParams(**params))
    detection = detect(series, earlier, detector, chosen, retrospective=retrospective)
    contents = {job.output: frame_bytes(job.output, result_frame(detection, series))}
    if usual:
        contents[usual] = frame_bytes(usual, band_frame(detection))
    if picture:
        from components.anomaly.plot import draw

        contents[picture] = draw(detection, job.source.name, picture.suffix.lower())
    write_files(contents)
    return summarize(detection, series, _own_changes(changes, series) if changes else None) + said


def _own_changes(changes: Path, series: SeriesFile) -> Any:
    """The changes of the service that the file is named after; all of them where no change names it."""
    from components.core.changes import read_changes

    every = read_changes(changes)
    own = every.filter(every["service"] == series.path.stem)
    return own if len(own) else every


def _own_knob(feedback: Path | None, series: SeriesFile, params: DetectParams) -> tuple[DetectParams, str]:
    """The parameters with the knob that marks on the file, or on a column of it, ask for; what to say of it."""
    from components.anomaly.feedback import knob_of, read_marks

    base = params.expected_false_events_per_week
    names = (series.path.name, series.path.stem, *series.columns)
    knob = knob_of(names, read_marks(feedback), base) if feedback else base
    said = f"\n  by the marks {knob:g} false events per week are accepted, not {base:g}" if knob != base else ""
    return params.model_copy(update={"expected_false_events_per_week": knob}), said


def _beside(history: Path, source: Path, root: Path | None) -> Path:
    """The history of one file: the file given, or the one of the same name in the directory given."""
    if not history.is_dir():
        return history
    path = history / (source.relative_to(root) if root else source.name)
    if not path.is_file():
        raise InputError(f"{path}: no history for {source.name} in {history}; add it or leave --history out")
    return path


def _picture(plot: Path | None, source: Path, root: Path | None) -> Path | None:
    if plot is None or root is None:
        return plot
    return plot / source.relative_to(root).with_suffix(source.suffix + ".png")
