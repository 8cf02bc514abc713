"""The served model: for every service the voting detectors and an Isolation Forest, for every series its season.

model.json      name, loader, which detector serves, tuning, series, services
seasonal.npz    the arrays of the seasonal detector, one column per series
group-N.npz     the arrays of the N-th service's members of `auto`, one column per series of the service
forest-N.npz    the arrays of the N-th service's forest, and forest-N.skops the forest itself
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from components.anomaly import reasons
from components.anomaly.detector import Scores, Tuning
from components.anomaly.detectors import auto, isolation_forest, seasonal
from components.anomaly.forestfile import read_forest, write_forest
from components.anomaly.panel import SECOND_US, BoolArray, FloatArray, Panel, grid_of
from components.core.arrays import write_arrays
from components.core.catalog import WatchedMetric, watched
from components.core.errors import InputError, NotYetError
from components.core.series import series_id, service_and_metric

logger = logging.getLogger("traceo.anomaly")
NAME = "traceo-anomaly"
LOADER = "components.anomaly.pyfunc"
STEP_US = 300 * SECOND_US
#: A series with fewer known rows is left to "no history".
LEAST_ROWS = 60
CANDIDATES = ("seasonal", "isolation_forest", "auto")
INPUT_COLUMNS = ("timestamp", "service", "metric", "value")


@dataclass
class AnomalyModel:
    """Detectors fitted on a lake's features; `serving` names the candidate whose scores are given out."""

    tuning: Tuning
    serving: str
    series: tuple[str, ...]
    seasonal: seasonal.Detector
    groups: dict[str, auto.Detector] = field(default_factory=dict)
    forests: dict[str, isolation_forest.Detector] = field(default_factory=dict)

    def candidates(self, panel: Panel) -> dict[str, Scores]:
        """Scores of every candidate for a panel of known series, rows by its columns."""
        chosen = [self.series.index(name) for name in panel.columns]
        own = self.seasonal.pick(chosen)
        surprise = own.surprise(panel)
        calibrated = {"seasonal": own.calibrate(surprise), "isolation_forest": self._joint(panel)}
        found = {name: own.finish(surprise, scores, own.limits[None, :]) for name, scores in calibrated.items()}
        return {"auto": self._votes(panel), **found}

    def score(self, rows: pl.DataFrame) -> pl.DataFrame:
        """`rows` (timestamp, service, metric, value) with score, is_anomaly, expected, lower, upper, detector, reason.

        A row's score needs the rows of its service before it, `scoring.CONTEXT` long. A series that was not
        trained on scores 0 with the reason "no history".
        """
        keyed = rows.with_columns(series_id=series_id())
        known = keyed.filter(pl.col("series_id").is_in(self.series), pl.col("value").is_finite())
        answers = self._answers(known) if len(known) else _no_answers()
        joined = keyed.join(answers, on=["timestamp", "series_id"], how="left", maintain_order="left")
        unknown = ~pl.col("series_id").is_in(self.series)
        return joined.with_columns(
            pl.col("score").fill_null(0.0),
            pl.col("is_anomaly").fill_null(value=False),
            pl.lit(self.serving).alias("detector"),
            reason=pl.when(unknown).then(pl.lit("no history")).otherwise(pl.col("reason").fill_null("")),
        ).drop("series_id")

    def _answers(self, known: pl.DataFrame) -> pl.DataFrame:
        panel = grid_of(known, watched_series(known), STEP_US)
        # The service's other metrics belong to its forest's row, given or not.
        panel = widened(panel, self._needed(panel.columns), self.series)
        scores = self.candidates(panel)[self.serving]
        levels = self.seasonal_levels(panel)
        if self.serving == "auto":
            # Its expected level is that of the last days at this hour, whatever the weekday.
            levels = [min(level, 1) for level in levels]
        return _long(panel, scores, reasons.describe(panel, scores, levels))

    def seasonal_levels(self, panel: Panel) -> list[int]:
        """Whether each column's usual level depends on the hour (1), on the weekday too (2), or not (0)."""
        profile = self.seasonal.pick([self.series.index(name) for name in panel.columns]).profile
        daily, weekly = np.ptp(profile.day, axis=0) > 0, np.abs(profile.week).max(axis=0) > 0
        return [int(day) + int(week) for day, week in zip(daily, weekly, strict=True)]

    def _needed(self, columns: Sequence[str]) -> list[str]:
        services = {service_of(name) for name in columns}
        return [name for name in self.series if service_of(name) in services]

    def _votes(self, panel: Panel) -> Scores:
        """The scores of every service's voting detectors, side by side; a service's columns must all be there."""
        columns = np.full(panel.values.shape, np.nan)
        expected, lower, upper = columns.copy(), columns.copy(), columns.copy()
        for service, places in by_service(panel.columns).items():
            if service in self.groups:
                part = self.groups[service].score(panel.pick(places))
                columns[:, places] = part.columns
                expected[:, places], lower[:, places], upper[:, places] = part.expected, part.lower, part.upper
        columns = np.nan_to_num(columns)
        abstained: BoolArray = np.isfinite(panel.values).sum(axis=1) == 0
        return Scores(columns, columns.max(axis=1, initial=0.0), abstained, expected, lower, upper)

    def _joint(self, panel: Panel) -> FloatArray:
        """The forests' scores, spread over each service's columns by how far each is from its level."""
        joint = np.full(panel.values.shape, np.nan)
        for service, columns in by_service(panel.columns).items():
            forest = self.forests.get(service)
            if forest is not None:
                part = panel.pick(columns)
                joint[:, columns] = forest.calibrate(forest.surprise(part))
        return joint

    # --- files -------------------------------------------------------------------------------------------

    def save(self, folder: Path) -> None:
        """Write the model into an existing, empty folder."""
        services = sorted(self.forests)
        write_arrays(folder / "seasonal.npz", self.seasonal.arrays())
        for number, service in enumerate(sorted(self.groups)):
            write_arrays(folder / f"group-{number}.npz", self.groups[service].arrays())
        for number, service in enumerate(services):
            write_arrays(folder / f"forest-{number}.npz", self.forests[service].arrays())
            write_forest(folder / f"forest-{number}.skops", self.forests[service].forest)
        content = {
            "name": NAME,
            "loader_module": LOADER,
            "detector": self.serving,
            "tuning": asdict(self.tuning),
            "series": self.series,
            "services": services,
            "groups": sorted(self.groups),
        }
        (folder / "model.json").write_text(json.dumps(content, indent=1, sort_keys=True) + "\n")


