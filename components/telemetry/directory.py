"""A directory of CSV and Parquet files as a source.

Which file is what:
- a name that starts with `spans`, `logs` or `changes` is that table, with the columns of core.schema;
- a table with columns `metric` and `value` holds metrics in long form, any other one metric per column;
- the service is the column `service`, else the file's name, with its folder before it where names repeat;
- a folder whose name contains `label` holds a benchmark's truth and is skipped;
- folders `train` and `test` side by side hold the two halves of the same files, in that order;
- a CSV whose first line is numbers has no header: its columns are metric_1, metric_2, …;
- rows without a time column are `step_s` apart from `start` on: 300 s from 2024-01-01T00:00:00Z unless
  `source.yaml` says otherwise, so the same rows always get the same times.
A file that cannot be read is named in the notes and does not stop the others.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path

import polars as pl
import yaml
from pydantic import ValidationError

from components.core.errors import InputError
from components.core.schema import TABLES
from components.core.times import TIME_DTYPE, Window, floor, iso
from components.telemetry.plan import STEP
from components.telemetry.reading import Layout
from components.telemetry.tabular import Content, read_content

_SUFFIXES = (".csv", ".parquet")
_HALVES = ("train", "test")
_MOST_NOTES = 100

#: Rows that a whole year without any row separates from the bulk come from a wrong clock.
_LONGEST_GAP = timedelta(days=366)


class DirectorySource:
    """The files of one directory, read once and kept in memory; see the module for what is recognized."""

    live = False

    def __init__(self, path: Path) -> None:
        self._path = path
        self.name = str(path)
        self._notes: list[str] = []
        self._without_times = 0

    def extent(self) -> Window | None:
        """From the oldest to the newest row, widened to whole five minutes."""
        times = [content.frame[TABLES[content.table].time] for content in self._contents]
        spans = [(column.min(), column.max()) for column in times if len(column)]
        if not spans:
            raise InputError(f"{self._path}: no rows in any file; {' '.join(self._notes[:10])}")
        first, last = min(low for low, _ in spans), max(high for _, high in spans)  # type: ignore[type-var]
        assert isinstance(first, datetime)
        assert isinstance(last, datetime)
        return Window(floor(first, STEP), floor(last, STEP) + STEP)

    def read(self, table: str, window: Window) -> pl.DataFrame:
        schema = TABLES[table]
        found = [schema.empty()]
        for content in self._contents:
            if content.table == table:
                inside = content.frame.filter(pl.col(schema.time) >= window.start, pl.col(schema.time) < window.end)
                found.append(schema.conform(_long(inside) if content.wide else inside, table))
        return pl.concat(found, how="diagonal")

    def notes(self) -> list[str]:
        shown = self._notes[:_MOST_NOTES]
        hidden = len(self._notes) - len(shown)
        return [*shown, f"and {hidden} more notes of this kind"] if hidden else shown

    @cached_property
    def _contents(self) -> list[Content]:
        layout = _layout(self._path)
        groups = _groups(self._files())
        services = _service_names(list(groups))
        read = [self._group(services[place], paths, layout) for place, paths in groups.items()]
        if self._without_times:
            steps = f"{layout.step_s:g} s apart from {iso(layout.first_row)} on"
            self._notes.append(
                f"{self._without_times} file(s) have no times: their rows are taken as {steps} (see source.yaml)"
            )
        return _without_wrong_clocks([content for contents in read for content in contents], self._notes)

    def _files(self) -> list[Path]:
        """The files to read, below the directory; what is skipped is counted in the notes."""
        visible = [p for p in sorted(self._path.rglob("*")) if p.is_file() and not _hidden(p.relative_to(self._path))]
        files = [path for path in visible if path.suffix.casefold() in _SUFFIXES]
        kept = [path for path in files if not any("label" in part.casefold() for part in self._folders(path))]
        if len(kept) < len(files):
            self._notes.append(f"{len(files) - len(kept)} file(s) in folders named like labels are skipped")
        if not kept:
            raise InputError(f"{self._path}: no .csv or .parquet file in this directory; name one that has some")
        return [path.relative_to(self._path) for path in kept]

    def _folders(self, path: Path) -> tuple[str, ...]:
        return path.relative_to(self._path).parent.parts

    def _group(self, service: str, paths: Sequence[Path], layout: Layout) -> list[Content]:
        """The contents of one file, or of its two halves joined; what cannot be read is noted."""
        contents, refused = [], []
        for path in paths:
            try:
                contents.append(read_content(self._path / path, layout))
                self._notes += contents[-1].notes
            except InputError as error:
                refused.append(path)
                self._notes.append(f"refused: {error}")
        timed = [content for content in contents if content.timed]
        untimed = [content for content in contents if not content.timed]
        if untimed and refused:
            self._notes.append(
                f"refused: the other half of {refused[0]}: it has no times of its own, so it would be shifted"
            )
        elif untimed:
            self._without_times += len(untimed)
            timed.append(_with_times(untimed, layout))
        return [_with_service(content, service) for content in timed]


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _layout(path: Path) -> Layout:
    file = path / "source.yaml"
    if not file.is_file():
        return Layout()
    try:
        return Layout.model_validate(yaml.safe_load(file.read_bytes()) or {})
    except ValidationError as error:
        problem = error.errors()[0]
        known = ", ".join(Layout.model_fields)
        raise InputError(f"{file}: {'.'.join(map(str, problem['loc']))}: {problem['msg']}; it takes {known}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{file}: not YAML ({str(error).splitlines()[0]}); correct it") from None


def _groups(files: Sequence[Path]) -> dict[Path, list[Path]]:
    """Files by the place they stand for: halves in sibling folders `train` and `test` stand for one."""
    groups: defaultdict[Path, list[Path]] = defaultdict(list)
    folders = {file.parent for file in files}
    for file in sorted(files, key=lambda path: (path.parent.name != _HALVES[0], path)):
        folder = file.parent
        halved = folder.name in _HALVES and all(folder.with_name(half) in folders for half in _HALVES)
        groups[(folder.parent if halved else folder) / file.name].append(file)
    return {place: groups[place] for place in sorted(groups)}


def _service_names(places: Sequence[Path]) -> dict[Path, str]:
    """The name of each file, with its folder before it in folders where a name repeats in another one."""
    folders_of: defaultdict[str, set[Path]] = defaultdict(set)
    for place in places:
        folders_of[place.stem].add(place.parent)
    repeating = sorted({folder for folders in folders_of.values() if len(folders) > 1 for folder in folders})
    prefixes = _distinguishing(repeating)
    return {place: "-".join([*prefixes.get(place.parent, ()), place.stem]) for place in places}


def _distinguishing(folders: Sequence[Path]) -> dict[Path, tuple[str, ...]]:
    """As few of each folder's last parts as tell the folders apart."""
    deepest = max((len(folder.parts) for folder in folders), default=0)
    for parts in range(1, deepest + 1):
        prefixes = {folder: folder.parts[-parts:] for folder in folders}
        if len(set(prefixes.values())) == len(folders):
            return prefixes
    return {}


