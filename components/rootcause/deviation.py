"""How far each series left its normal period, in robust deviations, and how far it leaves it on an ordinary day.

A series' deviation is |value - median| / scale of its normal period; the statistic of a window is the mean of
its largest fifth (the largest one where there are few), signed by its direction. The same statistic is taken over
every window of the same length inside the normal period: what a series does then is its noise.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from components.rootcause.periods import JITTER, Floats, Periods
from components.rootcause.series import Series, at_shares
from components.rootcause.usual import Block, blocks_of, pooled_scales, scales

#: Fewest normal samples from which a median and a spread are read.
MIN_NORMAL = 4
_TOP_SHARE = 0.2
#: Quantile of the normal windows' statistic that counts as a series' own noise.
_NOISE_QUANTILE = 0.9
_MAX_WINDOWS = 64
#: What lasts for longer before the incident is taken for a state of its own.
JUST_BEFORE_S, _HANDFUL = 1200.0, 5


@dataclass(frozen=True)
class Deviation:
    """What a series did around the incident.

    z: signed robust deviations of the incident window (jitter-averaged); noise: the unsigned statistic that
    normal windows stay below nine times in ten; windows: that statistic per normal window, with their starts;
    peak: the value that deviates most; onset_s: when it began, NaN where it did not;
    rate: the series is a counter and was turned into its increase per second;
    began_s: the first instant of the stretch without a gap in which it was off by a third of its peak, NaN as onset_s;
    coverage: normal time with samples relative to the case's other series, at most 1;
    before_z: the samples just before the incident can have begun, the latest first, in its direction; each no more than
    those after it; late_z: the most that any sample deviates by from shortly before it was noticed on;
    samples: normal ones; constant: they had no spread; stays: the samples in a row, up to the last, in which it is off.
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
    began_s: float = math.nan
    rate: bool = False
    coverage: float = 1.0
    before_z: Floats = field(default_factory=lambda: np.zeros(0))
    late_z: float = math.inf
    samples: int = 0
    constant: bool = False
    stays: int = 1


def deviations(found: Iterable[Series], when: Periods) -> list[Deviation]:
    """The deviation of every series that has a normal period and samples in the incident, in their order."""
    blocks = [block for block in blocks_of(found, when) if block.samples >= MIN_NORMAL]
    pooled = pooled_scales(blocks)
    spans = np.repeat([block.normal_s for block in blocks], [len(block.series) for block in blocks])
    typical = float(np.median(spans)) if len(spans) else 1.0
    results: list[tuple[int, Deviation]] = []
    for block in blocks:
        results += _deviations(block, when, pooled, min(1.0, block.normal_s / typical))
    return [deviation for _, deviation in sorted(results, key=lambda pair: pair[0])]


