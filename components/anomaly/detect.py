"""One file of series: its scores, events and what contributed, row by row in the file's own order."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt
import polars as pl

from components.anomaly import calibration, counters, detectors
from components.anomaly.detector import Detector, Scores, Tuning
from components.anomaly.panel import DAY_US, HOUR_US, SECOND_US, FloatArray, Panel, panel_of
from components.anomaly.reasons import level_name, reason
from components.anomaly.specs import DetectParams
from components.core.catalog import watched
from components.core.changes import follows
from components.core.errors import InputError, ParamsError
from components.core.files import SeriesFile
from components.core.times import iso

_MOST_CONTRIBUTORS = 3
#: Detectors whose expected level knows the time of day, once there are so many days.
_SEASONAL, _DAYS_OF_HABIT = ("auto", "recent_days", "seasonal"), 3


@dataclass(frozen=True)
class Detection:
    """The answer for one file: `panel` and `scores` by unique sorted instant, `events` numbers them (0 outside).

    counters: the columns of which `panel` and `scores` have the increase per row.
    """

    panel: Panel
    scores: Scores
    events: npt.NDArray[np.int64]
    detector: str
    counters: tuple[str, ...] = ()

    @property
    def anomalous(self) -> npt.NDArray[np.bool_]:
        return _written(self.scores.total) > 1

    @property
    def abstained_for(self) -> timedelta:
        """How long, from the first row, nothing could be said."""
        said = np.flatnonzero(~self.scores.abstained)
        end = self.panel.times[said[0]] if len(said) else self.panel.times[-1]
        return timedelta(microseconds=int(end - self.panel.times[0])) if len(self.panel) else timedelta()


def detect(
    series: SeriesFile, history: SeriesFile | None, name: str, params: DetectParams, *, retrospective: bool = False
) -> Detection:
    """Score a file's rows with the named detector, causally unless `retrospective`.

    InputError where `history` lacks one of the file's columns.
    """
    panel = panel_of(series.frame, watched(series.columns))
    earlier = _earlier(series, history)
    whole = panel_of(pl.concat([earlier, series.frame]), watched(series.columns)) if earlier is not None else panel
    detector = detectors.create(name, tuning_of(params))
    whole, counted = counters.as_increases(whole, detector.first_cut(whole) if len(whole) else 0)
    scores = _last(_run(detector, whole, retrospective), len(panel))
    panel = whole.rows(len(whole) - len(panel), len(whole))
    pause = max(int(params.merge_gap_minutes * 60 * SECOND_US), params.persistence_of * panel.rows(0, 1001).step_us())
    events = calibration.number_events(panel.times, _written(scores.total) > 1, pause)
    return Detection(panel, scores, events, name, counted)


def tuning_of(params: DetectParams) -> Tuning:
    """The detectors' part of the parameters; ParamsError where they contradict each other."""
    if params.persistence_needed > params.persistence_of:
        raise ParamsError(
            f"persistence_needed {params.persistence_needed} exceeds persistence_of {params.persistence_of}; lower it"
        )
    return Tuning(**params.model_dump(exclude={"merge_gap_minutes"}, include=set(Tuning.__dataclass_fields__)))


def result_frame(detection: Detection, series: SeriesFile) -> pl.DataFrame:
    """Rows `timestamp, score, is_anomaly, event, contributors` as the file has them, times as written there.

    A row without a readable time scores 0. `contributors` is a JSON object, largest share first.
    """
    anomalous = detection.anomalous
    contributors = [""] * len(anomalous)
    for row in np.flatnonzero(anomalous):
        contributors[row] = json.dumps(contributions(detection, int(row)))
    by_instant = series.frame.select(pl.col("timestamp").alias("instant")).with_columns(
        score=pl.Series(_written(detection.scores.total)),
        is_anomaly=pl.Series(anomalous),
        event=pl.Series(detection.events).replace(0, None),
        contributors=pl.Series(contributors, dtype=pl.String).replace("", None),
    )
    rows = series.rows.join(by_instant, on="instant", how="left", maintain_order="left").drop("instant")
    return rows.with_columns(pl.col("score").fill_null(0.0), pl.col("is_anomaly").fill_null(value=False))


def band_frame(detection: Detection) -> pl.DataFrame:
    """Rows `timestamp, column, expected, lower, upper`: what was expected, null where nothing was."""
    panel, scores = detection.panel, detection.scores
    times = pl.Series(np.repeat(panel.times, len(panel.columns))).cast(pl.Datetime("us", "UTC"))
    band = {name: pl.Series(getattr(scores, name).ravel()) for name in ("expected", "lower", "upper")}
    return pl.DataFrame(
        {"timestamp": times, "column": list(panel.columns) * len(panel), **band}, schema_overrides={"column": pl.String}
    ).with_columns(pl.col(list(band)).fill_nan(None))


def contributions(detection: Detection, row: int) -> dict[str, float]:
    """Up to three columns with their share of a row's anomaly, largest first."""
    scores = detection.scores.columns[row]
    # Squares: a column far over its threshold explains more than many that are merely busy.
    weights = scores**2 / max(float((scores**2).sum()), 1e-12)
    order = np.argsort(-weights, kind="stable")[:_MOST_CONTRIBUTORS]
    return {detection.panel.columns[i]: round(float(weights[i]), 3) for i in order if weights[i] >= 0.01}


