"""One labelled series as the files a user would give, and the labels by the instants that a detection speaks of."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import polars as pl

from components.core.files import SeriesFile, read_series
from tests.benchmarks.anomaly.baselines import Values
from tests.benchmarks.anomaly.curves import Labels, spans
from tests.benchmarks.anomaly.events import WEEK_US, Times
from tests.benchmarks.anomaly.sets import Labelled


@dataclass(frozen=True)
class Case:
    """A series on disk. times, labels: by unique sorted instant of the scored part."""

    set: str
    name: str
    path: Path
    history_path: Path | None
    columns: int
    history_rows: int
    times: Times
    labels: Labels

    @property
    def weeks(self) -> float:
        return float(self.times[-1] - self.times[0]) / WEEK_US

    @property
    def stretches(self) -> int:
        return len(spans(self.labels)[0])

    @property
    def size(self) -> int:
        """What scoring it costs, roughly: values, those of the history included."""
        return (len(self.times) + self.history_rows) * self.columns

    @property
    def step_us(self) -> int:
        return int(np.median(np.diff(self.times)))

    def files(self) -> tuple[SeriesFile, SeriesFile | None]:
        """The series and its history, read as the commands read them."""
        return read_series(self.path), read_series(self.history_path) if self.history_path else None

    @cached_property
    def history_and_series(self) -> tuple[Times, Values]:
        """Times and gap-filled values for the baselines: the history's rows first, then the scored ones."""
        series, history = self.files()
        frame = series.frame
        if history is not None:
            earlier = history.frame.filter(pl.col("timestamp") < frame["timestamp"].min())
            frame = pl.concat([earlier, frame])
        values = frame.select(pl.col(series.columns).fill_null(strategy="forward").fill_null(0.0))
        return frame["timestamp"].dt.epoch("us").to_numpy(), values.to_numpy()


def write_case(labelled: Labelled, folder: Path) -> Case:
    """Write a series and its history as Parquet under `folder`; the labels stay outside the files."""
    place = folder / labelled.set / labelled.name
    place.mkdir(parents=True)
    path = place / "series.parquet"
    labelled.scored.write_parquet(path)
    history_path = None
    if labelled.history is not None:
        history_path = place / "history.parquet"
        labelled.history.write_parquet(history_path)
    # Repeated instants: one label among them makes the instant a labelled one.
    by_instant = (
        pl.DataFrame({"timestamp": labelled.scored["timestamp"], "label": labelled.labels})
        .drop_nulls("timestamp")
        .group_by("timestamp")
        .agg(pl.col("label").any())
        .sort("timestamp")
    )
    times = by_instant["timestamp"].dt.epoch("us").to_numpy()
    columns, history_rows = labelled.scored.width - 1, len(labelled.history) if labelled.history is not None else 0
    return Case(
        labelled.set, labelled.name, path, history_path, columns, history_rows, times, by_instant["label"].to_numpy()
    )
