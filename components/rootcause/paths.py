"""Whether a service answers requests in another way than usual: operations that call nobody though they usually do.

Code that returns early, or fails before it calls on, shows in no resource and no latency: the calls that usually follow
are missing. The share of an operation's spans with any call below them is compared with its usual share, in standard
errors of a count. Which call is missing is not asked: another mix of requests shifts calls from one callee to another.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from components.rootcause.periods import Floats, Periods

_BIN_S = 30.0
#: A share is read from so many spans, thrice before the incident at least, or from so many in it.
_CHUNK, _MIN_CHUNKS, _MIN_NOW = 20, 3, 8
#: An operation that seldom calls on says nothing by calling nobody.
_LEAST_SHARE = 0.5


@dataclass(frozen=True)
class PathChange:
    """An operation that calls on less often: its usual and present share of spans, and the spans looked at.

    surprise: standard errors below the usual share, less what the worst of all operations shows by chance;
    noise: standard errors that earlier stretches of as many spans stay within nine times in ten.
    """

    service: str
    operation: str
    usual: float
    share: float
    spans: int
    surprise: float
    noise: float
    first_s: float


def path_changes(spans: pl.DataFrame, when: Periods) -> list[PathChange]:
    """The operation that stops short most of each service, most surprising first; spans are `tracing.enriched`."""
    if spans.is_empty():
        return []
    begin, end = when.noticed - when.lead_s / 2, min(when.end, when.noticed + when.horizon_s)
    at = pl.col("start_us") / 1e6
    timed = spans.select("service", "name", "start_us", "end_us", "calls_on").filter(at <= end, at >= when.normal_start)
    # What goes on beyond the last span may call yet.
    over = timed.filter(pl.col("end_us") <= spans["start_us"].max())
    # One number for an operation: grouping by texts would take most of the time.
    operation = (pl.col("service").hash(1) ^ pl.col("name").hash(2)).alias("operation")
    counts = (
        over.group_by(operation, ((at - begin) / _BIN_S).floor().cast(pl.Int64).alias("bin"))
        .agg(
            pl.col("calls_on").sum().cast(pl.Float64).alias("made"),
            pl.len().cast(pl.Float64).alias("asked"),
            pl.col("service", "name").first(),
        )
        .filter(_worth_a_look().over("operation"))
        .sort("service", "name", "bin")
        .group_by("service", "name", maintain_order=True)
        .agg("bin", "made", "asked")
    )
    return _worst([change for row in counts.iter_rows() if (change := _change(begin, *row))])


def _worth_a_look() -> pl.Expr:
    """Whether an operation was asked often enough and calls on less than over all the time before."""
    made, asked, before = pl.col("made"), pl.col("asked"), pl.col("bin") < 0
    often = (asked.filter(before).sum() >= _CHUNK * _MIN_CHUNKS) & (asked.filter(~before).sum() >= _MIN_NOW)
    less = (
        made.filter(~before).sum() / asked.filter(~before).sum()
        < made.filter(before).sum() / asked.filter(before).sum()
    )
    return often & less


def _change(
    begin: float, service: str, operation: str, bins: Sequence[int], made: Sequence[float], asked: Sequence[float]
) -> PathChange | None:
    place, calling, total = np.asarray(bins), np.asarray(made), np.asarray(asked)
    before, now = place < 0, place >= 0
    chunk_made, chunk_asked = _chunks(calling[before], total[before])
    usual = float(np.median(chunk_made / chunk_asked))
    if len(chunk_made) < _MIN_CHUNKS or usual < _LEAST_SHARE:
        return None
    spans = total[now].sum(keepdims=True)
    share = calling[now].sum(keepdims=True) / spans
    return PathChange(
        service,
        operation,
        usual,
        float(share[0]),
        int(spans[0]),
        float(_errors(share, usual, spans)[0]),
        float(np.quantile(np.abs(_errors(chunk_made / chunk_asked, usual, chunk_asked)), 0.9)),
        begin + _BIN_S * float(place[now][0]),
    )


def _chunks(made: Floats, asked: Floats) -> tuple[Floats, Floats]:
    """Neighbouring half minutes together, so that each has about _CHUNK spans."""
    number = np.cumsum(asked) // _CHUNK
    first = np.flatnonzero(np.concatenate([[True], number[1:] > number[:-1]]))
    return np.add.reduceat(made, first), np.add.reduceat(asked, first)


def _errors(shares: Floats, usual: float, count: Floats) -> Floats:
    """How many standard errors of a count lie between a share and the usual one above it."""
    # Half a call is taken off: an operation that never stopped short may do so once.
    level = np.clip(usual, 0.5 / count, 1 - 0.5 / count)
    return np.asarray((usual - shares) / np.sqrt(level * (1 - level) / count), dtype=np.float64)


def _worst(found: Sequence[PathChange]) -> list[PathChange]:
    chance = math.sqrt(2 * math.log(max(2, len(found))))
    worst: dict[str, PathChange] = {}
    for change in found:
        if change.service not in worst or change.surprise > worst[change.service].surprise:
            worst[change.service] = change
    kept = [replace(change, surprise=change.surprise - chance) for change in worst.values() if change.surprise > chance]
    return sorted(kept, key=lambda change: (-change.surprise, change.service))
