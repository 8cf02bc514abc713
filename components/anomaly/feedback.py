"""What people said of alarms, as data: marks, and the knob of each series that follows from them.

The rule: a false alarm divides a series' expected false events per week by four, a real one doubles it, within a
hundredth and four times of what it began with. So a knob depends on the marks alone, not on their order, it only
falls with false alarms and only rises with real ones, and one confirmed alarm takes back half of a false one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import polars as pl

from components.anomaly import evidence
from components.anomaly.detectors import auto
from components.core.errors import InputError
from components.core.files import read_frame
from components.core.schema import TABLES
from components.core.series import series_id, service_and_metric
from components.core.times import iso, parse_instant

FALSE_ALARM, REAL = "false_alarm", "real"
VERDICTS = (FALSE_ALARM, REAL)
#: By what a mark multiplies the knob, and how far marks together may move it.
FACTORS = {FALSE_ALARM: 1 / 4, REAL: 2.0}
LEAST, MOST = 1 / 100, 4.0
_COLUMNS = ("start", "end", "verdict")


@dataclass(frozen=True)
class Mark:
    """One verdict about what happened to a series from `start` to `end`; the rest where it is known."""

    series: str
    start: datetime
    end: datetime
    verdict: str
    when: datetime | None = None
    who: str = ""
    incident: str = ""

    @property
    def about(self) -> tuple[object, ...]:
        """What is judged: the series' part in an incident, which may last longer later, or a stretch of it."""
        return (self.series, self.incident) if self.incident else (self.series, self.start, self.end)


@dataclass(frozen=True)
class Change:
    """What one mark did to the knob of its series."""

    mark: Mark
    before: float
    after: float
    why: str


def read_marks(path: Path) -> list[Mark]:
    """Marks from a CSV or Parquet file with `series` (or `column`), `start`, `end`, `verdict`.

    InputError names the row and what is wrong with it: an empty series, no time, an end before its start, a verdict
    that is neither `false_alarm` nor `real`.
    """
    rows = read_frame(path, strings=True)
    names = ("series" if "series" in rows.columns else "column", *_COLUMNS)
    missing = [name for name in names if name not in rows.columns]
    if missing:
        wanted = "series (or column), start, end, verdict"
        raise InputError(f"{path}: no column {missing[0]!r} (found {', '.join(rows.columns)}); it needs {wanted}")
    return [_mark(row, f"{path}, row {number}") for number, row in enumerate(rows.select(names).iter_rows(), start=1)]


def marks_of(table: pl.DataFrame) -> list[Mark]:
    """Marks from rows of the lake's table `feedback`, oldest first."""
    rows = table.with_columns(series_id()).sort("timestamp", "series_id")
    names = ("series_id", "start", "end", "verdict", "timestamp", "who", "incident_id")
    known = rows.filter(pl.col("verdict").is_in(VERDICTS)).with_columns(pl.col("incident_id").fill_null(""))
    return [Mark(*row) for row in known.select(names).iter_rows()]


def knobs(marks: Iterable[Mark], base: float) -> dict[str, float]:
    """Expected false events per week of every marked series, from what all series begin with.

    Of several verdicts about the same incident or stretch the last one counts.
    """
    factors: dict[str, float] = {}
    for mark in {mark.about: mark for mark in marks}.values():
        factors[mark.series] = factors.get(mark.series, 1.0) * FACTORS[mark.verdict]
    return {series: base * min(max(factor, LEAST), MOST) for series, factor in factors.items()}


def knob_of(names: Collection[str], marks: Iterable[Mark], base: float) -> float:
    """The knob of what is scored as one, such as a file of several columns, by the marks on any of its names."""
    together = [replace(mark, series="") for mark in marks if mark.series in names]
    return knobs(together, base).get("", base)


def changes(marks: Sequence[Mark], base: float) -> list[Change]:
    """What every mark, in order, did to its series' knob; `after` of the last one is what `knobs` gives."""
    found, before = [], dict[str, list[Mark]]()
    for mark in marks:
        earlier = before.setdefault(mark.series, [])
        old = knobs(earlier, base).get(mark.series, base)
        earlier.append(mark)
        new = knobs(earlier, base)[mark.series]
        found.append(Change(mark, old, new, _why(mark, old, new)))
    return found


def factor(knob: float, base: float, step_us: int) -> float:
    """By what to multiply scores of the voting detectors made with the knob `base` to have those made with `knob`."""
    return evidence.limit(base, step_us, 1) / evidence.limit(knob, step_us, 1)


def applied(scored: pl.DataFrame, own: Mapping[str, float], base: float, step_us: int) -> pl.DataFrame:
    """Rows of the table `anomalies` with the scores of each series at its own knob, the band as wide as they say.

    Only the voting detectors' scores depend on the knob so; those of other detectors stay as they are.
    """
    by_series = {series: factor(knob, base, step_us) for series, knob in own.items()}
    voted = pl.col("detector") == auto.Detector.name
    ratio = series_id().replace_strict(by_series, default=1.0, return_dtype=pl.Float64)
    # A row that is nothing special scores 1 at most, at every knob.
    most = pl.when(pl.col("score") == 1).then(1.0)
    score = pl.when(voted).then(pl.min_horizontal((pl.col("score") * ratio).round(6), most)).otherwise("score")
    bounds = [
        pl.when(voted)
        .then(pl.col("expected") + (pl.col(side) - pl.col("expected")) / ratio)
        .otherwise(side)
        .alias(side)
        for side in ("lower", "upper")
    ]
    anomalous = pl.when(voted).then(score > 1).otherwise("is_anomaly")
    return scored.with_columns(score.alias("score"), anomalous.alias("is_anomaly"), *bounds) if own else scored


def ledger(found: Sequence[Change]) -> pl.DataFrame:
    """Changes as rows of the lake's table `knobs`; only marks that say when they were made can be entered."""
    rows = [
        {
            "timestamp": change.mark.when,
            **dict(zip(("service", "metric"), service_and_metric(change.mark.series), strict=True)),
            "verdict": change.mark.verdict,
            "who": change.mark.who,
            "knob_before": change.before,
            "knob_after": change.after,
            "why": change.why,
        }
        for change in found
        if change.mark.when is not None
    ]
    return TABLES["knobs"].conform(pl.DataFrame(rows, schema=TABLES["knobs"].columns), "knobs")


def unwritten(rows: pl.DataFrame, written: pl.DataFrame) -> pl.DataFrame:
    """The rows whose mark the ledger does not have yet."""
    return rows.join(written, on=["timestamp", "service", "metric"], how="anti", maintain_order="left")


def _mark(row: tuple[str | None, ...], where: str) -> Mark:
    series, start, end, verdict = (str(value if value is not None else "").strip() for value in row)
    if not series:
        raise InputError(f"{where}: no series; name the one that was marked")
    plain = verdict.lower().replace(" ", "_")
    if plain not in VERDICTS:
        raise InputError(f"{where}: verdict {verdict!r}; write {' or '.join(VERDICTS)}")
    try:
        first, last = parse_instant(start), parse_instant(end)
    except InputError as error:
        raise InputError(f"{where}: {error}") from None
    if last < first:
        raise InputError(f"{where}: ends at {iso(last)}, before it starts at {iso(first)}; swap them")
    return Mark(series, first, last, plain)


def _why(mark: Mark, before: float, after: float) -> str:
    what = "false alarm" if mark.verdict == FALSE_ALARM else "real"
    said = f"{iso(mark.start)} to {iso(mark.end)} marked {what}"
    return f"{said}; already as far as marks may move it" if after == before else said