def _with_times(halves: Sequence[Content], layout: Layout) -> Content:
    """Files without times, one after the other, at equal steps from the layout's start."""
    frame = pl.concat([half.frame for half in halves], how="diagonal")
    offsets_us = (pl.int_range(len(frame)) * (layout.step_s * 1e6)).round().cast(pl.Int64)
    times = (pl.lit(layout.first_row).cast(TIME_DTYPE) + offsets_us.cast(pl.Duration("us"))).alias("timestamp")
    return Content("metrics", frame.select(times, pl.all()), wide=True)


def _with_service(content: Content, service: str) -> Content:
    if content.table != "metrics" or "service" in content.frame.columns:
        return content
    column = pl.lit(service, dtype=pl.Categorical()).alias("service")
    return Content("metrics", content.frame.with_columns(column), content.wide)


def _long(frame: pl.DataFrame) -> pl.DataFrame:
    index = [name for name in ("timestamp", "service", "instance") if name in frame.columns]
    # A metric may itself be called `metric` or `value`.
    long = frame.unpivot(index=index, variable_name="_metric", value_name="_value").filter(
        pl.col("_value").is_not_null()
    )
    return long.rename({"_metric": "metric", "_value": "value"})


def _without_wrong_clocks(contents: Sequence[Content], notes: list[str]) -> list[Content]:
    """Drop rows that more than a year without rows separates from the bulk; they are counted in the notes."""
    days = [c.frame.group_by(pl.col(TABLES[c.table].time).dt.date().alias("day")).len() for c in contents]
    if not days:
        return []
    counts = pl.concat(days).group_by("day").agg(pl.col("len").sum()).sort("day")
    epochs = counts.with_columns((pl.col("day").diff() > _LONGEST_GAP).fill_null(False).cum_sum().alias("epoch"))
    totals = epochs.group_by("epoch").agg(
        pl.col("len").sum(), pl.col("day").min().alias("first"), pl.col("day").max().alias("last")
    )
    bulk = totals.sort("len", "epoch", descending=[True, False]).row(0, named=True)
    lost = int(totals["len"].sum()) - bulk["len"]
    if not lost:
        return list(contents)
    notes.append(
        f"{lost} row(s) lie more than a year away from the rest ({bulk['first']} to {bulk['last']}) and are left out"
    )
    return [_between(content, bulk["first"], bulk["last"]) for content in contents]


def _between(content: Content, first: object, last: object) -> Content:
    day = pl.col(TABLES[content.table].time).dt.date()
    return Content(content.table, content.frame.filter(day.is_between(first, last)), content.wide)  # type: ignore[arg-type]
