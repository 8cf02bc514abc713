"""`traceo logs`: raw lines to templates with parameters, categories, clusters and links to traces."""

from __future__ import annotations

import argparse
import contextlib
import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components.cli.batch import Job, file_jobs, refuse_collisions, refuse_same, run_jobs
from components.core.errors import InputError, ParamsError

if TYPE_CHECKING:
    import polars as pl

    from components.logs.specs import FileParams

_TABLES = (".csv", ".parquet")
_PLOTS = (".png", ".html")


@dataclass(frozen=True)
class Options:
    """What the command line asks for, beside the files."""

    format: Any
    templates: Path | None
    plot: Path | None
    fields: Path | None
    spans: Path | None
    assign_only: bool
    params: FileParams


def add(commands: Any) -> None:
    parser = commands.add_parser(
        "logs",
        help="what do a million log lines say?",
        description="Raw text, JSON lines or CSV/Parquet with a column body (.gz and .zst too) to templates.",
        epilog="example: traceo logs app.log.gz --templates templates.csv --output lines.csv",
    )
    parser.add_argument("source", type=Path, metavar="FILE|DIR", help="a log file, or a directory of them")
    parser.add_argument("--format", choices=["auto", "text", "jsonl", "csv"], default="auto")
    parser.add_argument("--output", type=Path, required=True, metavar="FILE|DIR", help=".csv or .parquet")
    parser.add_argument("--templates", type=Path, metavar="FILE|DIR", help="the templates with their counts")
    parser.add_argument("--fields", type=Path, metavar="FILE|DIR", help="key=value pairs and JSON members of each line")
    parser.add_argument("--spans", type=Path, metavar="SPANS.parquet", help="link the lines to these spans' traces")
    parser.add_argument("--assign-only", action="store_true", help="write just line and template_id, fast")
    parser.add_argument("--plot", type=Path, metavar="FILE|DIR", help="lines over time by template, .png or .html")
    parser.add_argument("--seed", type=int, default=0, help="nothing here is random: accepted for every command alike")
    parser.add_argument(
        "--params",
        default="{}",
        metavar="JSON",
        help="min_siblings (6), cluster_distance (0.4), cluster_lines (2), year (1970, of times without one)",
    )
    parser.set_defaults(main=main)


def main(arguments: argparse.Namespace) -> int:
    from components.cli.params import params_of
    from components.logs.specs import FileParams

    options = Options(
        arguments.format,
        arguments.templates,
        arguments.plot,
        arguments.fields,
        arguments.spans,
        arguments.assign_only,
        params_of(arguments.params, FileParams),
    )
    for flag, given, what in (("--spans", options.spans, "traces"), ("--fields", options.fields, "fields")):
        if options.assign_only and given:
            raise ParamsError(f"--assign-only writes no {what}: leave out {flag} or --assign-only")
    jobs = _jobs(arguments.source, arguments.output, (options.templates, options.fields, options.plot))
    folder = arguments.source if arguments.source.is_dir() else None
    return run_jobs(jobs, functools.partial(_run, options=options, folder=folder, outputs=arguments.output), "logs")


def _jobs(source: Path, output: Path, sides: Sequence[Path | None] = ()) -> list[Job]:
    """A directory gives one job per file; a file that is no table gets `.csv` behind its name."""
    jobs = file_jobs(source, output, ("",), sides)
    if not source.is_dir():
        _check_suffix("--output", output, _TABLES)
        return jobs
    seen = [job for job in jobs if not job.source.name.startswith(".") and output not in job.source.parents]
    if not seen:
        raise InputError(f"{source}: no log file in this directory")
    named = [
        job if job.output.suffix.lower() in _TABLES else Job(job.source, job.output.with_name(job.output.name + ".csv"))
        for job in seen
    ]
    refuse_collisions(named, lambda job: job.output)
    return named


