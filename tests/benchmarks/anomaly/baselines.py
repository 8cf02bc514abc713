"""What Traceo's detectors have to beat: textbook detectors, written as plainly as their sources have them.

Each takes times (microseconds) and values (rows by columns, gaps filled with the value before) and gives one score per
row, larger is stranger; all are causal. Columns are scored alone and averaged where the method knows one column only.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import polars as pl
from numpy.lib.stride_tricks import sliding_window_view

from tests.benchmarks.anomaly.alarms import refits
from tests.benchmarks.anomaly.curves import Scores
from tests.benchmarks.anomaly.events import Times

Values = npt.NDArray[np.float64]
Baseline = Callable[[Times, Values], Scores]

_DAY_US = 24 * 3600 * 1_000_000
#: NAB's windowed Gaussian looks back on so many rows.
_GAUSSIAN_ROWS = 6_400
#: PCA: rows of one column's windows, the most it learns from, and the least variance of a component to the largest's.
_WINDOW, _MOST_ROWS, _LEAST_VARIANCE = 32, 20_000, 1e-3
#: Spectral residual (Ren et al., KDD 2019): rows of a window, of the average of the log spectrum and of the saliency
#: map, points extrapolated and rows their gradient is taken from.
_SPECTRAL_ROWS, _SPECTRUM_MEAN, _SALIENCY_ROWS, _EXTRAPOLATED = 64, 3, 21, 5
#: Polynomial residual: rows a parabola is drawn through, and rows its errors are measured over.
_PARABOLA_ROWS, _ERROR_ROWS = 24, 2_000
#: A robust spread is at least this share of the standard deviation; no score of one column is higher than the second.
_LEAST_SPREAD, _MOST = 0.1, 100.0
#: Rows before a trailing quantile says something; windows handled at once.
_FEWEST, _BLOCK = 20, 20_000


def random(times: Times, values: Values) -> Scores:
    """Knows nothing: what any measure gives away for free."""
    return np.random.default_rng(0).random(len(times))


def windowed_gaussian(times: Times, values: Values) -> Scores:
    """Distance to the mean of the last 6,400 rows in standard deviations (NAB's windowed Gaussian)."""

    def score(column: Scores) -> Scores:
        past = _before(column)
        spread = _rolling(past, "std", _GAUSSIAN_ROWS)
        return _ratio(np.abs(column - _rolling(past, "mean", _GAUSSIAN_ROWS)), spread)

    return _mean_of_columns(values, score)


def robust_z(times: Times, values: Values) -> Scores:
    """Distance to the last day's median in median absolute deviations."""
    rows = _rows_per(times, _DAY_US)
    return _mean_of_columns(values, lambda column: _robust_distance(column, rows))


def polynomial(times: Times, values: Values) -> Scores:
    """Error of a parabola through the last 24 rows, in robust standard deviations of such errors."""
    fit = np.linalg.pinv(np.vander(np.arange(_PARABOLA_ROWS) / _PARABOLA_ROWS, 3))
    forecast = (np.vander([1.0], 3) @ fit)[0]

    def score(column: Scores) -> Scores:
        windows = sliding_window_view(np.append(np.full(_PARABOLA_ROWS, column[0]), column[:-1]), _PARABOLA_ROWS)
        return _robust_distance(column - windows @ forecast, _ERROR_ROWS)

    return _mean_of_columns(values, score)


def spectral_residual(times: Times, values: Values) -> Scores:
    """How salient the newest row is in the last 64 after its log spectrum's average is taken away."""
    return _mean_of_columns(values, _saliency)


def pca(times: Times, values: Values) -> Scores:
    """Distance to history's centre along its principal components, each in its own standard deviation.

    Of rows where there are several columns, of windows of one column.
    """
    rows = values
    if values.shape[1] == 1:
        rows = sliding_window_view(np.append(np.full(_WINDOW - 1, values[0, 0]), values[:, 0]), _WINDOW)
    scores = np.zeros(len(values))
    for start, end in refits(times):
        known = rows[max(0, start - _MOST_ROWS) : start]
        centre, spread = np.median(known, axis=0), np.maximum(known.std(axis=0), 1e-9)
        _, sizes, components = np.linalg.svd((known - centre) / spread, full_matrices=False)
        variances = np.maximum(sizes**2 / len(known), max(_LEAST_VARIANCE * sizes[0] ** 2 / len(known), 1e-12))
        away = np.clip((rows[start:end] - centre) / spread, -_MOST, _MOST) @ components.T
        scores[start:end] = np.sqrt(np.mean(away**2 / variances, axis=1))
    return scores


#: Textbook methods keep names of their own: a detector of ours with the same idea must not stand for them.
BASELINES: dict[str, Baseline] = {
    "random": random,
    "windowed_gaussian": windowed_gaussian,
    "robust_z": robust_z,
    "textbook_polynomial": polynomial,
    "textbook_spectral_residual": spectral_residual,
    "textbook_pca": pca,
}


def _saliency(column: Scores) -> Scores:
    scores = np.zeros(len(column))
    for start in range(0, len(column), _BLOCK):
        padded = np.append(np.full(_SPECTRAL_ROWS - 1, column[0]), column)
        windows = sliding_window_view(padded, _SPECTRAL_ROWS)[start : start + _BLOCK]
        gradients = (windows[:, -1:] - windows[:, -_EXTRAPOLATED - 1 : -1]) / np.arange(_EXTRAPOLATED, 0, -1)
        ahead = windows[:, -_EXTRAPOLATED : -_EXTRAPOLATED + 1] + gradients.mean(1, keepdims=True) * _EXTRAPOLATED
        spectrum = np.fft.fft(np.hstack([windows, np.repeat(ahead, _EXTRAPOLATED, axis=1)]), axis=1)
        size = np.abs(spectrum) + 1e-8
        logs = np.log(size)
        usual = sum(np.roll(logs, shift, axis=1) for shift in (-1, 0, 1)) / _SPECTRUM_MEAN
        saliency = np.abs(np.fft.ifft(spectrum / size * np.exp(logs - usual), axis=1))
        newest = _SPECTRAL_ROWS - 1
        mean = saliency[:, newest - _SALIENCY_ROWS : newest].mean(axis=1)
        scores[start : start + _BLOCK] = _ratio(saliency[:, newest] - mean, mean)
    return scores


def _robust_distance(column: Scores, rows: int) -> Scores:
    """Distance of each value to the median of the `rows` before it, in their median absolute deviations."""
    past = _before(column)
    usual = _rolling(past, "median", rows)
    deviation = 1.4826 * _rolling(np.abs(past - usual), "median", rows)
    return _ratio(np.abs(column - usual), np.fmax(deviation, _LEAST_SPREAD * _rolling(past, "std", rows)))


def _ratio(distance: Scores, spread: Scores) -> Scores:
    """Distance by spread, so far as that says something: a column that stood still must not drown the others."""
    return np.clip(np.nan_to_num(distance / np.fmax(spread, 1e-12), nan=0.0), 0.0, _MOST)


def _before(column: Scores) -> Scores:
    return np.append(np.nan, column[:-1])


def _rolling(column: Scores, statistic: str, rows: int) -> Scores:
    series = pl.Series(column, nan_to_null=True)
    fewest = min(_FEWEST, rows)
    return getattr(series, f"rolling_{statistic}")(rows, min_samples=fewest).cast(pl.Float64).to_numpy().astype(float)


def _mean_of_columns(values: Values, score: Callable[[Scores], Scores]) -> Scores:
    return np.mean([score(np.ascontiguousarray(values[:, i])) for i in range(values.shape[1])], axis=0)


def _rows_per(times: Times, span_us: int) -> int:
    step = float(np.median(np.diff(times[:1000]))) if len(times) > 1 else float(span_us)
    return int(np.clip(span_us / max(step, 1.0), 24, 2_000))
