"""How far each series left its normal period, in robust deviations, and how far it leaves it on an ordinary day.

A series' deviation is |value - median| / scale of its normal period; the statistic of a window is the mean of
its largest fifth (the largest one where there are few), signed by its direction. The same statistic is taken over
every window of the same length inside the normal period: what a series does then is its noise.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from components.rootcause.naming import sense
from components.rootcause.periods import JITTER, Floats, Periods

#: Fewest normal samples from which a median and a spread are read.
MIN_NORMAL = 4
_TOP_SHARE = 0.2
#: Quantile of the normal windows' statistic that counts as a series' own noise.
_NOISE_QUANTILE = 0.9
#: A series with no spread of its own is given a twentieth of its excursion, so it deviates by 20 at most.
_CONSTANT_DEVIATION = 20.0
_SHOWN_CONSTANT = 20
#: Changes below two per mille of the usual level are not worth telling.
_RELATIVE_FLOOR = 0.002
_MAX_WINDOWS = 64
_JUST_BEFORE_S, _HANDFUL = 1200.0, 5


@dataclass(frozen=True)
class Series:
    """One series: seconds since the epoch, sorted and unique, and finite values."""

    service: str
    metric: str
    times: Floats
    values: Floats
    source: str = "metrics"

    @property
    def step_s(self) -> float:
        return float(_at_share(np.sort(np.diff(self.times)), 0.5)) if len(self.times) > 1 else 60.0


@dataclass(frozen=True)
class Deviation:
    """What a series did around the incident.

    z: signed robust deviations of the incident window (jitter-averaged); noise: the unsigned statistic that
    normal windows stay below nine times in ten; windows: that statistic per normal window, with their starts;
    peak: the value that deviates most; onset_s: when it began, NaN where it did not;
    rate: the series is a counter and was turned into its increase per second;
    coverage: normal samples relative to the case's other series, at most 1;
    before_z: what the samples just before the incident already deviated by;
    samples: normal ones; constant: they had no spread.
    """

    series: Series
    z: float
    noise: float
    normal_z: Floats
    normal_at: Floats
    median: float
    scale: float
    peak: float
    onset_s: float
    rate: bool = False
    coverage: float = 1.0
    before_z: float = 0.0
    samples: int = 0
    constant: bool = False


def series_of(metrics: pl.DataFrame, source: str = "metrics") -> list[Series]:
    """The series of a long table (timestamp, service, metric, value): duplicates averaged, missing values left out."""
    clean = metrics.drop_nulls(["timestamp", "service", "metric", "value"]).filter(pl.col("value").is_finite())
    grouped = (
        clean.group_by("service", "metric", "timestamp", maintain_order=True)
        .agg(pl.col("value").mean())
        .sort("service", "metric", "timestamp")
        .with_columns(pl.col("timestamp").dt.epoch("us") / 1e6)
        .group_by("service", "metric", maintain_order=True)
        .agg("timestamp", "value")
    )
    return [
        Series(service, metric, np.asarray(times, dtype=float), np.asarray(values, dtype=float), source)
        for service, metric, times, values in grouped.iter_rows()
    ]


def deviations(found: Iterable[Series], when: Periods) -> list[Deviation]:
    """The deviation of every series that has a normal period and samples in the incident, in their order."""
    prepared = []
    for raw in found:
        series, rate = _as_rate(raw)
        step = series.step_s
        normal = series.values[when.normal(series.times, step)]
        if len(normal) >= MIN_NORMAL:
            prepared.append((series, rate, step, _usual(normal)))
    pooled = _pooled_scales([(series.metric, usual) for series, _, _, usual in prepared])
    typical = float(np.median([usual.samples for *_, usual in prepared])) if prepared else 1.0
    results = (
        _deviation(series, rate, step, when, usual, pooled.get(series.metric, 0.0), min(1.0, usual.samples / typical))
        for series, rate, step, usual in prepared
    )
    return [result for result in results if result is not None]


@dataclass(frozen=True)
class _Usual:
    """The normal period of a series in three figures."""

    samples: int
    median: float
    spread: float


def _usual(normal: Floats) -> _Usual:
    # One sort serves the median and the quartiles; numpy's own quantiles cost ten times as much on short arrays.
    ordered = np.sort(normal)
    low, median, high = (_at_share(ordered, share) for share in (0.25, 0.5, 0.75))
    spread = (high - low) / 1.349
    if spread <= 0:
        # Mostly constant: what it does now and then is its spread, what it did once is not.
        spread = (_at_share(ordered, 0.95) - _at_share(ordered, 0.05)) / 3.29
    return _Usual(len(ordered), median, spread)


def _at_share(ordered: Floats, share: float) -> float:
    """The linearly interpolated quantile of sorted values."""
    place = share * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return float(ordered[below] + (place - below) * (ordered[above] - ordered[below]))


def _as_rate(series: Series) -> tuple[Series, bool]:
    """A counter (only ever rising, with restarts) as its increase per second; anything else as it is."""
    if len(series.values) < 20:
        return series, False
    before, after = series.values[:-1], series.values[1:]
    steps = after - before
    falls = steps < 0
    restarts = falls & (after < 0.1 * before)
    # Nearly every series falls now and then: the rest is worked out for those that may be counters.
    if (falls & ~restarts).any():
        return series, False
    rises = float(np.mean(steps > 0))
    # A level that merely drifts up does not grow by many times its usual step without ever falling.
    grown = float(np.sum(steps[~falls])) > 10 * float(np.ptp(steps[~falls])) if np.any(~falls) else False
    if rises < 0.5 or not grown:
        return series, False
    increase = np.where(restarts, series.values[1:], steps) / np.maximum(np.diff(series.times), 1e-6)
    return replace(series, times=series.times[1:], values=increase), True


def _pooled_scales(found: list[tuple[str, _Usual]]) -> dict[str, float]:
    """The median spread of each metric over the services that have one: a yardstick for those that have none."""
    spreads: dict[str, list[float]] = {}
    for metric, usual in found:
        if usual.spread > 0:
            spreads.setdefault(metric, []).append(usual.spread)
    return {metric: float(np.median(values)) for metric, values in spreads.items()}


def _deviation(
    series: Series, rate: bool, step: float, when: Periods, usual: _Usual, pooled: float, coverage: float
) -> Deviation | None:
    windows = [when.window(series.times, step, jitter) for jitter in JITTER]
    if not windows[0].any():
        return None
    offset = series.values - usual.median
    scale = _scale(usual, pooled, float(np.max(np.abs(offset[windows[0]]))), sense(series.metric).internal)
    if scale <= 0:
        return None
    z = offset / scale
    normal = when.normal(series.times, step)
    scores = [_statistic(z[window]) for window in windows if window.any()]
    length = min(int(windows[0].sum()), max(1, usual.samples // 3))
    normal_at, normal_z = _normal_windows(series.times[normal], z[normal], length)
    peak_at = np.flatnonzero(windows[0])[np.argmax(np.abs(z[windows[0]]))]
    return Deviation(
        series,
        z=sum(scores) / len(scores),
        noise=_at_share(np.sort(normal_z), _NOISE_QUANTILE) if len(normal_z) else 0.0,
        normal_z=normal_z,
        normal_at=normal_at,
        median=usual.median,
        scale=scale,
        peak=float(series.values[peak_at]),
        onset_s=_onset(series.times, z, when.noticed - 3 * when.lead(step), int(peak_at)),
        rate=rate,
        coverage=coverage,
        before_z=_before(series.times, z, when, step),
        samples=usual.samples,
        constant=usual.spread <= 0,
    )


def _before(times: Floats, z: Floats, when: Periods, step: float) -> float:
    """The least of the deviations in the twenty minutes before the incident can have begun, 0 where they change sides.

    Where twenty minutes hold a handful of samples, the last of them alone: one odd sample would decide otherwise.
    """
    begin = when.noticed - when.lead(step)
    earlier = z[(times < begin) & (times >= begin - max(_JUST_BEFORE_S, 1.01 * step))]
    if len(earlier) < _HANDFUL:
        earlier = earlier[-1:]
    if not len(earlier) or (np.any(earlier > 0) and np.any(earlier < 0)):
        return 0.0
    return float(earlier[np.argmin(np.abs(earlier))])


def _scale(usual: _Usual, pooled: float, excursion: float, resource: bool) -> float:
    """The yardstick of a series; for resources, which are alike between services, no finer than theirs."""
    floor = max(usual.spread, _RELATIVE_FLOOR * abs(usual.median), 0.5 * pooled if resource else 0.0)
    if usual.spread > 0:
        return floor
    # The longer it was constant, the less it needs what the same metric does elsewhere.
    borrowed = 0.5 * pooled * min(1.0, _SHOWN_CONSTANT / usual.samples)
    return max(floor, borrowed, excursion / _CONSTANT_DEVIATION)


def _statistic(z: Floats) -> float:
    """The mean of the largest fifth of |z|, with the sign of its side."""
    count = max(1, int(len(z) * _TOP_SHARE))
    order = np.argsort(-np.abs(z), kind="stable")[:count]
    top = z[order]
    return float(np.mean(np.abs(top)) * np.sign(np.sum(top) or 1.0))


def _normal_windows(times: Floats, z: Floats, length: int) -> tuple[Floats, Floats]:
    """Start and unsigned statistic of up to 64 half-overlapping windows of `length` samples."""
    starts = np.arange(0, len(z) - length + 1, max(1, length // 2))
    if len(starts) > _MAX_WINDOWS:
        starts = starts[np.linspace(0, len(starts) - 1, _MAX_WINDOWS).astype(int)]
    view = np.lib.stride_tricks.sliding_window_view(np.abs(z), length)[starts]
    count = max(1, int(length * _TOP_SHARE))
    top = np.partition(view, length - count, axis=1)[:, length - count :]
    return times[starts], top.mean(axis=1)


def _onset(times: Floats, z: Floats, earliest: float, peak: int) -> float:
    """The first instant from `earliest` on from which the series stays past a third of its peak until the peak."""
    bar = abs(z[peak]) / 3
    start = peak
    while start > 0 and times[start - 1] >= earliest and abs(z[start - 1]) >= bar and z[start - 1] * z[peak] > 0:
        start -= 1
    return float(times[start]) if abs(z[peak]) > 3 else float("nan")
