"""Operations that stop short of the calls they usually make."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import polars as pl
import pytest

from components.rootcause.case import Incident
from components.rootcause.diagnosis import diagnose
from components.rootcause.paths import path_changes
from components.rootcause.periods import periods
from components.rootcause.specs import ScorerParams
from components.rootcause.tracing import enriched
from tests.rootcause.cases import NOTICED, case, frame, metrics

WHEN = periods(Incident(NOTICED), ScorerParams())


def _spans(usual: float, now: float, every_s: float = 2.0) -> pl.DataFrame:
    """Requests to web, of which the shares `usual` and, from NOTICED on, `now` call shop."""
    random, rows = np.random.default_rng(0), []
    for number, offset in enumerate(np.arange(-1800, 300, every_s)):
        at, trace = NOTICED + timedelta(seconds=float(offset)), str(number)
        rows.append((trace, "a", None, "web", "GET /", at, 3000.0, "OK"))
        if random.random() < (now if offset >= 0 else usual):
            rows.append((trace, "b", "a", "shop", "list", at + timedelta(milliseconds=1), 1000.0, "OK"))
    return frame("spans", rows)


@pytest.mark.parametrize(("usual", "now", "told"), [(0.95, 0.5, True), (0.95, 0.93, False), (0.3, 0.1, False)])
def test_an_operation_that_stops_short_is_told(usual, now, told):
    found = path_changes(enriched(_spans(usual, now)), WHEN)
    assert [change.service for change in found] == (["web"] if told else [])
    for change in found:
        assert (change.usual, change.share) == pytest.approx((usual, now), abs=0.1)


def test_too_few_requests_tell_nothing():
    assert path_changes(enriched(_spans(0.95, 0.5, every_s=60.0)), WHEN) == []
    assert path_changes(enriched(_spans(0.95, 0.5).head(0)), WHEN) == []


def test_code_that_returns_early_is_found_where_no_metric_moves():
    best = diagnose(case(metrics(), spans=_spans(0.95, 0.4)), ScorerParams()).causes[0]
    assert (best["service"], best["kind"], best["metric"]) == ("web", "code", "span_missing_calls")
    assert any("GET / calls on in" in item["text"] for item in best["evidence"])