def summarize(detection: Detection, series: SeriesFile, changes: pl.DataFrame | None = None) -> str:
    """A short text for people: rows, events, abstention, what was handled, the strongest events.

    changes: rows `timestamp`, `what`; an event says which it follows.
    """
    count = int(detection.events.max(initial=0))
    flagged = int(detection.anomalous.sum())
    found = f"{_count(count, 'anomaly event')} ({_count(flagged, 'row')})"
    parts = [f"{len(series.rows)} rows, {found}, detector {detection.detector}"]
    if detection.abstained_for:
        reason = (
            "the whole file: too little history" if detection.scores.abstained.all() else "too little history before"
        )
        parts.append(f"abstained for {_duration(detection.abstained_for)} ({reason})")
    if detection.counters:
        parts.append(f"judged by increase per row, being a counter: {', '.join(detection.counters)}")
    if series.describe_problems():
        parts.append(series.describe_problems())
    return "; ".join(parts) + "".join("\n  " + line for line in _strongest(detection, changes))


def _written(total: FloatArray) -> FloatArray:
    """Scores as they are written: what is an anomaly must follow from them."""
    result: FloatArray = np.round(total, 6)
    return result


def _run(detector: Detector, panel: Panel, retrospective: bool) -> Scores:
    if not retrospective:
        return detector.score_causally(panel)
    if len(panel) > detector.first_cut(panel):
        detector.fit(panel)
        return detector.score(panel)
    return detector.score_causally(panel)


def _earlier(series: SeriesFile, history: SeriesFile | None) -> pl.DataFrame | None:
    """The history's rows before the series begins, in the series' columns."""
    if history is None:
        return None
    missing = [name for name in series.columns if name not in history.columns]
    if missing:
        raise InputError(
            f"{history.path}: no column {missing[0]!r}, which {series.path} has; give a history with the same columns"
        )
    return history.frame.select(series.frame.columns).filter(pl.col("timestamp") < series.frame["timestamp"].min())


def _last(scores: Scores, rows: int) -> Scores:
    start = len(scores.total) - rows
    arrays = {name: getattr(scores, name)[start:] for name in Scores.__dataclass_fields__ if name != "members"}
    return Scores(**arrays, members={name: votes[start:] for name, votes in scores.members.items()})


def _strongest(detection: Detection, changes: pl.DataFrame | None, most: int = 5) -> list[str]:
    lines = []
    for number in range(1, int(detection.events.max(initial=0)) + 1):
        rows = np.flatnonzero(detection.events == number)
        peak = int(rows[np.argmax(detection.scores.total[rows])])
        span = " to ".join(_time(detection, int(row)) for row in dict.fromkeys((rows[0], rows[-1])))
        parts = [f"event {number}: {span}", f"score {detection.scores.total[peak]:.1f}", *_why(detection, peak)]
        parts += [text for text in [_followed(detection, changes, int(rows[0]))] if text]
        lines.append((float(detection.scores.total[peak]), ", ".join(parts)))
    return [text for _, text in sorted(lines, reverse=True)[:most]]


def _why(detection: Detection, row: int) -> list[str]:
    """The contributors of a row in words, and how many of the voting detectors agree."""
    words = []
    for name in contributions(detection, row):
        column = detection.panel.columns.index(name)
        value, expected = detection.panel.values[row, column], detection.scores.expected[row, column]
        known = bool(np.isfinite(value) and np.isfinite(expected))
        words.append(f"{name} {reason(float(value), float(expected), _level(detection, row))}" if known else name)
    votes = [bool(share[row] >= 1) for share in detection.scores.members.values()]
    return [*words, *([f"{sum(votes)} of {len(votes)} detectors agree"] if votes else [])]


def _followed(detection: Detection, changes: pl.DataFrame | None, row: int) -> str:
    step = timedelta(microseconds=detection.panel.step_us())
    return "" if changes is None else follows(changes, _instant(detection, row), step)


def _level(detection: Detection, row: int) -> str:
    panel = detection.panel
    daily = panel.step_us() <= HOUR_US and panel.times[row] - panel.times[0] >= _DAYS_OF_HABIT * DAY_US
    return level_name(int(panel.times[row]), int(daily and detection.detector in _SEASONAL))


def _time(detection: Detection, row: int) -> str:
    return iso(_instant(detection, row))


def _instant(detection: Detection, row: int) -> datetime:
    instant: datetime = pl.Series([detection.panel.times[row]]).cast(pl.Datetime("us", "UTC"))[0]
    return instant


def _duration(span: timedelta) -> str:
    minutes = round(span.total_seconds() / 60)
    days, rest = divmod(minutes, 24 * 60)
    parts = [f"{days} d"] * bool(days) + [f"{rest // 60} h"] * bool(rest // 60) + [f"{rest % 60} min"] * bool(rest % 60)
    return " ".join(parts) or f"{span.total_seconds():.0f} s"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")
