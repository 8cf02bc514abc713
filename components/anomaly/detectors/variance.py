"""How unusual the last hour's roughness is: bursts of noise, and series that have gone flat."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import polars as pl

from components.anomaly import residual, robust, windows
from components.anomaly.detector import Surprise
from components.anomaly.panel import FloatArray, Panel

#: A change of the log standard deviation by this much is not yet more than chance.
_LEAST = 0.05
#: Roughness below this share of the minimum effect is not told apart: a constant series is calm, not flat.
_CALM = 0.1


class Detector(residual.Detector):
    """The logarithm of the standard deviation of steps over an hour, against its usual value."""

    name: ClassVar[str] = "variance"
    calm: FloatArray

    @property
    def level_rows(self) -> int:
        return windows.rows_of_hours(1, self.step_us, 8, 60) + 1

    def learn(self, history: Panel) -> None:
        recent = windows.newest(history)
        self.calm = _CALM * windows.least_spread(recent, self.tuning.minimum_effect)
        self.least = np.full_like(self.calm, _LEAST)
        self.measure(self.error(recent))

    def error(self, panel: Panel) -> FloatArray:
        """The roughness itself; what is usual is taken from it as from any error."""
        steps = np.diff(windows.filled(panel.values), axis=0, prepend=np.nan)
        frame = pl.DataFrame(steps, schema=[str(i) for i in range(steps.shape[1])], nan_to_null=True)
        rolled = frame.select(pl.all().rolling_std(self.level_rows - 1, min_samples=3)).fill_null(float("nan"))
        rough = np.log(np.hypot(np.nan_to_num(rolled.to_numpy()), self.calm))
        result: FloatArray = np.where(np.isfinite(panel.values), rough, np.nan)
        return result

    def arrays(self) -> dict[str, Any]:
        return {"calm": self.calm, **super().arrays()}

    def restore(self, arrays: dict[str, Any]) -> None:
        super().restore(arrays)
        self.calm = arrays["calm"]

    def _surprise(self, panel: Panel, error: FloatArray, centre: FloatArray, spread: FloatArray) -> Surprise:
        (level,) = robust.trailing_quantiles(panel.values, self.level_rows, (0.5,))
        strange = windows.directed(np.abs(error - centre) / spread, panel.values - level, panel)
        return Surprise(strange, sides=1)
