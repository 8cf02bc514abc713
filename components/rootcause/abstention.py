"""Whether anything is abnormal at all, judged by what the same procedure finds in the normal period."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from components.rootcause.deviation import JUST_BEFORE_S, Deviation
from components.rootcause.naming import KINDS, sense
from components.rootcause.periods import JITTER, Floats, Periods
from components.rootcause.series import at_share
from components.rootcause.signals import MAX_STRENGTH, Signal, clock, strengths

#: Below so many normal windows their largest finding says nothing; then only the bar of each series counts.
_MIN_WINDOWS = 6
#: Doublings by which all that speaks for one service must stand out: among hundreds of series a few do by chance what
#: they never did before. Of the harmless decoys of the shop's seeds 31 to 36, 97 % stay below.
_MARGIN = 1.75
#: With the metric it was noticed in at hand: bits of surprise, in it and in the strongest signal together, and the
#: least that the signal must stand out by. At 3.7 bits one normal window in forty is taken for an incident.
_BITS, _LEAST = 3.7, 0.25
#: More requests, and what nobody knows the meaning of, change without any trouble.
_TELLING = frozenset(KINDS) - {"traffic"}
#: Times the bar from which what has lasted for long is worth a hint.
_FAR = 3.0
#: So many samples in a row are off, up to the last, where a metric has changed rather than blinked.
_STAYS = 3


@dataclass(frozen=True)
class Alarm:
    """found: the strongest signal of the incident; usual: the strongest of all normal windows but one in twenty.

    together: all signals of the service that has most;
    noticed_bits: -log2 of the share of normal windows in which the noticed metric did as much, NaN where it is unknown;
    stepped: metrics of one service that never moved before and changed to stay, as surprising as `stepped_bits`.
    """

    found: float
    usual: float
    windows: int
    together: float = 0.0
    noticed_bits: float = math.nan
    stepped: tuple[Signal, ...] = ()
    stepped_bits: float = 0.0

    @property
    def abnormal(self) -> bool:
        if math.isnan(self.noticed_bits):
            return self.together - self.usual > _MARGIN or self.stepped_bits >= _BITS
        above = self.found - self.usual
        return above >= _LEAST and above + self.noticed_bits >= _BITS


def alarm(
    signals: Sequence[Signal],
    min_deviation: float,
    together: float,
    noticed: Deviation | None = None,
    when: Periods | None = None,
    series: int = 1,
) -> Alarm:
    """Compare the strongest signal with the strongest ones of the case's normal windows.

    together: the combined strength of the service that has most.
    noticed: the deviation of the metric that the incident was noticed in, where that is among the case's; series: how
    many the case has.
    """
    found = max((s.strength for s in signals), default=0.0)
    slots = _strongest_of_windows(signals, min_deviation)
    usual = float(np.quantile(slots, 0.95)) if len(slots) >= _MIN_WINDOWS else 0.0
    bits = surprise(noticed, when) if noticed and when else math.nan
    stepped, stepped_bits = _stepped(signals, series)
    return Alarm(found, min(usual, MAX_STRENGTH - 1), len(slots), together, bits, stepped, stepped_bits)


def _stepped(signals: Sequence[Signal], series: int) -> tuple[tuple[Signal, ...], float]:
    """The metrics of one service, each of another kind, that never moved before and changed to stay; and the bits.

    A metric that changes once does so at any of its samples; two kinds that do so together do it by chance once in the
    product of their samples, in as many ways as there are series that might have.
    """
    found: dict[str, dict[str, Signal]] = {}
    for signal in signals:
        item = signal.deviation
        if item and item.constant and item.stays >= _STAYS and signal.strength > 0 and signal.kind in _TELLING:
            found.setdefault(signal.service, {}).setdefault(signal.kind, signal)
    together = [tuple(kinds.values()) for _, kinds in sorted(found.items()) if len(kinds) > 1]
    bits = [sum(math.log2(s.deviation.samples) for s in group if s.deviation) - math.log2(series) for group in together]
    best = max(range(len(bits)), key=bits.__getitem__, default=None)
    return ((), 0.0) if best is None else (together[best], bits[best])


def _strongest_of_windows(signals: Sequence[Signal], min_deviation: float) -> Floats:
    """The strongest signal of each normal window of the case: windows of all series that begin together are one."""
    places, values = [], []
    # Series that are sampled together have their windows in common.
    known: dict[int, tuple[Floats, float]] = {}
    for signal in signals:
        item = signal.deviation
        if item is None or not len(item.normal_at):
            continue
        at = item.normal_at
        if id(at) not in known:
            width = at_share(np.sort(at[1:] - at[:-1]), 0.5) if len(at) > 1 else 1.0
            known[id(at)] = at // max(width, 1.0), width
        slots, width = known[id(at)]
        found = signal.weight * strengths(item.normal_z, item.noise, min_deviation)
        # What began before anybody noticed is no window without an incident, however long it has lasted.
        found[at >= item.began_s - 2 * width] = 0.0
        places.append(slots)
        values.append(found)
    if not places:
        return np.zeros(0)
    every, which = np.unique(np.concatenate(places), return_inverse=True)
    strongest = np.zeros(len(every))
    np.maximum.at(strongest, which, np.concatenate(values))
    return strongest


def lasting(moved: Sequence[Deviation], when: Periods, min_deviation: float) -> str:
    """A hint where something has been off for so long that the noticed time cannot be when it began, else nothing."""
    since = when.noticed - when.lead_s - JUST_BEFORE_S / 2
    found = [item for item in moved if item.began_s < since and abs(item.z) >= _FAR * min_deviation]
    if not found:
        return ""
    most = max(found, key=lambda item: abs(item.z))
    what = f"{most.series.service} {most.series.metric} has been off since {clock(most.began_s)}"
    return f"; {what}: if that is the incident, give 'time' as when it began"


def surprise(item: Deviation, when: Periods) -> float:
    """-log2 of the share of normal windows whose worst sample, or worst rise over the sample before, is as bad.

    NaN with fewer than six normal windows.
    """
    times, step = item.series.times, item.series.step_s
    side = -1.0 if sense(item.series.metric).bad == "below" else 1.0
    z = side * (item.series.values - item.median) / item.scale
    window = np.flatnonzero(when.window(times, step, JITTER[0]))
    usual = z[when.normal(times, step)]
    if not len(window) or len(usual) - len(window) <= _MIN_WINDOWS:
        return math.nan
    worst = float(z[window].max())
    levels, rises = _windows(usual, len(window))
    shares = [np.mean(levels >= worst), np.mean(rises >= worst - float(z[max(window[0] - 1, 0)]))]
    return -math.log2(max(float(min(shares)), 1 / (len(levels) + 1)))


def _windows(usual: Floats, length: int) -> tuple[Floats, Floats]:
    """The worst sample of every normal window, and how far it lies above the sample before the window."""
    worst = np.lib.stride_tricks.sliding_window_view(usual, length)[1:].max(axis=1)
    return worst, worst - usual[: len(worst)]
