"""`traceo forecast`: forecasts of series files and the risk of crossing a limit."""

from __future__ import annotations

import argparse
import json
import math
import re
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from components.cli.batch import Job, file_jobs, refuse_collisions, run_jobs
from components.cli.params import params_of
from components.core.errors import InputError, ParamsError
from components.core.files import TABLE_SUFFIXES
from components.core.spec import Params

if TYPE_CHECKING:
    from components.forecasting.forecast import Forecast
    from components.forecasting.risk import Risk
    from components.forecasting.series import History

_UNITS = {"s": "seconds", "m": "minutes", "min": "minutes", "h": "hours", "d": "days", "w": "weeks"}
#: More steps than this are a mistyped horizon: a year of hours.
MAX_HORIZON_STEPS = 8784


class ForecastParams(Params):
    """What `--params` reaches."""

    capacity: float | None = Field(default=None, description="what the series can never exceed, in its own unit")
    origins: int = Field(default=21, ge=3, le=60, description="backtest origins, a day apart")
    candidates: tuple[str, ...] | None = Field(
        default=None, description="models that `auto` and `ensemble` weigh; default the fast ones"
    )


@dataclass(frozen=True)
class Options:
    """The command line, checked."""

    horizon: int
    step: timedelta
    model: str
    limit: float | None
    direction: str
    seed: int
    params: ForecastParams
    plot: Path | None
    directory: bool


def add(commands: Any) -> None:
    parser = commands.add_parser(
        "forecast",
        help="forecast series and the risk of crossing a limit",
        description="Forecast one series (CSV or Parquet: timestamp, value; more numeric columns are regressors) or a "
        "directory of them. With --limit the probability and time of crossing it go to <output stem>.risk.json.",
        epilog="example: traceo forecast disk.csv --horizon 7d --limit 95 --plot disk.png --output disk_forecast.csv",
    )
    parser.add_argument("source", metavar="SERIES|DIR", type=Path, help="CSV or Parquet: timestamp, value")
    parser.add_argument("--horizon", required=True, metavar="7d", help="how far ahead: a number with m, h, d or w")
    parser.add_argument("--frequency", default="1h", metavar="1h", help="step of the forecast (default 1h)")
    parser.add_argument("--limit", metavar="X", help="value whose crossing is failure")
    parser.add_argument("--direction", choices=("above", "below"), help="side of --limit that fails (default above)")
    parser.add_argument("--model", default="auto", metavar="NAME", help="auto, ensemble or one model (default auto)")
    parser.add_argument("--seed", type=int, default=0, help="fixes every random choice (default 0)")
    parser.add_argument("--params", default="{}", metavar="JSON", help=_params_help())
    parser.add_argument("--plot", type=Path, metavar="FILE", help="PNG or self-contained HTML; a directory for a DIR")
    parser.add_argument("--output", required=True, type=Path, metavar="FILE|DIR", help="CSV or Parquet")
    parser.set_defaults(main=main)


def main(arguments: argparse.Namespace) -> int:
    from components.forecasting import models

    options = _options(arguments)
    models.get(options.model)
    jobs = file_jobs(arguments.source, arguments.output, TABLE_SUFFIXES)
    if not options.directory:
        _check_suffix(arguments.output, TABLE_SUFFIXES, "--output")
        if options.plot:
            _check_suffix(options.plot, (".png", ".html"), "--plot")
    if options.limit is not None or options.plot:
        refuse_collisions(jobs, lambda job: job.output.with_suffix(""))
    return run_jobs(jobs, partial(work, options=options, root=arguments.output), "forecasting")


def work(job: Job, *, options: Options, root: Path) -> str:
    """Forecast one file; returns its summary."""
    from components.core.files import frame_bytes, read_series
    from components.core.storage import write_files
    from components.forecasting import risk, series
    from components.forecasting.forecast import FAST_CANDIDATES, forecast

    file = read_series(job.source)
    if "value" not in file.columns:
        raise InputError(
            f"{job.source}: no column 'value' (found {', '.join(file.columns)}); rename the series' column"
        )
    history = series.build(file.frame, step=options.step, capacity=options.params.capacity, where=str(job.source))
    _check_limit(options, history, job.source)
    result = forecast(
        history,
        options.horizon,
        model=options.model,
        candidates=options.params.candidates or FAST_CANDIDATES,
        origins=options.params.origins,
    )
    crossing = None
    if options.limit is not None:
        crossing = risk.estimate(
            history,
            result.quantiles,
            limit=options.limit,
            direction=options.direction,
            seed=options.seed,
            model=result.model,
            recent=series.recent(file.frame, history),
        )
    summary = _summary(history, result, crossing, file.describe_problems())
    written = {job.output: frame_bytes(job.output, _table(history, result))}
    written |= _picture(job, options, root, history, result, crossing, summary)
    if crossing is not None:
        written[risk_path(job.output)] = json.dumps(crossing.as_json(), indent=1).encode() + b"\n"
    write_files(written)
    if crossing is None:
        # That of an earlier call would pass for this forecast's.
        risk_path(job.output).unlink(missing_ok=True)
    return summary


