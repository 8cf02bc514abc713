"""Series that grow and are reset (log rotation, garbage collection): their peaks matter, not their slope."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from components.forecasting.series import BoolArray, FloatArray

#: Resets needed to call it a pattern.
MIN_RESETS = 3
#: A reset falls this many times further within two steps than all but 2 % of the rises.
RESET_RATIO = 2.5
#: Resets make up at least this share of all that the series ever fell: the rest is noise.
RESET_SHARE = 0.4
#: The pattern counts as broken when the growth since the last reset has lasted this many times its longest cycle,
BROKEN_AGE = 1.5
#: or stands this many standard deviations above the line of its peaks.
BROKEN_SIGMAS = 4.0
#: and for at least this many steps.
MIN_AGE = 4
#: Peaks bound what stands no more than this share of their height above them.
ABOVE = 0.05
#: The line of the peaks is that of their newer half, of at least this many.
LINE_PEAKS = 6


@dataclass(frozen=True)
class Sawtooth:
    """The cycles of a series.

    resets: index of each peak before a fall. peaks: the values there. lengths: steps from reset to reset.
    slope: of the newer peaks, per step, shrunk by its noise; slope_error: its standard error.
    """

    resets: FloatArray
    peaks: FloatArray
    lengths: FloatArray
    slope: float
    slope_error: float
    age: int
    last: float

    @property
    def residuals(self) -> FloatArray:
        rest: FloatArray = self.peaks - self.slope * self.resets
        return rest - np.median(rest)

    def peak_at(self, step: FloatArray) -> FloatArray:
        """The line of peaks at an index of the history (or past its end)."""
        line: FloatArray = float(np.median(self.peaks - self.slope * self.resets)) + self.slope * step
        return line

    @property
    def broken(self) -> bool:
        """Whether the newest growth no longer follows the pattern (the rotation has stopped working)."""
        now = float(self.resets[-1] + self.age)
        height = float(np.ptp(self.peaks)) * 0.05 + BROKEN_SIGMAS * float(np.std(self.residuals))
        outgrown = self.last > float(self.peak_at(np.array(now))) + height + 1e-9 * abs(self.last)
        return self.age > BROKEN_AGE * float(self.lengths.max()) or outgrown

    def bounds(self, values: FloatArray) -> bool:
        """Whether values, of other times too, never stood above the peaks: they are all there is to the series."""
        highest = float(self.peaks.max())
        return float(values.max()) <= highest + ABOVE * (highest - float(values.min()))


def detect(values: FloatArray) -> Sawtooth | None:
    """The sawtooth of a series (rising, then falling suddenly); None where there is none."""
    if len(values) < 12:
        return None
    resets = _resets(values)
    if len(resets) < MIN_RESETS:
        return None
    lengths = np.diff(resets).astype(float)
    peaks = values[resets]
    slope, error = _line(resets.astype(float), peaks)
    return Sawtooth(
        resets.astype(float), peaks, lengths, slope, error, int(len(values) - 1 - resets[-1]), float(values[-1])
    )


def goes_on(values: FloatArray) -> bool:
    """Whether there is a sawtooth whose newest cycle is like the others."""
    found = detect(values)
    return found is not None and not (found.broken and found.age >= MIN_AGE)


def _resets(values: FloatArray) -> NDArray[np.intp]:
    change = values[2:] - values[:-2]
    rise = float(np.quantile(np.maximum(change, 0.0), 0.98))
    falls: BoolArray = -change > max(RESET_RATIO * rise, 1e-12)
    starts: NDArray[np.intp] = np.nonzero(falls)[0]
    if not len(starts):
        return starts
    # Neighbouring steps of one fall are one reset: it starts at the highest of them.
    groups = np.split(starts, np.nonzero(np.diff(starts) > 2)[0] + 1)
    peaks: NDArray[np.intp] = np.array(
        [group[0] + int(np.argmax(values[group[0] : group[-1] + 2])) for group in groups]
    )
    troughs = np.array([values[peak : peak + 4].min() for peak in peaks])
    # A spike rises as suddenly as it falls; a sawtooth stood near its peak two steps before.
    gradual = values[np.maximum(peaks - 2, 0)] >= (values[peaks] + troughs) / 2
    peaks, troughs = peaks[gradual], troughs[gradual]
    fallen = float(np.maximum(-np.diff(values), 0.0).sum())
    if float((values[peaks] - troughs).sum()) < RESET_SHARE * fallen:
        return starts[:0]
    return peaks


def _line(at: FloatArray, peaks: FloatArray) -> tuple[float, float]:
    """Theil-Sen slope of the newest peaks, shrunk by its standard error, and that error."""
    newest = max(LINE_PEAKS, len(at) // 2)
    at, peaks = at[-newest:], peaks[-newest:]
    i, j = np.triu_indices(len(at), 1)
    slope = float(np.median((peaks[j] - peaks[i]) / (at[j] - at[i])))
    rest = peaks - slope * at
    spread = float(np.sum((at - at.mean()) ** 2))
    error = float(np.std(rest)) / np.sqrt(spread) * np.sqrt(len(at) / max(len(at) - 2, 1))
    return slope * max(0.0, 1.0 - (error / slope) ** 2) if slope else 0.0, error


def peak_hits(saw: Sawtooth, limit: float, horizon: int, paths: int, rng: np.random.Generator) -> FloatArray:
    """Steps until a peak of the continued pattern first reaches the limit, per path; infinity past the horizon."""
    cycles = max(1, int(np.ceil((horizon + saw.age) / saw.lengths.min())) + 1)
    lengths = rng.choice(saw.lengths, (paths, cycles))
    # The present cycle is cut to what is left of it: at least one step.
    lengths[:, 0] = np.maximum(lengths[:, 0] - saw.age, 1.0)
    ahead = np.cumsum(lengths, axis=1)
    now = saw.resets[-1] + saw.age
    rest = saw.residuals
    # A smoothed bootstrap: the next peak may stand a little above every one seen.
    noise = rng.choice(rest, (paths, cycles)) + rng.normal(0.0, 0.5 * float(np.std(rest)), (paths, cycles))
    tilt = rng.normal(0.0, saw.slope_error, (paths, 1)) * ahead
    reached = (saw.peak_at(now + ahead) + noise + tilt >= limit) & (ahead <= horizon)
    first: FloatArray = np.where(reached, ahead, np.inf).min(axis=1)
    return first


def growth_hits(
    values: FloatArray, limit: float, horizon: int, paths: int, day: int, rng: np.random.Generator
) -> FloatArray:
    """Steps until uninterrupted growth like that of `values` first reaches the limit, per path."""
    block = max(1, min(day // 4, len(values) // 2))
    gains = values[block:] - values[:-block]
    count = int(np.ceil(horizon / block))
    levels = values[-1] + np.cumsum(rng.choice(gains, (paths, count)), axis=1)
    reached = levels >= limit
    first: FloatArray = np.where(reached.any(axis=1), (reached.argmax(axis=1) + 1.0) * block, np.inf)
    first[first > horizon] = np.inf
    return first
