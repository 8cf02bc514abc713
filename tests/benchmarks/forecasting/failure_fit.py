"""Fit the maps of `components.forecasting.outlook` on series that the benchmark does not score; print them.

Made-up series of other seeds and the real sets that are not scored. Each pattern's map is a logistic regression over
all horizons, its views' weights not negative, drawn by a weak penalty to where all views count alike.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import polars as pl
from scipy.optimize import minimize

from components.forecasting import risk
from components.forecasting.outlook import Outlook
from components.forecasting.risk import HORIZONS_H
from components.forecasting.series import FloatArray
from tests.benchmarks.anomaly import sets as labelled
from tests.benchmarks.forecasting import crossings, sets, simulator
from tests.benchmarks.forecasting.failure_case import Case
from tests.benchmarks.forecasting.failure_runs import ask, over

SEEDS, PER_SET = range(1, 5), 80
SETS = ("aiops_kpi", "azure_vmnoise", "dc_traces", "prometheus")
LABELLED_SETS = ("interfusion_asd", "interfusion_smd", "nab", "ms_cloud_monitoring")
PENALTY = 1.0
#: Weight of a real case whose crossing was sought: in life crossings are rarer.
SOUGHT = 0.25


def cases(data: Path) -> list[Case]:
    """Every case of the tuning seeds and sets."""
    found = [*simulator.cases(SEEDS), *crossings.cases(data, PER_SET, SETS)]
    for name in LABELLED_SETS:
        found += crossings.of_set(list(_labelled(data, name)), PER_SET)
    return found


def views(case: Case) -> Outlook | None:
    """What the risk sees of a case."""
    asked = ask(case)
    return risk.look(asked.history, asked.fan, case.limit, case.direction, asked.recent)


def fit(found: Sequence[tuple[Case, Outlook | None]]) -> dict[str, tuple[float, ...]]:
    """The map of every pattern that occurs."""
    patterns = sorted({seen.pattern for _, seen in found if seen is not None})
    of = {pattern: [(c, s) for c, s in found if s is not None and s.pattern == pattern] for pattern in patterns}
    return {pattern: _fit_one(members) for pattern, members in of.items()}


def _fit_one(found: Sequence[tuple[Case, Outlook]]) -> tuple[float, ...]:
    rows, truth, counts = [], [], []
    for case, seen in found:
        features = seen.features()
        for hours in HORIZONS_H:
            crossed = case.crossed(hours)
            if crossed is not None:
                rows.append(features[:, hours - 1])
                truth.append(float(crossed))
                counts.append(SOUGHT if case.sought else 1.0)
    x, y, w = np.array(rows), np.array(truth), np.array(counts)
    count = x.shape[1] - 2
    prior = np.array([0.0, 0.0, *[1.0 / count] * count])

    def loss(weights: FloatArray) -> tuple[float, FloatArray]:
        odds = x @ weights
        gap = 1.0 / (1.0 + np.exp(-odds)) - y
        value = float(np.sum(w * (np.logaddexp(0, odds) - y * odds)) + PENALTY * np.sum((weights - prior) ** 2))
        return value, x.T @ (w * gap) + 2 * PENALTY * (weights - prior)

    bounds = [(None, None)] * 2 + [(0.0, None)] * count
    best = minimize(loss, prior, jac=True, bounds=bounds, method="L-BFGS-B").x
    return tuple(round(float(weight), 3) for weight in best)


def _labelled(data: Path, name: str) -> Iterator[sets.Series]:
    for one in labelled.load(data, [name]):
        frame = one.scored if one.history is None else pl.concat([one.history, one.scored])
        for column in frame.columns[1:]:
            yield sets.hourly(name, f"{one.name}-{column}", frame["timestamp"], frame[column].to_numpy())


def main() -> None:
    found = cases(Path(os.environ["TRACEO_BENCH_DATA"]))
    seen = over(views, found, workers=2)
    for pattern, weights in fit(list(zip(found, seen, strict=True))).items():
        print(f"{pattern:10} {sum(s is not None and s.pattern == pattern for s in seen):5} cases  {weights}")


if __name__ == "__main__":
    main()
