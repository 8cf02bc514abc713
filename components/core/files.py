"""Plain CSV and Parquet files in and out, with errors that name the file, the column and the fix."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from components.core import storage
from components.core.errors import InputError
from components.core.times import parse_times

TABLE_SUFFIXES = (".csv", ".parquet")


@dataclass(frozen=True)
class SeriesFile:
    """A file of one or more series on a common time column.

    frame: `timestamp` (UTC, unique, sorted) and the numeric columns as Float64, missing values null.
    rows: one row per row of the file, in its order: `timestamp` as written, `instant` as parsed (null where
    it is no time).
    problems: how many rows were duplicated, unsorted, without a time; how many values were missing.
    """

    path: Path
    frame: pl.DataFrame
    rows: pl.DataFrame
    problems: dict[str, int]

    @property
    def columns(self) -> list[str]:
        return [name for name in self.frame.columns if name != "timestamp"]

    def describe_problems(self) -> str:
        """A clause such as "3 duplicated and 1 missing samples handled"; empty where there were none."""
        parts = [f"{count} {name}" for name, count in self.problems.items() if count]
        return f"{' and '.join(parts)} samples handled" if parts else ""


def read_frame(path: Path, *, strings: bool = False) -> pl.DataFrame:
    """Read a CSV or Parquet file; InputError where it is absent, empty, truncated or of another kind.

    With `strings`, every CSV column is read as text. Broken UTF-8 in a CSV, or in bytes where Parquet does not say that
    they are text, is replaced, not fatal.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file; check the path")
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error}); check its permissions") from None
    if not data.strip():
        raise InputError(f"{path}: the file is empty; it needs a header line and rows")
    try:
        if path.suffix.lower() == ".parquet":
            frame = pl.read_parquet(io.BytesIO(data))
            return frame.with_columns(_decoded(column) for column in frame if column.dtype == pl.Binary)
        if path.suffix.lower() == ".csv":
            text = data.decode("utf-8-sig", errors="replace").encode()
            length = 0 if strings else None
            return pl.read_csv(
                io.BytesIO(text), infer_schema_length=length, try_parse_dates=False, truncate_ragged_lines=False
            )
    except pl.exceptions.PolarsError as error:
        raise InputError(f"{path}: cannot be read ({str(error).splitlines()[0]}); is it complete?") from None
    raise InputError(f"{path}: unknown kind {path.suffix!r}; give a .csv or .parquet file")


def _decoded(column: pl.Series) -> pl.Series:
    texts = [None if value is None else value.decode(errors="replace") for value in column]
    return pl.Series(column.name, texts, dtype=pl.String)


def read_series(path: Path, *, ignore: tuple[str, ...] = ("label",)) -> SeriesFile:
    """Read `timestamp` and the numeric columns of a file; duplicates (the last one counts) and order are mended.

    Text columns that hold no number at all are refused by name; columns named in `ignore` are skipped.
    """
    raw = read_frame(path)
    if "timestamp" not in raw.columns:
        raise InputError(f"{path}: no column 'timestamp' (found {', '.join(raw.columns)}); rename the time column")
    names = [name for name in raw.columns if name != "timestamp" and name not in ignore]
    if not names:
        raise InputError(f"{path}: no numeric column beside 'timestamp'; add one such as 'value'")
    if raw.is_empty():
        raise InputError(f"{path}: no rows below the header; add samples")
    instants = parse_times(raw["timestamp"], str(path)).alias("instant")
    values = raw.select(_numeric(raw[name], path) for name in names)
    timed = values.insert_column(0, instants.alias("timestamp")).filter(pl.col("timestamp").is_not_null())
    times = timed["timestamp"]
    problems = {
        "duplicated": len(times) - times.n_unique(),
        "unsorted": int((times.diff().dt.total_microseconds() < 0).sum() or 0),
        "untimed": instants.null_count(),
        "missing": int(sum(timed[name].null_count() for name in names)),
    }
    frame = timed.unique("timestamp", keep="last", maintain_order=True).sort("timestamp")
    return SeriesFile(path, frame, pl.DataFrame([raw["timestamp"], instants]), problems)


def write_frame(path: Path, frame: pl.DataFrame) -> None:
    """Write a CSV or Parquet file by its extension, whole or not at all; times as ISO 8601 with Z in CSV."""
    storage.write_files({path: frame_bytes(path, frame)})


def frame_bytes(path: Path, frame: pl.DataFrame) -> bytes:
    """What `write_frame` would write to this path."""
    buffer = io.BytesIO()
    if path.suffix.lower() == ".parquet":
        frame.write_parquet(buffer, compression="zstd")
    elif path.suffix.lower() == ".csv":
        frame.write_csv(buffer, datetime_format="%Y-%m-%dT%H:%M:%S%.fZ")
    else:
        raise InputError(f"--output {path}: unknown kind {path.suffix!r}; end it in .csv or .parquet")
    return buffer.getvalue()


def _numeric(column: pl.Series, path: Path) -> pl.Series:
    if column.dtype.is_nested():
        raise InputError(f"{path}: column {column.name!r} holds {column.dtype}, not numbers; drop or convert it")
    numbers = (
        column.cast(pl.Float64, strict=False)
        if column.dtype != pl.String
        else column.str.strip_chars().cast(pl.Float64, strict=False)
    )
    lost = numbers.null_count() - column.null_count()
    if lost and lost == len(column) - column.null_count() and column.dtype == pl.String:
        given = column.drop_nulls().str.strip_chars().str.to_lowercase()
        if not given.is_in(["", "nan", "na", "null", "none"]).all():
            raise InputError(
                f"{path}: column {column.name!r} is not numeric (first value {column.drop_nulls()[0]!r}); "
                "drop or convert it"
            )
    finite = pl.when(pl.col(column.name).is_finite()).then(pl.col(column.name))
    return pl.DataFrame([numbers.alias(column.name)]).select(finite.alias(column.name)).to_series()
