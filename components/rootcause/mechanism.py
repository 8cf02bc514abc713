"""Level 2: does a service do what its callees and its traffic make of it, and would the symptom end with it?

A series is regressed on its parents (the same symptom in its callees, its own traffic) over the normal period. Where
the incident's values lie far from what the parents predict, the service's own mechanism changed (the regression test
of CIRCA, Li et al., KDD 2022). An incident takes the parents far beyond what they have shown, so that what they predict
is a range: from the regression to the reverse one, between which the truth lies when parents are measured with noise
(Frisch, 1934), widened by the regression's standard error there. Then the noticed series is asked what it would do were
this one at its usual level, within what both have shown together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from components.rootcause.deviation import Deviation
from components.rootcause.graph import CallGraph
from components.rootcause.naming import sense
from components.rootcause.periods import JITTER, Floats, Periods

_RIDGE = 1e-3
_MIN_SAMPLES = 12
#: Parents that explain less than this share of a series' normal variance are no test of it.
_INFORMATIVE = 0.1


@dataclass(frozen=True)
class Mechanism:
    """residual_z: robust deviations of the incident from the range that the parents predict, 0 within it.

    predicted and found: the regression's mean and the incident's; changed: the parents do not explain it;
    parents: their (service, metric).
    """

    predicted: float
    found: float
    residual_z: float
    changed: bool
    parents: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Return:
    """The noticed series' excess, and what would remain of it were the cause at its usual level."""

    metric: str
    excess: float
    remaining: float

    @property
    def returns(self) -> bool:
        return self.remaining < 0.5 * self.excess


def mechanism_of(
    item: Deviation, moved: Sequence[Deviation], graph: CallGraph, when: Periods, min_deviation: float
) -> Mechanism | None:
    """The test of one series; None with fewer than twelve normal samples or parents that tell nothing of it then."""
    series = item.series
    normal = when.normal(series.times, series.step_s)
    window = when.window(series.times, series.step_s, JITTER[0])
    if int(normal.sum()) < _MIN_SAMPLES or not window.any():
        return None
    parents = _parents(item, moved, graph)
    # What never moved before has shown nothing of how one follows the other.
    if parents and any(one.constant for one in (item, *parents)):
        return None
    design = _design(parents, series.times)
    fitted = _fit(design[normal], series.values[normal])
    expected = design @ fitted
    residual = series.values - expected
    explained = 1 - float(np.var(residual[normal])) / max(float(np.var(series.values[normal])), 1e-300)
    if parents and explained < _INFORMATIVE:
        return None
    spread = max(_spread(residual[normal]), 0.25 * item.scale, 1e-12)
    along = expected[window] - float(np.median(expected[normal]))
    off = series.values[window] - float(np.median(series.values[normal]))
    # Reverse regression divides by the share that is explained.
    beyond = _beyond(off, along, along / max(explained, _INFORMATIVE) if parents else along)
    z = float(np.median(beyond / (spread * (1 + _reach(design[normal], design[window])))))
    return Mechanism(
        predicted=float(np.mean(expected[window])),
        found=float(np.mean(series.values[window])),
        residual_z=z,
        changed=abs(z) > min_deviation,
        parents=tuple((p.series.service, p.series.metric) for p in parents),
    )


def _beyond(values: Floats, one: Floats, other: Floats) -> Floats:
    """How far each value lies above or below (negative) the range between two others."""
    low, high = np.minimum(one, other), np.maximum(one, other)
    return np.asarray(np.maximum(values - high, 0.0) + np.minimum(values - low, 0.0), dtype=np.float64)


def _reach(normal: Floats, window: Floats) -> Floats:
    """The regression's standard error at each row of `window`, in units of the residuals' deviation."""
    inverse = np.linalg.pinv(normal.T @ normal)
    return np.asarray(np.sqrt(np.einsum("ij,jk,ik->i", window, inverse, window)), dtype=np.float64)


def would_return(cause: Deviation, noticed: Deviation, when: Periods) -> Return | None:
    """What remains of the noticed excess were the cause at its usual level; None where they share too few samples.

    The slope comes from the normal period and the incident together, so that the cause is set to a value it has shown.
    """
    target = noticed.series
    both = when.normal(target.times, target.step_s) | when.window(target.times, target.step_s, JITTER[0])
    window = when.window(target.times, target.step_s, JITTER[0])
    if int(both.sum()) < _MIN_SAMPLES or not window.any() or cause.series is target:
        return None
    along = _aligned(cause, target.times)
    x, y = along[both] - cause.median, target.values[both] - noticed.median
    slope = float(x @ y / max(float(x @ x), 1e-12))
    side = np.sign(np.mean(target.values[window] - noticed.median)) or 1.0
    excess = float(side * np.mean(target.values[window] - noticed.median))
    remaining = excess - float(side * slope * np.mean(along[window] - cause.median))
    return Return(target.metric, excess, max(0.0, remaining))


def _parents(item: Deviation, moved: Sequence[Deviation], graph: CallGraph) -> list[Deviation]:
    kind, service = sense(item.series.metric).kind, item.series.service
    callees = graph.callees_of(service)
    found: Mapping[tuple[str, str], Deviation] = {(d.series.service, d.series.metric): d for d in moved}
    same = [d for (name, metric), d in found.items() if name in callees and metric == item.series.metric]
    traffic = [d for (name, metric), d in found.items() if name == service and sense(metric).kind == "traffic"]
    return sorted([*same, *(traffic if kind != "traffic" else [])], key=lambda d: (d.series.service, d.series.metric))


def _aligned(item: Deviation, times: Floats) -> Floats:
    return np.interp(times, item.series.times, item.series.values)


def _design(parents: Sequence[Deviation], times: Floats) -> Floats:
    columns = [np.ones(len(times))]
    columns += [(_aligned(parent, times) - parent.median) / parent.scale for parent in parents]
    return np.column_stack(columns)


def _fit(design: Floats, values: Floats) -> Floats:
    penalty = _RIDGE * len(values) * np.eye(design.shape[1])
    penalty[0, 0] = 0.0
    return np.asarray(np.linalg.solve(design.T @ design + penalty, design.T @ values), dtype=np.float64)


def _spread(values: Floats) -> float:
    low, high = np.quantile(values, (0.25, 0.75))
    return float(high - low) / 1.349
