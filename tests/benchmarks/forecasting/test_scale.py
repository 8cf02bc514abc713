"""The speed part: which part of a history it takes, what its tables say, and when it is skipped."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from components.forecasting.series import History
from tests.benchmarks.forecasting import scale


@pytest.mark.parametrize(("hours", "kept"), [(800, 720), (720, 720), (500, 500)])
def test_the_newest_month_is_taken(hours: int, kept: int) -> None:
    history = History(np.arange(float(hours)), datetime(2026, 1, 1, tzinfo=UTC), observed=np.ones(hours, dtype=bool))
    newest = scale._newest(history)
    assert (len(newest), newest.values[-1], newest.end) == (kept, hours - 1, history.end)
    assert newest.observed is not None
    assert len(newest.observed) == kept


def test_the_table_extrapolates_and_compares() -> None:
    text = "\n".join(scale.section({"auto": (0.06, 200), "peer": (0.3, 10)}, {"--horizon 7d`, hourly": 1.234}))
    assert "| auto | 200 | 60.0 ms | 1.00 | 10.0 min |" in text
    assert "| peer | 10 | 300.0 ms | 5.00 | 50.0 min |" in text
    assert "| `traceo forecast … --horizon 7d`, hourly | 1.23 |" in text


def test_the_made_up_series_has_thirty_days() -> None:
    frame = scale._made_up(5)
    assert frame.height == 8640
    assert frame["timestamp"][-1] - frame["timestamp"][0] == timedelta(days=30) - timedelta(minutes=5)


def test_without_data_it_is_skipped(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delenv("TRACEO_BENCH_DATA", raising=False)
    assert scale.main([]) == 0
    assert capsys.readouterr().out.startswith("skipped: TRACEO_BENCH_DATA")