def risk_path(output: Path) -> Path:
    """Where the risk of an output is written: `<stem>.risk.json` beside it."""
    return output.with_name(f"{output.stem}.risk.json")


def parse_span(text: str, flag: str) -> timedelta:
    """A span such as 90m, 12h or 7d; ParamsError names the flag."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(s|min|m|h|d|w)\s*", text.lower())
    if not match or float(match[1]) == 0:
        raise ParamsError(f"{flag} {text!r} is not a span of time; write a positive number with m, h, d or w, like 7d")
    try:
        return timedelta(**{_UNITS[match[2]]: float(match[1])})
    except OverflowError:
        raise ParamsError(f"{flag} {text!r} is too long; a year is the most") from None


def _options(arguments: argparse.Namespace) -> Options:
    horizon, step = parse_span(arguments.horizon, "--horizon"), parse_span(arguments.frequency, "--frequency")
    steps = math.ceil(horizon / step)
    if horizon < step:
        raise ParamsError(
            f"--horizon {arguments.horizon} is shorter than one step; pass --frequency {arguments.horizon}"
        )
    if steps > MAX_HORIZON_STEPS:
        raise ParamsError(
            f"--horizon {arguments.horizon} has {steps} steps; at most {MAX_HORIZON_STEPS}: raise --frequency"
        )
    if arguments.seed < 0:
        raise ParamsError(f"--seed {arguments.seed} is negative; give 0 or more")
    if arguments.direction and arguments.limit is None:
        raise ParamsError(f"--direction {arguments.direction} says which side of a limit fails; give --limit too")
    return Options(
        steps,
        step,
        arguments.model,
        _limit(arguments.limit),
        arguments.direction or "above",
        arguments.seed,
        params_of(arguments.params, ForecastParams),
        arguments.plot,
        arguments.source.is_dir(),
    )


def _limit(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        limit = float(text)
    except ValueError:
        limit = math.nan
    if not math.isfinite(limit):
        raise ParamsError(f"--limit {text!r} is not a number; give the value whose crossing is failure, like 95")
    return limit


def _check_limit(options: Options, history: History, source: Path) -> None:
    """InputError where the series can never reach the limit, or never leave it."""
    limit = options.limit
    if limit is None:
        return
    if limit < 0 <= history.lower:
        raise InputError(
            f"{source}: --limit {limit:g} is negative, but the series never is; "
            f"check the sign, or --direction {options.direction}"
        )
    if options.direction == "above" and limit > history.upper:
        raise InputError(f"{source}: --limit {limit:g} is past the capacity {history.upper:g}; correct one of them")


def _params_help() -> str:
    fields = ForecastParams.model_fields.items()
    return "; ".join(f"{name} = {field.default!r}: {field.description}" for name, field in fields)


def _check_suffix(path: Path, allowed: tuple[str, ...], flag: str) -> None:
    if path.suffix.lower() not in allowed:
        raise InputError(f"{flag} {path}: unknown kind {path.suffix!r}; end it in {' or '.join(allowed)}")


def _table(history: History, result: Forecast) -> Any:
    import polars as pl

    from components.core.schema import QUANTILE_COLUMNS
    from components.core.times import TIME_DTYPE

    times = pl.Series("timestamp", history.times(len(result.mean)), dtype=TIME_DTYPE)
    fan = {name: result.quantiles[i] for i, name in enumerate(QUANTILE_COLUMNS)}
    return pl.DataFrame({"timestamp": times, "mean": result.mean, **fan})


def _picture(
    job: Job,
    options: Options,
    root: Path,
    history: History,
    result: Forecast,
    crossing: Risk | None,
    summary: str,
) -> dict[Path, bytes]:
    if options.plot is None:
        return {}
    from components.forecasting.plot import draw, page

    path = options.plot
    if options.directory:
        path = (options.plot / job.output.relative_to(root)).with_suffix(".png")
    drawn = draw(history, result, crossing, job.source.stem)
    return {path: page(drawn, job.source.stem, summary) if path.suffix.lower() == ".html" else drawn}


def _summary(history: History, result: Forecast, crossing: Risk | None, problems: str) -> str:
    from components.core.times import iso
    from components.forecasting.plot import risk_text
    from components.forecasting.series import describe

    last = result.quantiles[:, -1]
    until = history.times(len(result.mean))[-1]
    interval = f"80 %: {last[1]:.4g} to {last[5]:.4g}"
    parts = [f"{describe(history)}; by {iso(until)} {result.mean[-1]:.4g} ({interval}), {result.model}"]
    if result.ratio is not None:
        parts.append(f"backtest error {result.ratio:.2f} of seasonal-naive's")
    if result.reason:
        parts.append(f"fell back: {result.reason}")
    if crossing is not None:
        parts.append(risk_text(crossing))
        median = crossing.time_to_limit[0.5]
        if median and not crossing.already_crossed:
            parts.append(f"most likely by {iso(median)}")
    return "; ".join([*parts, *([problems] if problems else [])])
