"""Isolation Forest over the recent shape of one series, or over all columns of a row together."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from sklearn.ensemble import IsolationForest

from components.anomaly import detector, robust
from components.anomaly.detector import Surprise
from components.anomaly.panel import DAY_US, FloatArray, Panel

#: Rows of a sub-sequence where there is one column.
SUBSEQUENCE = 8
_TREES, _SAMPLES = 100, 256
#: More rows than this teach a forest of 256-row trees nothing new.
_MOST_ROWS = 20_000
_EXTREME = 20.0
#: The threshold's highest place between the usual and the reachable surprise.
_REACH = 0.9
#: … and where it is not lowered further: at what all but one row in a thousand stayed below.
_RARE = 0.999


class Detector(detector.Detector):
    """How early a random partition isolates a row from history's rows.

    One column: sub-sequences of distances to the recent level. Several: each column's level and distance.
    `centre` and `spread` scale the columns; `usual`, `width` the forest's scores; `reachable` is the surprise
    at one wildly deviating column.
    """

    name: ClassVar[str] = "isolation_forest"
    growth: ClassVar[float] = 2.0
    most_wait_us: ClassVar[int] = 28 * DAY_US
    forest: IsolationForest | None
    centre: FloatArray
    spread: FloatArray
    distance: FloatArray
    usual: float
    width: float
    reachable: float

    def learn(self, history: Panel) -> None:
        self.centre = np.nan_to_num(robust.median(history.values))
        away = history.values - self.centre
        self.spread = self._scale(away, history)
        (level,) = robust.trailing_quantiles(history.values, self.level_rows, (0.5,))
        self.distance = self._scale(history.values - level, history)
        features = self._features(history)[0]
        known = features[np.isfinite(history.values).any(axis=1)]
        self.forest, self.usual, self.width, self.reachable = None, 0.0, 1.0, np.inf
        if len(known) < SUBSEQUENCE:
            return
        kept = known[np.linspace(0, len(known) - 1, min(len(known), _MOST_ROWS)).astype(int)]
        samples = min(_SAMPLES, len(kept))
        self.forest = IsolationForest(n_estimators=_TREES, max_samples=samples, random_state=self.tuning.seed)
        self.forest.fit(kept)
        strange = self._strange(kept[-4 * _TREES * SUBSEQUENCE :])
        self.usual = float(np.median(strange))
        self.width = max(float(np.median(np.abs(strange - self.usual))) * robust.MAD_TO_SIGMA, 0.01)
        self.reachable = self._reachable(kept.shape[1])

    def surprise(self, panel: Panel) -> Surprise:
        features, distance = self._features(panel)
        known = np.isfinite(panel.values).any(axis=1)
        result = np.full((len(panel), 1), np.nan)
        if self.forest is not None and known.any():
            result[known, 0] = np.maximum(self._strange(features[known]) - self.usual, 0) / self.width
        far = np.abs(distance)
        shares = far / np.maximum(far.max(axis=1, keepdims=True), 1e-12)
        shares[far.max(axis=1) <= 0] = 1.0
        return Surprise(result, shares=shares)

    def arrays(self) -> dict[str, Any]:
        """What was learned but the forest itself, which `forest` holds."""
        numbers = {name: np.array(getattr(self, name)) for name in ("usual", "width", "reachable", "step_us")}
        return {
            "centre": self.centre,
            "spread": self.spread,
            "distance": self.distance,
            "limits": self.limits,
            **numbers,
        }

    def restore(self, arrays: dict[str, Any]) -> None:
        self.centre, self.spread, self.distance = arrays["centre"], arrays["spread"], arrays["distance"]
        self.limits, self.step_us = arrays["limits"], int(arrays["step_us"])
        self.usual, self.width, self.reachable = (float(arrays[name]) for name in ("usual", "width", "reachable"))

    def set_limits(self, panel: Panel, seen: FloatArray) -> None:
        """A forest's scores are bounded: a threshold beyond them would never be crossed.

        Among many columns one alone moves them little, less than chance: no threshold is lowered to what is usual.
        """
        super().set_limits(panel, seen)
        self.limits = np.fmin(self.limits, np.fmax(_REACH * self.reachable, robust.quantile(seen, _RARE)))

    def _reachable(self, features: int) -> float:
        """The median surprise over rows of which one column deviates as far as features can."""
        columns = 1 if features == SUBSEQUENCE + 1 else features // 2
        rows = np.zeros((2 * columns, features))
        for column in range(columns):
            own = slice(None) if columns == 1 else [column, columns + column]
            rows[2 * column, own], rows[2 * column + 1, own] = _EXTREME, -_EXTREME
        return max((float(np.median(self._strange(rows))) - self.usual) / self.width, 1e-6)

    @property
    def context_rows(self) -> int:
        return super().context_rows + SUBSEQUENCE

    def _features(self, panel: Panel) -> tuple[FloatArray, FloatArray]:
        """Features of each row and the scaled distance of each column from its recent level, missing as 0."""
        (level,) = robust.trailing_quantiles(panel.values, self.level_rows, (0.5,))
        distance = _bounded((panel.values - level) / self.distance)
        height = _bounded((panel.values - self.centre) / self.spread)
        if panel.values.shape[1] > 1:
            return np.hstack([height, distance]), distance
        lags = [np.vstack([np.zeros((lag, 1)), distance])[: len(panel)] for lag in range(SUBSEQUENCE)]
        return np.hstack([height, *lags]), distance

    def _scale(self, away: FloatArray, history: Panel) -> FloatArray:
        """Robust deviation of each column, not below the minimum effect."""
        least = self.tuning.minimum_effect * np.fmax(np.abs(self.centre), history.usual) / self.least_threshold
        spread = np.nan_to_num(robust.median(np.abs(away))) * robust.MAD_TO_SIGMA
        result: FloatArray = np.maximum.reduce([spread, least, np.full_like(least, 1e-9)])
        return result

    def _strange(self, features: FloatArray) -> FloatArray:
        assert self.forest is not None
        strange: FloatArray = -self.forest.score_samples(features)
        return strange


def _bounded(scaled: FloatArray) -> FloatArray:
    return np.clip(np.nan_to_num(scaled, nan=0.0), -_EXTREME, _EXTREME)
