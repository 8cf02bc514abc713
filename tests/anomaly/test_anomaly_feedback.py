"""Marks become knobs by one rule, and scores follow the knobs."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from components.anomaly import detectors, feedback
from components.anomaly.detector import Tuning
from components.anomaly.feedback import FALSE_ALARM, REAL, Mark
from components.core.errors import InputError
from components.core.schema import TABLES
from tests.anomaly.series import STEP_US, seasonal_panel

T0 = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def marks(series: str, *verdicts: str) -> list[Mark]:
    """One mark per verdict, on stretches an hour apart."""
    return [
        Mark(series, T0 + i * HOUR, T0 + (i + 0.5) * HOUR, verdict, T0 + (i + 24) * HOUR, "me")
        for i, verdict in enumerate(verdicts)
    ]


@pytest.mark.parametrize(
    ("verdicts", "knob"),
    [
        ([], None),
        ([FALSE_ALARM], 0.125),
        ([REAL], 1.0),
        ([FALSE_ALARM, REAL], 0.25),
        ([REAL, FALSE_ALARM], 0.25),
        ([FALSE_ALARM, REAL, REAL], 0.5),
        ([FALSE_ALARM] * 9, 0.005),
        ([REAL] * 9, 2.0),
    ],
    ids=lambda value: str(value),
)
def test_the_rule(verdicts: list[str], knob: float | None) -> None:
    assert feedback.knobs(marks("a/b", *verdicts), 0.5).get("a/b") == (None if knob is None else pytest.approx(knob))


def test_false_alarms_never_raise_a_knob_and_real_ones_never_lower_it() -> None:
    for verdicts in itertools.product((FALSE_ALARM, REAL), repeat=5):
        for change in feedback.changes(marks("a/b", *verdicts), 0.5):
            if change.mark.verdict == FALSE_ALARM:
                assert change.after <= change.before
            else:
                assert change.after >= change.before
            assert 0.5 * feedback.LEAST <= change.after <= 0.5 * feedback.MOST


def test_the_last_word_on_an_incident_counts() -> None:
    first = Mark("a/b", T0, T0 + HOUR, FALSE_ALARM, T0 + 2 * HOUR, "console", "incident")
    longer = Mark("a/b", T0, T0 + 3 * HOUR, REAL, T0 + 4 * HOUR, "console", "incident")
    assert feedback.knobs([first, longer], 0.5) == {"a/b": 1.0}
    assert [(change.before, change.after) for change in feedback.changes([first, longer], 0.5)] == [
        (0.5, 0.125),
        (0.125, 1.0),
    ]


def test_every_series_has_its_own_knob() -> None:
    found = feedback.knobs([*marks("a/b", FALSE_ALARM), *marks("a/c", REAL)], 0.5)
    assert found == {"a/b": 0.125, "a/c": 1.0}


def test_what_is_scored_as_one_has_the_marks_of_all_its_names() -> None:
    given = [*marks("web", FALSE_ALARM), *marks("cpu", FALSE_ALARM)[:1], *marks("other", REAL)]
    assert feedback.knob_of(("web", "memory"), given, 0.5) == 0.125
    assert feedback.knob_of(("memory",), given, 0.5) == 0.5


def test_the_ledger_says_who_when_what_and_why() -> None:
    rows = feedback.ledger(feedback.changes(marks("shop%2Fweb/errors", FALSE_ALARM), 0.5))
    assert rows.to_dicts() == [
        {
            "timestamp": T0 + 24 * HOUR,
            "service": "shop/web",
            "metric": "errors",
            "verdict": "false_alarm",
            "who": "me",
            "knob_before": 0.5,
            "knob_after": 0.125,
            "why": "2026-03-01T12:00:00Z to 2026-03-01T12:30:00Z marked false alarm",
        }
    ]
    assert feedback.unwritten(rows, rows).is_empty()
    assert feedback.unwritten(rows, TABLES["knobs"].empty()).equals(rows)


def test_a_mark_without_effect_says_so() -> None:
    last = feedback.changes(marks("a/b", *[REAL] * 3), 0.5)[-1]
    assert last.before == last.after
    assert last.why.endswith("already as far as marks may move it")


def test_marks_come_from_the_lake_by_series() -> None:
    row = {"timestamp": T0, "service": "a/x", "metric": "m", "start": T0, "end": T0, "verdict": REAL, "who": "console"}
    table = pl.DataFrame([row | {"verdict": "unheard of", "metric": "n"}, row]).with_columns(
        incident_id=pl.lit(None, dtype=pl.String)
    )
    (found,) = feedback.marks_of(TABLES["feedback"].conform(table, "feedback"))
    assert (found.series, found.verdict, found.about) == ("a%2Fx/m", REAL, ("a%2Fx/m", T0, T0))


def scored(score: float, detector: str = "auto") -> pl.DataFrame:
    """One row of the table `anomalies`."""
    row = {"timestamp": T0, "service": "a", "metric": "b", "value": 9.0, "score": score, "is_anomaly": score > 1}
    band = {"expected": 5.0, "lower": 3.0, "upper": 8.0, "detector": detector, "reason": ""}
    return pl.DataFrame([row | band])


def test_a_marked_series_takes_more_to_be_an_anomaly_and_its_band_widens() -> None:
    own = feedback.knobs(marks("a/b", FALSE_ALARM), 0.5)
    (row,) = feedback.applied(scored(1.1), own, 0.5, STEP_US).to_dicts()
    assert row["score"] < 1
    assert not row["is_anomaly"]
    assert row["lower"] < 3.0 < 8.0 < row["upper"]


def test_a_confirmed_series_is_heard_earlier() -> None:
    (row,) = feedback.applied(scored(0.95), feedback.knobs(marks("a/b", REAL), 0.5), 0.5, STEP_US).to_dicts()
    assert row["is_anomaly"]


def test_a_row_that_is_nothing_special_stays_so_at_every_knob() -> None:
    (row,) = feedback.applied(scored(1.0), feedback.knobs(marks("a/b", REAL, REAL), 0.5), 0.5, STEP_US).to_dicts()
    assert (row["score"], row["is_anomaly"]) == (1.0, False)


@pytest.mark.parametrize("own", [{}, {"other/series": 0.125}])
def test_series_without_marks_and_other_detectors_stay_as_they_are(own: dict[str, float]) -> None:
    assert feedback.applied(scored(1.1), own, 0.5, STEP_US).equals(scored(1.1))
    assert feedback.applied(scored(1.1, "seasonal"), {"a/b": 0.125}, 0.5, STEP_US).equals(scored(1.1, "seasonal"))


def test_the_factor_is_that_of_a_detector_with_that_knob() -> None:
    panel = seasonal_panel(3)
    panel.values[800:806] *= 3
    usual, own = (detectors.create("auto", Tuning(expected_false_events_per_week=knob)) for knob in (0.5, 0.125))
    before, after = (detector.score_causally(panel).columns.max() for detector in (usual, own))
    assert before * feedback.factor(0.125, 0.5, STEP_US) == pytest.approx(after)


def test_a_file_of_marks_is_read(tmp_path: Path) -> None:
    path = tmp_path / "marks.csv"
    path.write_text(
        "column,start,end,verdict,note\ncpu,2026-03-01T12:00:00Z,2026-03-01 13:00,False alarm,x\ncpu,1,2,real,\n"
    )
    first, second = feedback.read_marks(path)
    assert first == Mark("cpu", T0, T0 + HOUR, FALSE_ALARM)
    assert second.verdict == REAL


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the file is empty"),
        ("series,start,end\na,1,2\n", r"no column 'verdict' \(found series, start, end\); it needs series"),
        ("start,end,verdict\n1,2,real\n", "no column 'column'"),
        ("series,start,end,verdict\n,1,2,real\n", "row 1: no series"),
        ("series,start,end,verdict\na,1,2,maybe\n", "row 1: verdict 'maybe'; write false_alarm or real"),
        ("series,start,end,verdict\na,1,2,\n", "row 1: verdict ''"),
        ("series,start,end,verdict\na,1,2,real\na,soon,2,real\n", "row 2: not a time: 'soon'"),
        ("series,start,end,verdict\na,2,1,real\n", "row 1: ends at .* before it starts"),
        ('series,start,end,verdict\na,"1,2\n', "marks.csv"),
    ],
)
def test_a_bad_file_of_marks_is_named(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "marks.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        feedback.read_marks(path)


def test_a_missing_file_of_marks_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        feedback.read_marks(tmp_path / "none.csv")