def _deviations(
    block: Block, when: Periods, pooled: Mapping[str, float], coverage: float
) -> list[tuple[int, Deviation]]:
    """Each row's place and deviation; none without samples in the incident, no row that never moved."""
    times, step = block.series[0].times, block.series[0].step_s
    windows = [window for jitter in JITTER if (window := when.window(times, step, jitter)).any()]
    if not windows or not when.window(times, step, JITTER[0]).any():
        return []
    offset = block.values - block.medians[:, None]
    excursion = np.abs(offset[:, windows[0]]).max(axis=1)
    stays = _stays(offset[:, windows[0]], excursion)
    scale = scales(block, pooled, excursion)
    moved = np.flatnonzero(scale > 0)
    if not len(moved):
        return []
    z = offset[moved] / scale[moved, None]
    mean_z = np.mean([_statistic(z[:, window]) for window in windows], axis=0)
    length = min(int(windows[0].sum()), max(1, block.samples // 3))
    normal_at, normal_z = _normal_windows(times[block.normal], z[:, block.normal], length)
    peaks = np.flatnonzero(windows[0])[np.abs(z[:, windows[0]]).argmax(axis=1)]
    began = [_onset(times, row, -math.inf, int(peak)) for row, peak in zip(z, peaks, strict=True)]
    noise = _noise(normal_at, normal_z, length * step, began, when.noticed - when.lead(step))
    side = np.where(mean_z < 0, -1.0, 1.0)[:, None]
    before, late = _before(times, side * z, when, step), when.window(times, step, JITTER[1])
    late_z = np.abs(z[:, late]).max(axis=1) if late.any() else np.full(len(z), np.inf)
    earliest = when.noticed - 3 * when.lead(step)
    return [
        (
            block.places[place],
            Deviation(
                block.series[place],
                z=float(mean_z[row]),
                noise=float(noise[row]),
                normal_z=normal_z[row],
                normal_at=normal_at,
                median=float(block.medians[place]),
                scale=float(scale[place]),
                peak=float(block.values[place, peaks[row]]),
                onset_s=_onset(times, z[row], earliest, int(peaks[row])),
                began_s=began[row],
                rate=block.rates[place],
                coverage=coverage,
                before_z=before[row],
                late_z=float(late_z[row]),
                samples=block.samples,
                constant=bool(block.spreads[place] <= 0),
                stays=int(stays[place]),
            ),
        )
        for row, place in enumerate(moved.tolist())
    ]


def _stays(offset: Floats, excursion: Floats) -> npt.NDArray[np.int64]:
    """Per row how many samples it is off by a third of its excursion in a row up to the last, at least 1.

    What goes and comes back has not changed, however far it went.
    """
    off = np.abs(offset) >= np.maximum(excursion, 1e-300)[:, None] / 3
    return np.asarray(np.maximum(1, np.minimum.accumulate(off[:, ::-1], axis=1).sum(axis=1)), dtype=np.int64)


def _before(times: Floats, z: Floats, when: Periods, step: float) -> Floats:
    """Per row the samples of the twenty minutes before the incident can have begun, the latest first.

    Each is at most what those after it are: what came and went before is no part of the incident. Where twenty
    minutes hold a handful of samples, the last of them alone tells: one odd sample would decide otherwise.
    """
    begin = when.noticed - when.lead(step)
    earlier = z[:, (times < begin) & (times >= begin - max(JUST_BEFORE_S, 1.01 * step))]
    if earlier.shape[1] < _HANDFUL:
        earlier = earlier[:, -1:]
    return np.asarray(np.minimum.accumulate(earlier[:, ::-1], axis=1), dtype=np.float64)


def _statistic(z: Floats) -> Floats:
    """Per row the mean of the largest fifth of |z|, with the sign of its side."""
    count = max(1, int(z.shape[1] * _TOP_SHARE))
    order = np.argsort(-np.abs(z), axis=1, kind="stable")[:, :count]
    top = np.take_along_axis(z, order, axis=1)
    total = top.sum(axis=1)
    return np.asarray(np.abs(top).mean(axis=1) * np.where(total < 0, -1.0, 1.0), dtype=np.float64)


def _normal_windows(times: Floats, z: Floats, length: int) -> tuple[Floats, Floats]:
    """Start and per row the unsigned statistic of up to 64 half-overlapping windows of `length` samples."""
    starts = np.arange(0, z.shape[1] - length + 1, max(1, length // 2))
    if len(starts) > _MAX_WINDOWS:
        starts = starts[np.linspace(0, len(starts) - 1, _MAX_WINDOWS).astype(int)]
    view = np.lib.stride_tricks.sliding_window_view(np.abs(z), length, axis=1)[:, starts]
    count = max(1, int(length * _TOP_SHARE))
    top = np.partition(view, length - count, axis=2)[:, :, length - count :]
    return times[starts], top.mean(axis=2)


def _noise(at: Floats, normal_z: Floats, length_s: float, began: Sequence[float], begin: float) -> Floats:
    """Per row the statistic that normal windows stay below nine times in ten.

    What began up to twenty minutes before the incident can have begun, and lasts, is the incident itself; what has
    lasted for longer is how the series is now.
    """
    if not len(at):
        return np.zeros(len(normal_z))
    noise = at_shares(np.sort(normal_z, axis=1), _NOISE_QUANTILE)
    for row in np.flatnonzero(np.asarray(began) < begin).tolist():
        own = normal_z[row, at + length_s <= max(began[row], begin - JUST_BEFORE_S)]
        if 0 < len(own) < len(at):
            noise[row] = at_shares(np.sort(own)[None, :], _NOISE_QUANTILE)[0]
    return np.asarray(noise, dtype=np.float64)


def _onset(times: Floats, z: Floats, earliest: float, peak: int) -> float:
    """The first instant from `earliest` on from which the series stays past a third of its peak until the peak."""
    if abs(z[peak]) <= 3:
        return float("nan")
    bar = abs(z[peak]) / 3
    start = peak
    while start > 0 and times[start - 1] >= earliest and abs(z[start - 1]) >= bar and z[start - 1] * z[peak] > 0:
        start -= 1
    return float(times[start])