def load(folder: Path) -> AnomalyModel:
    """Read what `save` wrote; InputError where a file is missing or not what it should be."""
    try:
        content = json.loads((folder / "model.json").read_text())
        tuning = Tuning(**content["tuning"])
        model = AnomalyModel(tuning, content["detector"], tuple(content["series"]), seasonal.Detector(tuning))
        model.seasonal.restore(_read_arrays(folder / "seasonal.npz"))
        for number, service in enumerate(content["groups"]):
            model.groups[service] = auto.Detector(tuning)
            model.groups[service].restore(_read_arrays(folder / f"group-{number}.npz"))
        for number, service in enumerate(content["services"]):
            forest = isolation_forest.Detector(tuning)
            forest.restore(_read_arrays(folder / f"forest-{number}.npz"))
            forest.forest = read_forest(folder / f"forest-{number}.skops")
            model.forests[service] = forest
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{folder}: not a model of {NAME} ({error}); train it again") from None
    return model


def train(panel: Panel, tuning: Tuning, serving: str = "auto") -> AnomalyModel:
    """Fit every detector on a gridded panel of series, the services beside each other on the cores there are."""
    from joblib import Parallel, cpu_count, delayed

    model = AnomalyModel(tuning, serving, panel.columns, seasonal.Detector(tuning))
    model.seasonal.fit(panel)
    services = by_service(panel.columns)
    parts = (delayed(_fit_service)(panel.pick(columns), tuning) for columns in services.values())
    fitted = Parallel(n_jobs=min(len(services), cpu_count()), return_as="generator", max_nbytes=None)(parts)
    for number, (service, (group, forest)) in enumerate(zip(services, fitted, strict=True), 1):
        model.groups[service] = group
        if forest.forest is not None:
            model.forests[service] = forest
        logger.info("learned %s (%d of %d services)", service, number, len(services))
    return model


