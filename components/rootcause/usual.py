"""What is usual for series: the median and spread of their normal periods, and the yardstick these give.

Series sampled at the same instants, most of a case's, are worked on together as the rows of one block.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from components.rootcause.naming import sense
from components.rootcause.periods import Floats, Periods
from components.rootcause.series import Series, as_rates, at_share, at_shares

#: A series with no spread of its own is given a twentieth of its excursion, so it deviates by 20 at most.
_CONSTANT_DEVIATION = 20.0
_SHOWN_CONSTANT = 20
#: Changes below two per mille of the usual level are not worth telling.
_RELATIVE_FLOOR = 0.002
#: Windows of all rows are held at once: more rows would only take memory.
_MAX_ROWS = 512


@dataclass(frozen=True)
class Block:
    """Series sampled at the same instants, one row each, with the median and spread of their normal periods.

    places: where each stood among all series.
    """

    series: Sequence[Series]
    rates: Sequence[bool]
    places: Sequence[int]
    values: Floats
    normal: npt.NDArray[np.bool_]
    medians: Floats
    spreads: Floats

    @property
    def samples(self) -> int:
        return int(self.normal.sum())

    @property
    def normal_s(self) -> float:
        """How much of the normal period has samples, in seconds."""
        return self.samples * self.series[0].step_s


def blocks_of(found: Iterable[Series], when: Periods) -> list[Block]:
    """All series by their instants: most of a case's have them in common, and are worked on together."""
    blocks = []
    for same in _together(list(enumerate(found))):
        prepared = as_rates([series for _, series in same])
        rated = [(place, *pair) for (place, _), pair in zip(same, prepared, strict=True)]
        for is_rate in (False, True):
            part = [(place, series) for place, series, rate in rated if rate == is_rate]
            if part:
                blocks.append(_block(part, is_rate, when))
    return blocks


def _together(found: Sequence[tuple[int, Series]]) -> Iterable[list[tuple[int, Series]]]:
    groups: dict[bytes, list[tuple[int, Series]]] = {}
    for place, series in found:
        groups.setdefault(series.times.tobytes(), []).append((place, series))
    for group in groups.values():
        yield from (group[begin : begin + _MAX_ROWS] for begin in range(0, len(group), _MAX_ROWS))


def _block(part: Sequence[tuple[int, Series]], is_rate: bool, when: Periods) -> Block:
    series = [one for _, one in part]
    values = np.stack([one.values for one in series])
    normal = when.normal(series[0].times, series[0].step_s)
    medians, spreads = _usual(values[:, normal]) if normal.any() else (np.zeros(0), np.zeros(0))
    return Block(series, [is_rate] * len(series), [place for place, _ in part], values, normal, medians, spreads)


def _usual(normal: Floats) -> tuple[Floats, Floats]:
    """The median and spread of each row."""
    # One sort serves the median and all quantiles.
    ordered = np.sort(normal, axis=1)
    low, medians, high = (at_shares(ordered, share) for share in (0.25, 0.5, 0.75))
    spreads = (high - low) / 1.349
    # Mostly constant: what it does now and then is its spread, what it did once is not.
    rare = (at_shares(ordered, 0.95) - at_shares(ordered, 0.05)) / 3.29
    return medians, np.where(spreads <= 0, rare, spreads)


def pooled_scales(blocks: Sequence[Block]) -> dict[str, float]:
    """The median spread of each metric over the services that have one: a yardstick for those that have none."""
    spreads: dict[str, list[float]] = {}
    for block in blocks:
        for series, spread in zip(block.series, block.spreads, strict=True):
            if spread > 0:
                spreads.setdefault(series.metric, []).append(float(spread))
    return {metric: at_share(np.sort(np.asarray(values)), 0.5) for metric, values in spreads.items()}


def scales(block: Block, pooled: Mapping[str, float], excursion: Floats) -> Floats:
    """The yardstick of each series; for resources, which are alike between services, no finer than theirs."""
    elsewhere = 0.5 * np.array([pooled.get(series.metric, 0.0) for series in block.series])
    resource = np.array([sense(series.metric).internal for series in block.series])
    floor = np.maximum(block.spreads, _RELATIVE_FLOOR * np.abs(block.medians))
    floor = np.maximum(floor, np.where(resource, elsewhere, 0.0))
    # The longer it was constant, the less it needs what the same metric does elsewhere.
    borrowed = elsewhere * min(1.0, _SHOWN_CONSTANT / block.samples)
    constant = np.maximum(np.maximum(floor, borrowed), excursion / _CONSTANT_DEVIATION)
    return np.where(block.spreads > 0, floor, constant)
