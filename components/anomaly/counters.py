"""Counters, which only rise until they start again near zero: what is judged of them is their increase per row."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from components.anomaly.panel import BoolArray, FloatArray, Panel

#: Known values without which nothing passes for a counter.
_LEAST_KNOWN = 30
#: A counter rises on most rows; a flag or a fill level does not. It starts again on few, below this share of before.
_RISING, _RESTARTING, _RESTARTS_BELOW = 0.5, 0.05, 0.1


def as_increases(panel: Panel, known_rows: int) -> tuple[Panel, tuple[str, ...]]:
    """The panel with counters replaced by their increase per row, and the names of those columns.

    What is a counter is decided on the first `known_rows` rows alone, so that later rows change no earlier answer.
    """
    found = is_counter(panel.values[:known_rows])
    if not found.any():
        return panel, ()
    values = panel.values.copy()
    step_us = panel.rows(0, known_rows).step_us()
    for column in np.flatnonzero(found):
        values[:, column] = _increase(panel.times / step_us, values[:, column])
    return replace(panel, values=values), tuple(panel.columns[column] for column in np.flatnonzero(found))


def is_counter(history: FloatArray) -> BoolArray:
    """Per column (rows by columns, NaN where missing): never negative, rising on most rows, falling only to restart."""
    return np.array([_counts(column[np.isfinite(column)]) for column in history.T], dtype=bool)


def _counts(known: FloatArray) -> bool:
    if len(known) < _LEAST_KNOWN or known.min() < 0:
        return False
    change = np.diff(known)
    falls = change < 0
    restarts = known[1:][falls] <= _RESTARTS_BELOW * known[:-1][falls]
    return bool((change > 0).mean() > _RISING and falls.mean() <= _RESTARTING and restarts.all())


def _increase(steps: FloatArray, values: FloatArray) -> FloatArray:
    """Increase per step since the known value before; after a restart all that was counted since."""
    increase = np.full(len(values), np.nan)
    known = np.flatnonzero(np.isfinite(values))
    before, now = values[known[:-1]], values[known[1:]]
    counted = np.where(now <= _RESTARTS_BELOW * before, now, now - before)
    increase[known[1:]] = counted / np.diff(steps[known])
    return increase
