"""Metrics that move with a template's lines, at the lag at which they do."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from components.core.times import TIME_DTYPE
from components.logs.movement import moving_series

T0 = datetime(2026, 3, 1, tzinfo=UTC)
SLOT = timedelta(minutes=5)
SLOTS = 40
RATE = np.where((np.arange(SLOTS) > 30) & (np.arange(SLOTS) < 37), 40 + 5 * np.arange(SLOTS), 2)


def _frame(values: np.ndarray, **fixed: str) -> pl.DataFrame:
    times = pl.Series("timestamp", [T0 + slot * SLOT for slot in range(len(values))], dtype=TIME_DTYPE)
    return pl.DataFrame([times]).with_columns(pl.Series("value", values), **{k: pl.lit(v) for k, v in fixed.items()})


def _told(metrics: pl.DataFrame, slot: int = SLOTS - 1, service: str = "pay") -> list[dict[str, object]]:
    counts = _frame(RATE, service="pay", template_id="t").rename({"value": "count"})
    surges = pl.DataFrame({"timestamp": [T0 + slot * SLOT], "service": ["pay"], "template_id": ["t"]})
    metrics = metrics.with_columns(service=pl.lit(service), value=pl.col("value").cast(pl.Float64))
    told: list[dict[str, object]] = json.loads(moving_series(surges, counts, metrics)[0])
    return told


@pytest.mark.parametrize("shift", [-3, 0, 4])
def test_a_metric_is_told_with_its_lag(shift: int) -> None:
    values = np.log1p(np.roll(RATE, -shift)) * 7 + np.random.default_rng(0).normal(size=SLOTS) * 0.1
    told = _told(_frame(values, metric="queue"))
    assert [(one["metric"], one["lag_min"]) for one in told] == [("queue", 5 * shift)]


def test_what_moves_the_other_way_has_a_negative_correlation() -> None:
    assert float(str(_told(_frame(-np.log1p(RATE), metric="rate"))[0]["correlation"])) < -0.99


@pytest.mark.parametrize(
    "metrics",
    [
        _frame(np.random.default_rng(1).normal(size=SLOTS), metric="noise"),
        _frame(np.ones(SLOTS), metric="flat"),
        _frame(np.full(SLOTS, np.nan), metric="absent"),
        _frame(np.log1p(RATE)[-8:], metric="short"),
        _frame(np.log1p(RATE), metric="queue").clear(),
    ],
    ids=["noise", "flat", "absent", "short", "none"],
)
def test_nothing_else_is_told(metrics: pl.DataFrame) -> None:
    assert _told(metrics) == []


def test_other_services_and_later_slots_are_not_looked_at() -> None:
    values = _frame(np.log1p(RATE), metric="queue")
    assert _told(values, service="web") == []
    assert _told(values, slot=20) == []
