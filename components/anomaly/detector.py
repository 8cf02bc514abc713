"""The interface of every detector: learn from history, score causally, explain.

A detector implements `learn` and `surprise`; calibration, persistence and walking forward are shared.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np

from components.anomaly import calibration
from components.anomaly.panel import DAY_US, HOUR_US, BoolArray, FloatArray, Panel

#: The recent level is taken over this long, at least so many rows (a day of hourly ones) and at most so many.
LEVEL_HOURS, LEAST_LEVEL_ROWS, MOST_LEVEL_ROWS = 8, 24, 2000
#: Older history teaches nothing about how a service behaves today, and costs time.
MOST_HISTORY_US = 60 * DAY_US
#: Known rows before anything is said, of the series and of each of its columns; and rows that are learned from.
LEAST_ROWS, MOST_ROWS = 60, 20_000


@dataclass(frozen=True)
class Tuning:
    """What a user may turn; see DetectParams for bounds and meaning."""

    expected_false_events_per_week: float = 0.5
    persistence_needed: int = 2
    persistence_of: int = 3
    minimum_effect: float = 0.05
    minimum_history_h: float = 24.0
    seed: int = 0


@dataclass(frozen=True)
class Band:
    """What was expected, in the unit of the series; rows by columns.

    low, high: the tolerated interval around `expected`; spread: one robust standard deviation of the noise.
    """

    expected: FloatArray
    low: FloatArray
    high: FloatArray
    spread: FloatArray


@dataclass(frozen=True)
class Surprise:
    """How unusual each row is, before calibration.

    channels: rows by channels, larger is stranger, NaN where the detector abstains. With `shares` (rows by
    columns, the largest of a row 1) there is one channel for all columns together. With `sides` 1 there is one
    per column, with 2 the first half of the channels are the columns' rises and the second half their falls.
    `band` says what was expected.
    """

    channels: FloatArray
    shares: FloatArray | None = None
    band: Band | None = None
    sides: int = 2

    def per_column(self, calibrated: FloatArray) -> FloatArray:
        """Calibrated channels (rows by channels) folded to rows by columns."""
        if self.shares is not None:
            return calibrated[:, :1] * self.shares
        if self.sides == 1:
            return calibrated
        half = calibrated.shape[1] // 2
        return np.fmax(calibrated[:, :half], calibrated[:, half:])


@dataclass(frozen=True)
class Scores:
    """Rows by columns of scores (more than 1 is an anomaly; 0 where abstained) with the band to plot.

    total: one score per row for all columns together; abstained: rows on which nothing could be said;
    members: where several detectors vote, each one's share of what an anomaly takes, per row.
    """

    columns: FloatArray
    total: FloatArray
    abstained: BoolArray
    expected: FloatArray
    lower: FloatArray
    upper: FloatArray
    members: dict[str, FloatArray] = field(default_factory=dict)


@dataclass
class Detector(ABC):
    """Learns what is normal and scores what follows; higher scores are more anomalous."""

    tuning: Tuning
    step_us: int = 0
    limits: FloatArray = field(default_factory=lambda: np.empty(0))

    name: ClassVar[str]
    #: Walking forward, history is learned again when it has grown by this factor.
    growth: ClassVar[float] = 1.35
    #: … and at the latest after this long.
    most_wait_us: ClassVar[int] = 7 * DAY_US
    #: No threshold goes below this much surprise.
    least_threshold: ClassVar[float] = 4.0

    @abstractmethod
    def learn(self, history: Panel) -> None:
        """Learn what normal looks like; `step_us` is set before."""

    @abstractmethod
    def surprise(self, panel: Panel) -> Surprise:
        """How strange each row is, from what was learned and the `level_rows` rows before it."""

    @abstractmethod
    def arrays(self) -> dict[str, Any]:
        """What was learned, as plain arrays by name, for `restore`."""

    @abstractmethod
    def restore(self, arrays: dict[str, Any]) -> None:
        """Take up what `arrays` gave."""

    def common_arrays(self) -> dict[str, Any]:
        """What every detector keeps: thresholds and the distance of rows."""
        return {"limits": self.limits, "step_us": np.array(self.step_us)}

    def restore_common(self, arrays: dict[str, Any]) -> None:
        """Take up what `common_arrays` gave."""
        self.limits, self.step_us = arrays["limits"], int(arrays["step_us"])

    # --- shared ------------------------------------------------------------------------------------------

    @property
    def level_rows(self) -> int:
        """Rows of the trailing window that the recent level is taken from."""
        return int(np.clip(LEVEL_HOURS * HOUR_US // max(self.step_us, 1), LEAST_LEVEL_ROWS, MOST_LEVEL_ROWS))

    @property
    def context_rows(self) -> int:
        """Rows before a row that decide its score, beside what was learned."""
        return self.level_rows + self.tuning.persistence_of

    def fit(self, history: Panel) -> None:
        """Learn from all of history; thresholds come from walking forward through its newer half."""
        half, rest = len(history) // 2, len(history) * 3 // 4
        cuts = [half, rest] if half >= self.first_cut(history) else self._cuts(history)
        self._walk(history, cuts)
        self._learn(history)

    def score(self, panel: Panel) -> Scores:
        """Scores from what was fitted. The first `context_rows` rows lack their past: give them as context."""
        surprise = self.surprise(panel)
        return self.finish(surprise, self.calibrate(surprise), self.limits[None, :])

    def score_causally(self, panel: Panel) -> Scores:
        """Score every row with what was known before it; rows before the minimum history are abstained from."""
        surprise, limits, calibrated = self.walk(panel)
        return self.finish(surprise, calibrated, limits)

    def strangeness(self, panel: Panel, cuts: list[int]) -> Surprise:
        """Surprise of each row by what was learned before it; up to the first cut by history itself. No thresholds.

        Between `cuts` the detector learns again where its own `most_wait_us` asks for it.
        """
        return _join(list(self._pieces(panel, self._all_cuts(panel, cuts))))

    def settle(self, history: Panel, cuts: list[int]) -> Surprise:
        """`strangeness` of history, after which all of history is learned."""
        found = self.strangeness(history, cuts)
        self._learn(history)
        return found

    def walk(self, panel: Panel) -> tuple[Surprise, FloatArray, FloatArray]:
        """What `score_causally` rests on: surprise, thresholds in force, calibrated scores before persistence."""
        surprise, limits = self._walk(panel, self._cuts(panel))
        with np.errstate(invalid="ignore"):
            return surprise, limits, surprise.per_column(surprise.channels / limits)

    def calibrate(self, surprise: Surprise) -> FloatArray:
        """Scores before persistence, rows by columns; NaN where abstained."""
        with np.errstate(invalid="ignore"):
            return surprise.per_column(surprise.channels / self.limits)

    def finish(self, surprise: Surprise, calibrated: FloatArray, limits: FloatArray) -> Scores:
        """Apply persistence to calibrated scores and lay out the band; `limits` are rows (or 1) by channels."""
        columns = calibration.persistent(calibrated, self.tuning.persistence_needed, self.tuning.persistence_of)
        expected, lower, upper = _band(surprise.band, limits, calibrated.shape)
        abstained = np.isfinite(calibrated).sum(axis=1) == 0
        return Scores(columns, columns.max(axis=1, initial=0.0), abstained, expected, lower, upper)

    # --- below -------------------------------------------------------------------------------------------

    def _learn(self, history: Panel) -> None:
        oldest = int(np.searchsorted(history.times, history.times[-1] - MOST_HISTORY_US))
        recent = history.rows(oldest, len(history))
        self.step_us = recent.step_us()
        self.learn(recent)

    def _walk(self, panel: Panel, cuts: list[int]) -> tuple[Surprise, FloatArray]:
        """Surprise of each row by what was learned before it, and the thresholds in force (rows by channels).

        The cuts depend only on the rows before them, so later rows change nothing. Leaves the last
        thresholds in `limits`.
        """
        if not cuts:
            return self._silence(panel)
        pieces: list[Surprise] = []
        limits: list[FloatArray] = []
        for piece in self._pieces(panel, cuts):
            if pieces:
                self.set_limits(panel, np.vstack([before.channels for before in pieces]))
                limits.append(np.tile(self.limits, (len(piece.channels), 1)))
            pieces.append(piece)
        self.set_limits(
            panel, np.vstack([piece.channels for piece in pieces[1:] if len(piece.channels)] or [pieces[0].channels])
        )
        joined = _join(pieces)
        joined.channels[: cuts[0]] = np.nan
        return joined, np.vstack([np.tile(limits[0][:1], (cuts[0], 1)), *limits])

    def _pieces(self, panel: Panel, cuts: list[int]) -> Iterator[Surprise]:
        """Surprise of the rows before the first cut by themselves, then of each stretch by what lies before it."""
        for part, start in self._stretches(panel, cuts):
            yield _tail_of(self.surprise(part), start)

    def _stretches(self, panel: Panel, cuts: list[int]) -> Iterator[tuple[Panel, int]]:
        """Rows with the context before them, and where in them the stretch begins; learned is what lies before."""
        for start, end in zip(cuts, [*cuts[1:], len(panel)], strict=True):
            self._learn(panel.rows(0, start))
            if start == cuts[0]:
                # Nothing was scored yet: history by itself is the only measure of what is usual.
                yield panel.rows(0, start), 0
            context = max(0, start - self.context_rows)
            yield _speakable(panel.rows(context, end), panel.values[:start]), start - context

    def _all_cuts(self, panel: Panel, cuts: list[int]) -> list[int]:
        return sorted({*self._cuts(panel, cuts[0]), *cuts})

    def set_limits(self, panel: Panel, seen: FloatArray) -> None:
        """Put the thresholds where the surprise seen so far (rows by channels) says."""
        seen = seen[-int(max(MOST_HISTORY_US // self.step_us, 1)) :]
        rates = self._rates(panel, seen.shape[1])
        self.limits = calibration.thresholds(seen, rates, self.step_us, self.least_threshold)

    def _rates(self, panel: Panel, channels: int) -> FloatArray:
        """False rows a week that each channel may raise, so that the columns together keep to the knob's."""
        per_series = self.tuning.expected_false_events_per_week
        if channels == 1:
            return np.full(1, per_series * panel.values.shape[1])
        if channels == panel.values.shape[1]:
            return np.full(channels, per_series)
        sides = np.maximum(panel.rises.astype(float) + panel.falls, 1.0)
        return np.tile(per_series / sides, 2)

    def _cuts(self, panel: Panel, first: int | None = None) -> list[int]:
        """Rows at which to learn again: first at the minimum history, then as it grows."""
        if len(panel) < 2:
            return []
        first = first or self.first_cut(panel)
        cuts = []
        while first < len(panel):
            cuts.append(first)
            known = panel.times[first] - panel.times[0]
            due = panel.times[first] + np.clip(known * (self.growth - 1), HOUR_US, self.most_wait_us)
            first = max(int(np.searchsorted(panel.times, due)), first + 50)
        return cuts

    def first_cut(self, panel: Panel) -> int:
        """The row before which the detector abstains: the minimum history or a thousand rows, at least LEAST_ROWS."""
        enough = panel.times[0] + self.tuning.minimum_history_h * HOUR_US
        return max(LEAST_ROWS, min(int(np.searchsorted(panel.times, enough)), 1000))

    def _silence(self, panel: Panel) -> tuple[Surprise, FloatArray]:
        shape = panel.values.shape
        nothing = np.full(shape, np.nan)
        self.limits = np.full(2 * shape[1], self.least_threshold)
        band = Band(nothing, nothing, nothing, nothing)
        return Surprise(np.tile(nothing, (1, 2)), band=band), np.tile(self.limits, (len(panel), 1))


