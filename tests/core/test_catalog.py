"""The watched metrics: every kind of failure has what a forecast needs, and a wrong entry is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from components.core.catalog import load_catalog
from components.core.errors import SettingsError

#: failure kind → limit, direction, lead time in hours from and to, first choice of model.
KINDS = {
    "disk": (95, "above", 72, 168, "prophet"),
    "inode": (95, "above", 72, 168, "prophet"),
    "memory": (95, "above", 24, 72, "lstm"),
    "swap": (80, "above", 24, 72, "lstm"),
    "connection_pool": (95, "above", 1, 2, "arima"),
    "queue": (1000, "above", 2, 4, "arima"),
    "replication": (60, "above", 1, 2, "arima"),
    "query_time": (500, "above", 3, 4, "automl"),
    "error_rate": (10, "above", 1, 2, "seasonal_naive"),
    "latency": (2000, "above", 4, 8, "automl"),
}
MODELS = {"seasonal_naive", "arima", "ets", "theta", "prophet", "lstm", "tft", "automl", "ensemble", "auto"}


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_of_failure_has_limit_direction_lead_time_and_models(kind: str) -> None:
    entry = next(entry for entry in load_catalog().values() if entry.failure_kind == kind)
    assert (entry.limit, entry.direction, entry.lead_time_h, entry.horizon_h, entry.models[0]) == KINDS[kind]


def test_every_limit_has_a_horizon_after_its_lead_time_and_models_that_exist() -> None:
    for entry in load_catalog().values():
        assert (entry.limit is None) == (entry.failure_kind is None), entry.name
        if entry.limit is not None:
            assert entry.lead_time_h is not None and entry.horizon_h is not None, entry.name  # noqa: PT018
            assert entry.lead_time_h <= entry.horizon_h <= 168, entry.name
            assert set(entry.models) <= MODELS, entry.name
            assert entry.models, entry.name


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{name: a, title: a, unit: s, kind: disk, promql: up, direction: up}", "direction"),
        ("{name: a, title: a, unit: s, kind: disk, promql: up, lead_time_h: -1}", "lead_time_h"),
        ("{name: a, title: a, unit: s, kind: disk, promql: up, lead_time_h: 24, horizon_h: 2}", "horizon_h"),
        ("{name: a, title: a, unit: s, kind: disk, promql: up, limits: 3}", "limits"),
    ],
)
def test_a_wrong_entry_is_named(line: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "catalog.yaml").write_text(f"metrics:\n  - {line}\n")
    with pytest.raises(SettingsError, match=message):
        load_catalog(str(tmp_path / "catalog.yaml"))
