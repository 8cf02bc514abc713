"""Lead times: the past is asked at the right moments, and the curve counts what it should."""

from __future__ import annotations

import numpy as np
import pytest

from components.forecasting import leads, report
from components.forecasting.leads import Limited, Moment
from tests.forecasting.conftest import filling_disk, history, seasonal


def test_a_disk_that_filled_up_is_seen_days_before_and_calm_weeks_stay_calm() -> None:
    # It passes 88 on the 28th day.
    disk = Limited(history(filling_disk(), upper=100.0), "disk", 88.0, "above")
    crossing = int(np.argmax(disk.past))
    moments = leads.ask_all([disk, Limited(history(seasonal()), "cpu", 95.0, "above")])
    asked = {moment.lead_h for moment in moments if moment.kind == "disk"}
    assert asked == {*leads.LEADS_H, None}
    assert crossing > 24 * 20
    found = leads.curves(moments)
    assert set(found) == {"disk"}
    by_lead = {point.lead_h: point for point in found["disk"]}
    assert by_lead[48].recall == 1.0
    assert by_lead[48].precision == 1.0
    assert report.lead_times(found).axes[0].get_lines()


def test_without_any_crossing_nothing_is_asked() -> None:
    assert leads.ask_all([Limited(history(seasonal()), "cpu", 95.0, "above")]) == []
    assert leads.curves([]) == {}


def test_below_is_crossed_downwards() -> None:
    free = Limited(history(100 - filling_disk(), lower=0.0), "disk", 12.0, "below")
    assert {moment.lead_h for moment in leads.ask(free)} >= {48, None}


def test_the_curve_counts_failures_found_and_false_alarms() -> None:
    sure, unsure = dict.fromkeys((1, 4, 24, 72, 168), 0.9), dict.fromkeys((1, 4, 24, 72, 168), 0.1)
    moments = [
        Moment("disk", 48, sure),
        Moment("disk", 48, unsure),
        Moment("disk", None, sure),
        Moment("cpu", None, sure),
    ]
    point = leads.curves(moments)["disk"][0]
    assert (point.lead_h, point.failures, point.found, point.false) == (48, 2, 1, 1)
    assert (point.recall, point.precision) == (0.5, 0.5)
    assert leads.as_metrics({"disk": [point]}) == pytest.approx(
        {"lead_48h.disk.recall": 0.5, "lead_48h.disk.precision": 0.5}
    )


def test_the_horizon_has_to_reach_past_the_lead() -> None:
    moment = Moment("disk", 48, {1: 0.9, 4: 0.9, 24: 0.9, 72: 0.1, 168: None})
    assert moment.alarmed(12)
    assert not moment.alarmed(48)
    assert not moment.alarmed(120)