def _speakable(panel: Panel, history: FloatArray) -> Panel:
    """The panel without the values of columns that history lacks or has for less than half of what is learned from.

    Before a column's first value detectors see a constant; by that all of its own behaviour would be strange.
    """
    known = np.isfinite(history)
    rows = len(history) - known.argmax(axis=0)
    spoken = (known.sum(axis=0) >= LEAST_ROWS) & (rows >= min(len(history), MOST_ROWS) / 2)
    return panel if spoken.all() else replace(panel, values=np.where(spoken, panel.values, np.nan))


def _band(band: Band | None, limits: FloatArray, shape: tuple[int, ...]) -> tuple[FloatArray, FloatArray, FloatArray]:
    if band is None:
        unknown = np.full(shape, np.nan)
        return unknown, unknown, unknown
    # One limit per column holds for both sides.
    rise, fall = limits[:, : shape[1]], limits[:, -shape[1] :]
    return band.expected, band.low - band.spread * fall, band.high + band.spread * rise


def _tail_of(surprise: Surprise, start: int) -> Surprise:
    band = surprise.band
    kept = Band(band.expected[start:], band.low[start:], band.high[start:], band.spread[start:]) if band else None
    shares = surprise.shares[start:] if surprise.shares is not None else None
    return Surprise(surprise.channels[start:], shares, kept, surprise.sides)


def _join(pieces: list[Surprise]) -> Surprise:
    bands = [piece.band for piece in pieces if piece.band]
    shares = [piece.shares for piece in pieces if piece.shares is not None]
    band = None
    if bands:
        parts = (np.vstack([getattr(b, name) for b in bands]) for name in ("expected", "low", "high", "spread"))
        band = Band(*parts)
    channels = np.vstack([piece.channels for piece in pieces])
    return Surprise(channels, np.vstack(shares) if shares else None, band, pieces[0].sides)
