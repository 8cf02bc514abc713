"""Small series that every forecasting test builds from."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from components.forecasting.series import FloatArray, History

START = datetime(2026, 1, 1, tzinfo=UTC)


def seasonal(hours: int = 720, seed: int = 0) -> FloatArray:
    """A daily season of amplitude 10 on 50, with noise."""
    rng = np.random.default_rng(seed)
    return 50 + 10 * np.sin(np.arange(hours) / 24 * 2 * np.pi) + rng.normal(0, 1.5, hours)


def filling_disk(hours: int = 720, seed: int = 0) -> FloatArray:
    """Flat at 76 for twenty days, then +1.5 a day for ten: reaches 95 after about 2.7 more days."""
    rng = np.random.default_rng(seed)
    t = np.arange(hours)
    return 76 + np.maximum(0, t - 480) * 1.5 / 24 + np.sin(t / 24 * 2 * np.pi) + rng.normal(0, 0.3, hours)


def rotated_log(hours: int = 720, seed: int = 0) -> FloatArray:
    """Grows by 25 over 30 hours and is reset, from 60 to a peak of about 85."""
    rng = np.random.default_rng(seed)
    return 60 + (np.arange(hours) % 30) * 25 / 30 + rng.normal(0, 0.4, hours)


def history(values: FloatArray, **changes: object) -> History:
    return History(np.asarray(values, dtype=float), START, **changes)  # type: ignore[arg-type]


def frame(values: FloatArray, step: timedelta = timedelta(hours=1)) -> pl.DataFrame:
    times = [START + i * step for i in range(len(values))]
    stamps = pl.Series("timestamp", times, dtype=pl.Datetime("us", "UTC"))
    return pl.DataFrame({"timestamp": stamps, "value": np.asarray(values, dtype=float)})


@pytest.fixture
def disk_csv(tmp_path: Path) -> Path:
    path = tmp_path / "disk.csv"
    frame(filling_disk()).write_csv(path)
    return path
