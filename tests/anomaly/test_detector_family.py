"""Every detector there is, found by its file, keeps the same promises."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from components.anomaly import detectors
from components.anomaly.detector import Detector, Scores, Tuning
from components.anomaly.forestfile import read_forest, write_forest
from components.anomaly.panel import DAY_US, Panel
from components.core.arrays import write_arrays
from tests.anomaly.series import seasonal_panel, with_values

#: These import TensorFlow, which alone takes seconds.
SLOW = {"lstm_autoencoder", "voting"}
EVERY = [pytest.param(name, marks=pytest.mark.slow if name in SLOW else ()) for name in detectors.names()]
#: What is found within an hour of its beginning: three rows at thrice the level, and a level that stays there. A
#: forest learns a short spike of one column with what is around it, so that two in four windows look usual.
FINDS = {name: {"spike", "level shift"} for name in detectors.names()} | {"isolation_forest": {"level shift"}}
#: Share of the rows of a normal series that may be flagged; mean plus two standard deviations says so of one in twenty.
FLAGGED = {"half_space_trees": 0.002, "isolation_forest": 0.04, "voting": 0.1}

pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning")


def create(name: str, **tuning: float) -> Detector:
    return detectors.create(name, Tuning(**tuning))


def causal(name: str, panel: Panel, **tuning: float) -> Scores:
    return create(name, **tuning).score_causally(panel)


def spoilt(panel: Panel, change: Callable[[np.ndarray], None]) -> Panel:
    change(panel.values)
    return panel


def missing(values: np.ndarray) -> None:
    values[:, 0] = np.nan


def late(values: np.ndarray) -> None:
    values[:500, 0] = np.nan


def gappy(values: np.ndarray) -> None:
    values[400:420] = np.nan


def huge(values: np.ndarray) -> None:
    values[600] = 1e100


def halved(values: np.ndarray) -> None:
    values[:] = np.arange(len(values))[:, None] % 450


def without_a_day(panel: Panel) -> Panel:
    times = panel.times.copy()
    times[600:] += DAY_US
    return replace(panel, times=times)


AWKWARD: dict[str, Callable[[], Panel]] = {
    "no rows": lambda: seasonal_panel(1).rows(0, 0),
    "one row": lambda: seasonal_panel(1).rows(0, 1),
    "two points": lambda: seasonal_panel(1).rows(0, 2),
    "just enough rows": lambda: seasonal_panel(1).rows(0, 61),
    "a column without values": lambda: spoilt(seasonal_panel(3, columns=2), missing),
    "a column that appears half-way": lambda: spoilt(seasonal_panel(3, columns=2), late),
    "missing rows": lambda: spoilt(seasonal_panel(3, columns=2), gappy),
    "nothing at all": lambda: spoilt(seasonal_panel(3), missing),
    "a value beyond all others": lambda: spoilt(seasonal_panel(3), huge),
    "a counter that is reset": lambda: spoilt(seasonal_panel(3), halved),
    "a gap of a day": lambda: without_a_day(seasonal_panel(3)),
    "38 columns": lambda: seasonal_panel(2, columns=38),
}


@pytest.mark.parametrize("name", EVERY)
class TestEveryDetector:
    @pytest.mark.parametrize("case", AWKWARD)
    def test_scores_are_numbers_whatever_comes(self, name: str, case: str):
        panel = AWKWARD[case]()
        scores = causal(name, panel)
        for found in (scores.total, scores.columns):
            assert np.isfinite(found).all()
            assert (found >= 0).all()
        assert scores.columns.shape == panel.values.shape
        assert len(scores.total) == len(scores.abstained) == len(panel)

    def test_later_rows_change_nothing(self, name: str):
        panel = seasonal_panel(4, columns=2)
        panel.values[900:910] *= 3
        whole, part = causal(name, panel), causal(name, panel.rows(0, 905))
        for found in ("columns", "total", "abstained", "expected", "lower", "upper"):
            np.testing.assert_array_equal(getattr(part, found), getattr(whole, found)[:905], err_msg=found)

    def test_later_rows_do_not_move_the_least_scale(self, name: str):
        panel = seasonal_panel(4)
        values = 100 + np.random.default_rng(0).normal(0, 0.01, panel.values.shape)
        values[700:] *= 50
        calm = with_values(panel, values)
        np.testing.assert_array_equal(causal(name, calm.rows(0, 905)).total, causal(name, calm).total[:905])

    def test_same_input_and_seed_give_the_same_bytes(self, name: str):
        panel = seasonal_panel(3, columns=2)
        first, second = (causal(name, panel, seed=3) for _ in range(2))
        assert first.columns.tobytes() == second.columns.tobytes()
        assert first.total.tobytes() == second.total.tobytes()

    def test_what_was_learned_is_put_away_as_plain_arrays_and_taken_up(self, name: str, tmp_path: Path):
        panel = seasonal_panel(4, columns=2)
        panel.values[1100:1105] *= 3
        fitted, restored = create(name), create(name)
        fitted.fit(panel.rows(0, 864))
        write_arrays(tmp_path / "learned.npz", fitted.arrays())
        with np.load(tmp_path / "learned.npz", allow_pickle=False) as content:
            restored.restore({key: content[key] for key in content.files})
        if name == "isolation_forest":
            # The forest travels beside the arrays, as a skops file.
            write_forest(tmp_path / "forest.skops", fitted.forest)
            restored.forest = read_forest(tmp_path / "forest.skops")
        expected, found = fitted.score(panel.rows(600, 1152)), restored.score(panel.rows(600, 1152))
        assert expected.columns.max() > 0
        assert found.columns.tobytes() == expected.columns.tobytes()
        assert found.total.tobytes() == expected.total.tobytes()

    def test_nothing_is_said_before_the_minimum_history(self, name: str):
        panel = seasonal_panel(2)
        panel.values[100] = 1e6
        scores = causal(name, panel, minimum_history_h=24)
        assert scores.abstained[:288].all()
        assert not scores.abstained[288:].any()
        assert (scores.total[:288] == 0).all()

    @pytest.mark.parametrize("level", [0.0, 7.5, -1e9, 1e-9])
    def test_a_constant_series_is_never_anomalous(self, name: str, level: float):
        panel = seasonal_panel(2, columns=2)
        constant = with_values(panel, np.full_like(panel.values, level))
        assert causal(name, constant).total.max() <= 1

    def test_missing_values_score_nothing_new(self, name: str):
        panel = seasonal_panel(3)
        panel.values[600:620] = np.nan
        assert (causal(name, panel).total[603:620] <= 1).all()

    def test_a_column_without_values_hides_no_other(self, name: str):
        panel = seasonal_panel(4, columns=2)
        panel.values[:, 1] = np.nan
        panel.values[900:912, 0] *= 4
        scores = causal(name, panel)
        assert scores.total[900:912].max() > 1
        assert (scores.columns[:, 1] == 0).all()

    @pytest.mark.parametrize("kind", ["spike", "level shift"])
    def test_the_obvious_is_found(self, name: str, kind: str):
        panel = seasonal_panel(6)
        panel.values[1500 : 1503 if kind == "spike" else None] *= 3
        total = causal(name, panel).total
        assert (total[1500:1512] > 1).any() == (kind in FINDS[name])

    @pytest.mark.parametrize("columns", [1, 3])
    def test_nothing_wrong_is_left_alone(self, name: str, columns: int):
        total = causal(name, seasonal_panel(6, columns=columns, seed=5)).total
        assert (total > 1).mean() <= FLAGGED.get(name, 0.0)


def test_no_detector_imports_tensorflow_or_river_before_it_learns():
    program = (
        "import sys; from components.anomaly import detectors; from components.anomaly.detector import Tuning; "
        "[detectors.create(name, Tuning()) for name in detectors.names()]; "
        "print([name for name in ('tensorflow', 'keras', 'river') if name in sys.modules])"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert said.strip() == "[]"
