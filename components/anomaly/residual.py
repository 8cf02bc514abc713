"""Detectors whose surprise is an error: what was there against what was expected, in units of the usual error."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np
import polars as pl

from components.anomaly import detector, robust, windows
from components.anomaly.detector import Band, Surprise
from components.anomaly.panel import DAY_US, FloatArray, Panel

#: The usual error is that of the newest week, at least and at most so many rows.
_DAYS, _LEAST_ROWS, _MOST_ROWS = 7, 100, 5_000
#: Errors that must be known before they say what is usual.
_LEAST_KNOWN = 20
#: The usual error is not believed to be smaller than this share of the standard deviation: bursts are usual too.
_BURSTS = 0.25


class Detector(detector.Detector):
    """`error` is left to the detector; `centre` and `spread` (per column) are the usual error when it last learned."""

    most_wait_us = DAY_US
    least: FloatArray
    centre: FloatArray
    spread: FloatArray

    @abstractmethod
    def error(self, panel: Panel) -> FloatArray:
        """How far each value lies above what was expected, rows by columns; NaN where the value is missing."""

    def measure(self, error: FloatArray) -> None:
        """Take the usual error from history's, rows by columns."""
        recent = error[-usual_rows(self.step_us) :]
        self.centre = np.nan_to_num(robust.median(recent))
        spread = np.nan_to_num(robust.median(np.abs(recent - self.centre))) * robust.MAD_TO_SIGMA
        known = np.where(np.isfinite(recent), recent, self.centre)
        self.spread = np.maximum.reduce([spread, _BURSTS * known.std(axis=0), self.least])

    def surprise(self, panel: Panel) -> Surprise:
        error = self.error(panel)
        return self._surprise(panel, error, np.broadcast_to(self.centre, error.shape), self.spread)

    def strangeness(self, panel: Panel, cuts: list[int]) -> Surprise:
        """As of every detector; walking forward, the usual error is measured anew at each row."""
        errors, leasts = [], []
        for part, start in self._stretches(panel, self._all_cuts(panel, cuts)):
            errors.append(self.error(part)[start:])
            leasts.append(np.broadcast_to(self.least, errors[-1].shape))
        error, least = np.vstack(errors), np.vstack(leasts)
        rows = usual_rows(panel.rows(0, cuts[0]).step_us())
        centre, spread = self._usual(error, least, rows)
        self.measure(error)
        return self._surprise(panel, error, centre, spread)

    def settle(self, history: Panel, cuts: list[int]) -> Surprise:
        """As of every detector; the usual error stays that of rows which were not learned from."""
        found = self.strangeness(history, cuts)
        centre, spread = self.centre, self.spread
        self._learn(history)
        self.centre, self.spread = centre, spread
        return found

    def arrays(self) -> dict[str, Any]:
        return {"least": self.least, "centre": self.centre, "spread": self.spread, **self.common_arrays()}

    def restore(self, arrays: dict[str, Any]) -> None:
        self.restore_common(arrays)
        self.least, self.centre, self.spread = arrays["least"], arrays["centre"], arrays["spread"]

    def _surprise(self, panel: Panel, error: FloatArray, centre: FloatArray, spread: FloatArray) -> Surprise:
        away = error - centre
        expected = panel.values - away
        strange = windows.directed(np.abs(away) / spread, away, panel)
        return Surprise(strange, band=Band(expected, expected, expected, np.broadcast_to(spread, away.shape)), sides=1)

    def _usual(self, error: FloatArray, least: FloatArray, rows: int) -> tuple[FloatArray, FloatArray]:
        """Centre and spread of the `rows` errors before each row."""
        past = pl.DataFrame(error, schema=[str(i) for i in range(error.shape[1])], nan_to_null=True).shift(1)
        middle = past.select(pl.all().rolling_median(rows, min_samples=_LEAST_KNOWN))
        away = past.select(
            (pl.col(name) - middle[name]).abs().rolling_median(rows, min_samples=_LEAST_KNOWN) for name in past.columns
        )
        deviation = past.select(pl.all().rolling_std(rows, min_samples=_LEAST_KNOWN))
        centre, spread, burst = (f.fill_null(float("nan")).to_numpy() for f in (middle, away, deviation))
        return centre, np.fmax(np.fmax(spread * robust.MAD_TO_SIGMA, _BURSTS * burst), least)


def usual_rows(step_us: int) -> int:
    """How many of the newest errors say what is usual."""
    return int(np.clip(_DAYS * DAY_US // max(step_us, 1), _LEAST_ROWS, _MOST_ROWS))
