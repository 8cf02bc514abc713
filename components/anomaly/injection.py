"""Realistic anomalies put into series, with their labels: what detectors are compared on where nobody labelled."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from components.anomaly import robust
from components.anomaly.panel import HOUR_US, BoolArray, FloatArray, Panel

KINDS = ("spike", "level_shift", "trend_change", "variance_change", "flat_line")
#: Hours that each kind lasts, at least and at most, and its size in robust standard deviations of the noise.
_HOURS = {
    "spike": (0.08, 0.25),
    "level_shift": (1, 4),
    "trend_change": (2, 6),
    "variance_change": (1, 4),
    "flat_line": (2, 6),
}
_SIZE = (5.0, 15.0)
_LEAST_SHARE = 0.05
_TREND_ROWS = 36


def inject(panel: Panel, start: int, seed: int) -> tuple[Panel, BoolArray]:
    """A copy with one anomaly per series somewhere from row `start` on, and its labels (rows by columns).

    The kind, place and size are drawn per series; the direction is one that counts for the series. Values
    stay what the series can be: never negative where it never was. Series without values there stay as they are.
    """
    values = panel.values.copy()
    labels = np.zeros(values.shape, dtype=bool)
    noise = noise_level(panel)
    step_us = panel.step_us()
    for column, name in enumerate(panel.columns):
        # Seeded by the series' own name: another series joining the lake changes nothing here.
        random = np.random.default_rng([seed, *name.encode()])
        kind = KINDS[random.integers(len(KINDS))]
        hours = random.uniform(*_HOURS[kind])
        rows = int(np.clip(round(hours * HOUR_US / step_us), 1, max(1, (len(panel) - start) // 2)))
        first = int(random.integers(start, max(start + 1, len(panel) - rows)))
        part = slice(first, min(first + rows, len(panel)))
        size = random.uniform(*_SIZE) * noise[column] * _sign(panel, column, random)
        known = np.isfinite(values[part, column])
        if not known.any():
            continue
        values[part, column] = _altered(values[part, column], kind, size, random)
        labels[part, column] = known
    least = np.where(np.nanmin(np.vstack([panel.values, np.ones(len(panel.columns))]), axis=0) >= 0, 0.0, -np.inf)
    return replace(panel, values=np.fmax(values, np.where(np.isnan(values), np.nan, least))), labels


def noise_level(panel: Panel) -> FloatArray:
    """Robust standard deviation around the trailing level per column, at least a share of the usual level."""
    (level,) = robust.trailing_quantiles(panel.values, _TREND_ROWS, (0.5,))
    noise = np.nan_to_num(robust.median(np.abs(panel.values - level))) * robust.MAD_TO_SIGMA
    usual = np.fmax(np.nan_to_num(robust.median(np.abs(panel.values))), panel.usual)
    result: FloatArray = np.maximum.reduce([noise, _LEAST_SHARE * usual, np.full_like(noise, 1e-6)])
    return result


def _altered(values: FloatArray, kind: str, size: float, random: np.random.Generator) -> FloatArray:
    if kind == "trend_change":
        return values + size * np.linspace(1 / len(values), 1, len(values))
    if kind == "variance_change":
        return values + abs(size) * random.standard_normal(len(values))
    if kind == "flat_line":
        stuck: FloatArray = np.where(np.isnan(values), np.nan, values[np.isfinite(values)][0])
        return stuck
    return values + size


def _sign(panel: Panel, column: int, random: np.random.Generator) -> float:
    signs = [1.0] * bool(panel.rises[column]) + [-1.0] * bool(panel.falls[column])
    return float(random.choice(signs)) if signs else 1.0