def _run(job: Job, options: Options, folder: Path | None, outputs: Path) -> str:
    """Mine one file and write what was asked for, all of it or nothing."""
    from components.logs import lines, mining, writing
    from components.logs.shaping import Shaper
    from components.logs.source import open_source

    sides = (options.templates, options.fields, options.plot)
    templates, fields, plot = (_place(path, job, folder, outputs) for path in sides)
    for flag, path in (("--templates", templates), ("--fields", fields)):
        if path:
            _check_suffix(flag, path, _TABLES)
    if plot:
        plot = plot.with_name(plot.name + ".png") if folder else plot
        _check_suffix("--plot", plot, _PLOTS)
    read = {"the input": job.source, "--spans": options.spans}
    refuse_same(read | {"--output": job.output, "--templates": templates, "--fields": fields, "--plot": plot}, read)
    spans = _read_spans(options.spans) if options.spans else None
    source = open_source(job.source, options.format)
    shaper = Shaper(source.messages)
    mined = mining.mine((block.lines for block in source.blocks()), options.params.min_siblings, shaper)
    tally = lines.Tally()
    with contextlib.ExitStack() as stack:
        writer = stack.enter_context(writing.PieceWriter(job.output))
        if options.assign_only:
            pieces = lines.assigned_lines(mined)
        else:
            from components.logs import clustering

            tally.clusters = clustering.cluster_templates(
                mined.templates, options.params.cluster_distance, options.params.cluster_lines
            )
            pieces = lines.detailed_lines(source, mined, shaper, tally.clusters, options.params.year, spans)
        for piece in pieces:
            writer.write(piece)
            tally.add(piece)
        if templates:
            stack.enter_context(writing.PieceWriter(templates)).write(mined.templates)
        if fields:
            from components.logs.fields import read_fields

            fields_writer = stack.enter_context(writing.PieceWriter(fields))
            for piece in read_fields(source):
                fields_writer.write(piece)
        if plot:
            from components.logs import drawing

            drawing.draw(plot, mined.templates, tally.over_time(), job.source.name)
    return tally.describe(mined.templates)


def _read_spans(path: Path) -> pl.DataFrame:
    import polars as pl

    from components.core.files import read_frame
    from components.core.times import parse_times
    from components.logs.tracing import OPTIONAL_SPAN_COLUMNS, SPAN_COLUMNS

    # As text: an id of digits is no number.
    frame = read_frame(path, strings=True)
    missing = [name for name in SPAN_COLUMNS if name not in frame.columns]
    if missing:
        raise InputError(f"--spans {path}: no column {missing[0]!r} (found {', '.join(frame.columns)}); add it")
    names = [*SPAN_COLUMNS, *(name for name in OPTIONAL_SPAN_COLUMNS if name in frame.columns)]
    nested = [name for name in names if frame[name].dtype.is_nested()]
    if nested:
        raise InputError(
            f"--spans {path}: column {nested[0]!r} holds {frame[nested[0]].dtype}; write one value per row"
        )
    durations = frame["duration_us"].cast(pl.Float64, strict=False).cast(pl.Int64, strict=False)
    if len(frame) and durations.null_count() == len(frame):
        raise InputError(f"--spans {path}: column 'duration_us' holds no number; write microseconds")
    texts = [pl.col(name).cast(pl.String, strict=False) for name in names if name not in ("start_time", "duration_us")]
    return frame.select(names).with_columns(parse_times(frame["start_time"], str(path)), durations, *texts)


def _place(path: Path | None, job: Job, folder: Path | None, outputs: Path) -> Path | None:
    """Where a side output of this job goes: the path itself for a file, the same place below it for a directory."""
    if path is None or folder is None:
        return path
    return path / job.output.relative_to(outputs)


def _check_suffix(flag: str, path: Path, allowed: tuple[str, ...]) -> None:
    if path.suffix.lower() not in allowed:
        raise ParamsError(f"{flag} {path}: unknown kind {path.suffix!r}; end it in {' or '.join(allowed)}")
