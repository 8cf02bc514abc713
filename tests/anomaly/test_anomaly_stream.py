"""Scoring row by row: the same as scoring at once, bounded, resumable, and calm about rows that come badly."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from components.anomaly import detectors, streamfile
from components.anomaly.detector import Tuning
from components.anomaly.panel import Panel
from components.anomaly.stream import PORTION, Stream
from components.core.errors import InputError
from tests.anomaly.series import STEP_US, seasonal_panel, with_values

#: Those that take seconds a row by row.
DEAR = ("half_space_trees", "isolation_forest", "lstm_autoencoder", "voting")
NAMES = [pytest.param(name, marks=pytest.mark.slow if name in DEAR else ()) for name in detectors.names()]


def broken(days: int, columns: int = 2) -> Panel:
    """A panel with an outage, single gaps, an hour without any value and a column that begins late."""
    panel = seasonal_panel(days, columns=columns)
    panel.values[700:712, 0] *= 3
    panel.values[640:900:37, -1] = np.nan
    panel.values[760:772] = np.nan
    panel.values[:50, -1] = np.nan
    return panel


def run(stream: Stream, panel: Panel, start: int = 0, end: int | None = None) -> np.ndarray:
    """Scores of the rows from `start` on, rows by columns."""
    found = []
    for time_us, values in zip(panel.times[start:end], panel.values[start:end], strict=True):
        row = stream.update(int(time_us), values)
        assert row is not None
        found.append(row.scores)
    return np.array(found)


@pytest.mark.parametrize("name", NAMES)
def test_a_rows_score_is_that_of_scoring_all_at_once(name: str) -> None:
    panel = broken(4)
    fitted = detectors.create(name, Tuning())
    fitted.fit(panel.rows(0, 690))
    at_once = fitted.score(panel).columns[690:780]
    by_row = run(Stream(fitted, Tuning(), panel.rows(0, 690)), panel, 690, 780)
    np.testing.assert_allclose(by_row, at_once, rtol=1e-9, atol=1e-12)
    # The outage shows, to some detectors more than to others.
    assert at_once.max() > 0.9


@pytest.mark.parametrize(
    ("name", "joint"), [("auto", False), ("seasonal", False), ("subsequence_pca", False), ("pca", True)]
)
def test_detectors_that_judge_columns_together_are_not_fitted_in_portions(name: str, joint: bool) -> None:
    panel = seasonal_panel(1, columns=PORTION + 1)
    assert len(Stream(name, Tuning(), panel).portions) == (1 if joint else 2)


def test_after_the_fit_of_its_own_it_scores_as_the_detector_fitted_on_the_same_rows() -> None:
    panel = seasonal_panel(3, columns=PORTION + 1)
    panel.values[300:306, [0, -1]] *= 3
    by_row = run(Stream("auto", Tuning(), panel.rows(0, 0), step_us=STEP_US), panel, 0, 310)
    fitted = detectors.create("auto", Tuning())
    fitted.fit(panel.rows(0, 289))
    np.testing.assert_array_equal(by_row[:289], 0)
    np.testing.assert_allclose(by_row[289:], fitted.score(panel.rows(0, 310)).columns[289:], rtol=1e-6, atol=1e-9)
    assert (by_row[301:306, [0, -1]].max(axis=0) > 1).all()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["auto", "isolation_forest"])
def test_a_stream_that_was_saved_and_loaded_gives_the_same_bytes(name: str, tmp_path: Path) -> None:
    panel = broken(7, columns=3)
    undisturbed = Stream(name, Tuning(), panel.rows(0, 0), step_us=STEP_US, most_rows=1000)
    whole = run(undisturbed, panel, 0, 2000)
    stop = int(np.random.default_rng(7).integers(300, 1900))
    stream = Stream(name, Tuning(), panel.rows(0, 0), step_us=STEP_US, most_rows=1000)
    before = run(stream, panel, 0, stop)
    streamfile.save(stream, tmp_path)
    resumed = streamfile.load(tmp_path)
    after = run(resumed, panel, stop, 2000)
    assert np.vstack([before, after]).tobytes() == whole.tobytes()
    streamfile.save(undisturbed, tmp_path / "a")
    streamfile.save(resumed, tmp_path / "b")
    assert _bytes(tmp_path / "a") == _bytes(tmp_path / "b")


def test_saving_twice_leaves_one_state(tmp_path: Path) -> None:
    panel = seasonal_panel(2)
    stream = Stream("zscore", Tuning(), panel.rows(0, 400))
    for row in (400, 401):
        stream.update(int(panel.times[row]), panel.values[row])
        streamfile.save(stream, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["2-portion-0.npz", "2-rows.npz", "stream.json"]


@pytest.mark.parametrize(
    "harm",
    [
        lambda folder: (folder / "stream.json").unlink(),
        lambda folder: (folder / "stream.json").write_text("{"),
        lambda folder: (folder / "stream.json").write_text(json.dumps({"generation": 1})),
        lambda folder: (folder / "1-rows.npz").write_bytes(b"PK"),
        lambda folder: (folder / "1-portion-0.npz").unlink(),
    ],
    ids=["no index", "index cut short", "index of another kind", "rows cut short", "no detector"],
)
def test_a_damaged_state_is_named(harm, tmp_path: Path) -> None:
    panel = seasonal_panel(2)
    stream = Stream("zscore", Tuning(), panel.rows(0, 400))
    stream.update(int(panel.times[400]), panel.values[400])
    streamfile.save(stream, tmp_path)
    harm(tmp_path)
    with pytest.raises(InputError, match=r"not a saved stream .*; start it again"):
        streamfile.load(tmp_path)


@pytest.mark.parametrize("back", [0, 1, 5], ids=["twice", "one late", "five late"])
def test_rows_that_come_late_or_twice_are_left_out_and_counted(back: int) -> None:
    panel = seasonal_panel(2)
    disturbed, calm = (Stream("zscore", Tuning(), panel.rows(0, 400)) for _ in range(2))
    run(disturbed, panel, 400, 410)
    run(calm, panel, 400, 410)
    assert disturbed.update(int(panel.times[409 - back]) + 1000, np.array([1e9])) is None
    assert disturbed.state.counts.late == 1
    np.testing.assert_array_equal(run(disturbed, panel, 410, 420), run(calm, panel, 410, 420))


def test_missing_rows_count_as_gaps() -> None:
    panel = seasonal_panel(3, columns=2)
    gap = with_values(panel, panel.values.copy())
    gap.values[420:430] = np.nan
    fed, skipped = (Stream("auto", Tuning(), panel.rows(0, 400)) for _ in range(2))
    run(fed, gap, 400, 440)
    run(skipped, panel, 400, 420)
    assert skipped.update(int(panel.times[430]), panel.values[430]) is not None
    assert skipped.state.counts.missing == 10
    np.testing.assert_array_equal(run(skipped, panel, 431, 440), run_again(gap))


def run_again(gap: Panel) -> np.ndarray:
    stream = Stream("auto", Tuning(), gap.rows(0, 400))
    return run(stream, gap, 400, 440)[31:]


def test_a_gap_longer_than_what_is_kept_is_survived() -> None:
    panel = seasonal_panel(2)
    stream = Stream("zscore", Tuning(), panel.rows(0, 400), most_rows=600)
    run(stream, panel, 400, 410)
    row = stream.update(int(panel.times[410]) + 10_000 * STEP_US, np.array([5.0]))
    assert row is not None
    assert row.scores.tolist() == [0.0]
    assert len(stream.state.rows) == 600


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_none_abstains(value: float) -> None:
    panel = seasonal_panel(2, columns=2)
    stream = Stream("auto", Tuning(), panel.rows(0, 400))
    row = stream.update(int(panel.times[400]), np.array([value, panel.values[400, 1]]))
    assert row is not None
    assert row.abstained.tolist() == [True, False]
    assert not row.is_anomaly[0]


def test_memory_is_bounded() -> None:
    panel = seasonal_panel(6, columns=3)
    stream = Stream("zscore", Tuning(), panel.rows(0, 0), step_us=STEP_US, most_rows=500)
    bound = stream.state.rows.nbytes + stream.state.grades.nbytes
    run(stream, panel)
    assert len(stream.state.rows) == 500
    assert stream.state.rows.nbytes + stream.state.grades.nbytes == bound <= 8 * (500 + 3) * 4


def test_it_learns_again_as_history_grows_and_daily_in_the_end() -> None:
    panel = seasonal_panel(6)
    stream = Stream("zscore", Tuning(), panel.rows(0, 0), step_us=STEP_US)
    fitted = []
    for time_us, values in zip(panel.times, panel.values, strict=True):
        stream.update(int(time_us), values)
        fitted.append(stream.state.counts.fits)
    hours = (np.flatnonzero(np.diff(fitted)) + 1) / 12
    assert hours.round().tolist() == [24.0, 32.0, 44.0, 59.0, 80.0, 103.0, 127.0]


def test_a_row_of_another_width_is_refused() -> None:
    stream = Stream("zscore", Tuning(), seasonal_panel(1, columns=2))
    with pytest.raises(InputError, match="a row of 3 values, but the stream has 2 columns"):
        stream.update(0, np.zeros(3))


def _bytes(folder: Path) -> dict[str, bytes]:
    """The files of a state; a forest that was read is framed differently when it is written again."""
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.suffix != ".skops"}
