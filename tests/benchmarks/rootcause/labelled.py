"""A case whose cause is known."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import polars as pl

from components.rootcause.case import COLUMNS, Case


@dataclass(frozen=True)
class Labelled:
    """One case with its truth; `service` None means that nothing happened.

    kinds: every kind of cause that counts as right; metrics: words of which the right metric's name holds one,
    empty where the data does not tell a metric; step_s: the data's sampling step; near: where nothing is labelled, the
    services of the faults just before and after, which may linger or be felt before their written time.
    """

    system: str
    name: str
    case: Case
    service: str | None
    kinds: frozenset[str] = frozenset()
    metrics: tuple[str, ...] = ()
    step_s: float = 60.0
    near: frozenset[str] = frozenset()

    def shifted(self, seconds: float) -> Labelled:
        """The same case, noticed `seconds` later."""
        moved = dataclasses.replace(self.case.incident, time=self.case.incident.time + timedelta(seconds=seconds))
        return dataclasses.replace(self, case=dataclasses.replace(self.case, incident=moved))


def instant(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def table(name: str, columns: Mapping[str, object]) -> pl.DataFrame:
    """A table of a case; times are seconds since the epoch, columns that are not given are null."""
    frame = pl.DataFrame(columns)
    times = [column for column, dtype in COLUMNS[name].items() if dtype == pl.Datetime("us", "UTC")]
    seconds = [
        (pl.col(column) * 1e6).round(0).cast(pl.Int64).cast(pl.Datetime("us", "UTC"))
        for column in times
        if column in frame.columns
    ]
    absent = [pl.lit(None).alias(column) for column in COLUMNS[name] if column not in frame.columns]
    return (
        frame.with_columns(seconds)
        .with_columns(absent)
        .select(pl.col(column).cast(dtype) for column, dtype in COLUMNS[name].items())
    )


def pairs(edges: Sequence[tuple[str, str]]) -> pl.DataFrame:
    return pl.DataFrame(sorted(set(edges)), schema=dict(COLUMNS["calls"]), orient="row")