def _fit_service(panel: Panel, tuning: Tuning) -> tuple[auto.Detector, isolation_forest.Detector]:
    group, forest = auto.Detector(tuning), isolation_forest.Detector(tuning)
    group.fit(panel)
    forest.fit(panel)
    return group, forest


def features_panel(features: pl.DataFrame) -> Panel:
    """The five-minute means of feature rows as a gridded panel of the series that have enough of them.

    NotYetError where no series has.
    """
    rows = features.select("timestamp", "service", "metric", series_id(), pl.col("mean").alias("value"))
    rows = rows.filter(pl.col("value").is_finite())
    enough = rows.group_by("series_id").len().filter(pl.col("len") >= LEAST_ROWS)["series_id"]
    rows = rows.filter(pl.col("series_id").is_in(enough.implode()))
    if rows.is_empty():
        raise NotYetError(
            f"features: no series has {LEAST_ROWS} rows of five minutes yet; ingest and build features of more hours"
        )
    return grid_of(rows, watched_series(rows), STEP_US)


def watched_series(rows: pl.DataFrame) -> Mapping[str, WatchedMetric]:
    """Catalogue entries by series_id for rows with service, metric and series_id."""
    pairs = rows.select("series_id", "metric").unique()
    entries = watched(pairs["metric"].unique())
    return {name: entries[metric] for name, metric in pairs.iter_rows() if metric in entries}


def service_of(name: str) -> str:
    return service_and_metric(name)[0]


def by_service(columns: Sequence[str]) -> dict[str, list[int]]:
    """Positions of each service's columns."""
    places: dict[str, list[int]] = {}
    for place, name in enumerate(columns):
        places.setdefault(service_of(name), []).append(place)
    return places


def widened(panel: Panel, needed: Sequence[str], order: Sequence[str]) -> Panel:
    """The panel with every column of `needed`, in the order of `order`; added ones are missing throughout."""
    names = [name for name in order if name in set(needed)]
    have = {name: place for place, name in enumerate(panel.columns)}
    values = np.full((len(panel), len(names)), np.nan)
    rises, falls, usual = np.zeros(len(names), bool), np.zeros(len(names), bool), np.zeros(len(names))
    for place, name in enumerate(names):
        if name in have:
            at = have[name]
            values[:, place] = panel.values[:, at]
            rises[place], falls[place], usual[place] = panel.rises[at], panel.falls[at], panel.usual[at]
    return Panel(panel.times, values, tuple(names), rises, falls, usual)


def _long(panel: Panel, scores: Scores, words: Sequence[Sequence[str]]) -> pl.DataFrame:
    rows, columns = panel.values.shape
    times = pl.Series(np.repeat(panel.times, columns)).cast(pl.Datetime("us", "UTC"))
    flat = {name: getattr(scores, name).ravel() for name in ("expected", "lower", "upper")}
    score = np.round(scores.columns.ravel(), 6)
    return pl.DataFrame(
        {
            "timestamp": times,
            "series_id": pl.Series(list(panel.columns) * rows),
            "score": score,
            "is_anomaly": score > 1,
            **flat,
            "reason": pl.Series([word for row in words for word in row], dtype=pl.String),
        }
    ).with_columns(pl.col(list(flat)).fill_nan(None))


def _no_answers() -> pl.DataFrame:
    times, numbers = {"timestamp": pl.Datetime("us", "UTC")}, ("score", "expected", "lower", "upper")
    texts = {"series_id": pl.String(), "is_anomaly": pl.Boolean(), "reason": pl.String()}
    return pl.DataFrame(schema={**times, **dict.fromkeys(numbers, pl.Float64()), **texts})


def _read_arrays(path: Path) -> dict[str, Any]:
    with np.load(path, allow_pickle=False) as content:
        return {name: content[name] for name in content.files}
