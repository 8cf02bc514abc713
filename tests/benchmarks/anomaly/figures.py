"""What many series say of one detector: means and pooled shares, with 95 % intervals of a bootstrap over series."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tests.benchmarks.anomaly import nab
from tests.benchmarks.anomaly.contenders import pause_us
from tests.benchmarks.anomaly.events import Found, judge, number, pooled_threshold
from tests.benchmarks.anomaly.runs import Run

_Array = npt.NDArray[np.float64]

_DRAWS = 2000
#: How many of the thresholds between the pooled scores' quantiles are tried, down to this share of all rows.
_TRIED, _LOWEST_SHARE = 40, 0.05


@dataclass(frozen=True)
class Figure:
    """A figure with its 95 % interval; all NaN where there is nothing to say."""

    value: float
    low: float
    high: float


def mean(values: Sequence[float]) -> Figure:
    """The mean over series, those without the figure (NaN) left out."""
    known = [(value, 1.0) for value in values if np.isfinite(value)]
    return _interval(known, lambda sums: _ratio(sums[..., 0], sums[..., 1]))


def recall(found: Sequence[Found]) -> Figure:
    """Share of all labelled stretches that were found."""
    return _interval([(one.hits, one.stretches) for one in found], lambda sums: _ratio(sums[..., 0], sums[..., 1]))


def false_per_week(found: Sequence[Found]) -> Figure:
    """False events per series and week."""
    return _interval([(one.false_events, one.weeks) for one in found], lambda sums: _ratio(sums[..., 0], sums[..., 1]))


def event_f1(found: Sequence[Found]) -> Figure:
    """Harmonic mean of the found share of stretches and the true share of events; 0 where no event is true."""

    def figure(sums: _Array) -> _Array:
        share_found, share_true = _ratio(sums[..., 0], sums[..., 1]), _ratio(sums[..., 2], sums[..., 3])
        both = share_found * np.nan_to_num(share_true)
        return np.where(both == 0, both, _ratio(2 * both, share_found + share_true))

    return _interval([(one.hits, one.stretches, one.events - one.false_events, one.events) for one in found], figure)


def median_delay_min(found: Sequence[Found]) -> float:
    """Median over the found stretches of the minutes until they were found; NaN where none was."""
    delays = [delay for one in found for delay in one.delays_min]
    return float(np.median(delays)) if delays else float("nan")


def at_false_points(runs: Sequence[Run], share: float) -> list[Found]:
    """Each series under one common threshold that flags at most `share` of all normal rows together."""
    return at_threshold(runs, pooled_threshold([run.scores[~run.case.labels] for run in runs], share))


def at_false_events(runs: Sequence[Run], per_week: float) -> list[Found]:
    """Each series under the common threshold that finds most at `per_week` false events: chosen on the answers."""
    best = at_threshold(runs, float("inf"))
    pooled = np.concatenate([run.scores for run in runs]) if runs else np.empty(0)
    shares = np.geomspace(1 / max(len(pooled), 2), _LOWEST_SHARE, _TRIED)
    for threshold in np.unique(np.quantile(pooled, 1 - shares)) if len(pooled) else ():
        found = at_threshold(runs, threshold)
        affordable = sum(one.false_events for one in found) <= per_week * sum(one.weeks for one in found)
        if affordable and sum(one.hits for one in found) > sum(one.hits for one in best):
            best = found
    return best


def at_threshold(runs: Sequence[Run], threshold: float) -> list[Found]:
    """Each series with the rows above `threshold` as anomalies."""
    return [
        judge(run.case.times, run.case.labels, number(run.case.times, run.scores > threshold, pause_us(run.case)))
        for run in runs
    ]


def nab_scores(runs: Sequence[Run]) -> dict[str, float]:
    """NAB's standard score of one detector in its four readings."""
    labels = [run.case.labels for run in runs]
    files = [nab.File(run.case.times, run.case.labels, run.scores.astype(float), pause_us(run.case)) for run in runs]
    return {
        "event starts, shipped": nab.score(labels, [nab.first_rows(run.events) for run in runs]),
        "event starts, optimized": nab.best(files, starts_only=True),
        "all rows, shipped": nab.score(labels, [run.events > 0 for run in runs]),
        "all rows, optimized": nab.best(files, starts_only=False),
    }


def difference(ours: Sequence[Run], others: Sequence[Run]) -> Figure:
    """Mean difference of VUS-PR, series by series in the same order."""
    return mean([a.vus_pr - b.vus_pr for a, b in zip(ours, others, strict=True)])


def _interval(series: Sequence[Sequence[float]], figure: Callable[[_Array], _Array]) -> Figure:
    """A figure of the sums of what each series counts, and of those of 2,000 draws of as many with replacement."""
    if not series:
        return Figure(float("nan"), float("nan"), float("nan"))
    counts = np.array(series, dtype=float)
    draws = np.random.default_rng(0).integers(0, len(counts), size=(_DRAWS, len(counts)))
    drawn = figure(counts[draws].sum(axis=1))
    known = drawn[np.isfinite(drawn)]
    low, high = np.quantile(known, (0.025, 0.975)) if len(known) else (float("nan"), float("nan"))
    return Figure(float(figure(counts.sum(axis=0))), float(low), float(high))


def _ratio(part: _Array, whole: _Array) -> _Array:
    return np.divide(part, whole, out=np.full(np.shape(whole), np.nan), where=np.asarray(whole) != 0)
