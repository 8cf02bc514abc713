"""quality.drift: what moved is named, what did not is left alone, too little history is said so."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from components.core import step
from components.core.lake import Lake
from components.core.schema import TABLES
from components.core.times import Window
from components.quality.comparison import chance_distance, choose_windows, hourly, paired
from components.quality.specs import DRIFT

T0 = datetime(2026, 1, 5, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def wave(days: int, seed: int) -> np.ndarray:
    """Hourly values with a daily season."""
    hours = np.arange(days * 24)
    return 50 + 10 * np.sin(2 * np.pi * hours / 24) + np.random.default_rng(seed).normal(0, 2, len(hours))


def write(lake: Lake, series: dict[str, np.ndarray]) -> None:
    """One feature row an hour per metric of service `s`."""
    days = len(next(iter(series.values()))) // 24
    for day in range(days):
        start = T0 + day * DAY
        rows = [
            {
                "timestamp": start + hour * HOUR,
                "event_timestamp": start + hour * HOUR + timedelta(minutes=5),
                "service": "s",
                "metric": metric,
                **dict.fromkeys(("mean", "min", "max", "last"), float(values[day * 24 + hour])),
                "count": 1,
            }
            for metric, values in series.items()
            for hour in range(24)
        ]
        frame = pl.DataFrame(rows, schema=TABLES["features"].columns)
        lake.write_window("features", frame, Window(start, start + DAY), producer="test", params={})


def run(lake: Lake, folder: Path, as_of: datetime, **params: Any) -> dict[str, Any]:
    uris = {"lake": lake.uri, "drift": str(folder / "drift.json"), "report": str(folder / "report")}
    summary = step.run(DRIFT, uris, {"as_of": as_of.isoformat(), **params})
    content = json.loads((folder / "drift.json").read_bytes())
    assert summary["exceeded"] == content["exceeded"]
    assert summary["report"] == f"{uris['report']}/index.html"
    return content


@pytest.mark.slow  # importing Evidently alone takes ten seconds
def test_what_moved_is_named_and_seasons_are_not_drift(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path / "lake"))
    series = {f"m{i}": wave(14, i) for i in range(5)}
    series["moved"] = wave(14, 9) + np.repeat([0, 30], 7 * 24)
    series["<b>wider</b>"] = 50 + (wave(14, 8) - 50) * np.repeat([1, 4], 7 * 24)
    series["tiny"] = wave(14, 7) * 1e-7
    write(lake, series)
    content = run(lake, tmp_path, T0 + 14 * DAY, share_threshold=0.2)
    assert content["drifted"] == ["s/<b>wider</b>", "s/moved"]
    assert content["share"] == 2 / 8
    assert (content["exceeded"], content["abstained"], content["reason"]) == (True, False, None)
    assert content["reference"] == ["2026-01-05T00:00:00Z", "2026-01-12T00:00:00Z"]
    spread = np.std(series["moved"][: 7 * 24], ddof=1)
    (moved,) = [row for row in content["columns"] if row["series"] == "s/moved"]
    assert moved["distance"] == pytest.approx(30 / spread, rel=0.1)
    page = (tmp_path / "report" / "index.html").read_text()
    assert "s/moved" in page
    assert "<b>wider" not in page
    assert len(page.encode()) < 4_000_000
    first = (tmp_path / "drift.json").read_bytes()
    run(lake, tmp_path, T0 + 14 * DAY, share_threshold=0.2)
    assert (tmp_path / "drift.json").read_bytes() == first


@pytest.mark.slow  # importing Evidently alone takes ten seconds
def test_two_weeks_of_noise_have_not_drifted(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path / "lake"))
    write(lake, {f"m{i}": np.random.default_rng(i).normal(size=14 * 24) for i in range(20)})
    content = run(lake, tmp_path, T0 + 14 * DAY)
    assert content["share"] <= 0.25
    assert not content["exceeded"]


@pytest.mark.parametrize("days", [0, 1], ids=["nothing", "one day"])
def test_too_little_history_is_said_so(tmp_path: Path, days: int) -> None:
    lake = Lake(str(tmp_path / "lake"))
    if days:
        write(lake, {"m": wave(days, 0)})
    content = run(lake, tmp_path, T0 + days * DAY)
    assert (content["abstained"], content["reason"]) == (True, "less than two days of features")
    assert (content["share"], content["exceeded"]) == (None, False)
    assert "less than two days" in (tmp_path / "report" / "index.html").read_text()


def test_windows_are_whole_days_and_shorten_with_the_history() -> None:
    full = choose_windows(T0, T0 + 30 * DAY + timedelta(minutes=17), 7)
    assert full is not None
    assert full.current == Window(T0 + 23 * DAY, T0 + 30 * DAY)
    assert full.reference == Window(T0 + 16 * DAY, T0 + 23 * DAY)
    short = choose_windows(T0, T0 + 5 * DAY, 7)
    assert short is not None
    assert short.reference == Window(T0 + DAY, T0 + 3 * DAY)


def test_only_hours_known_in_both_windows_are_compared(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path / "lake"))
    write(lake, {"m": wave(2, 0), "gone": wave(2, 1)})
    window, after = Window(T0, T0 + DAY), Window(T0 + DAY, T0 + 2 * DAY)
    features = lake.read("features").filter((pl.col("metric") == "m") | (pl.col("timestamp") < after.start + 11 * HOUR))
    pairs = paired(hourly(features.lazy(), window), hourly(features.lazy(), after), 24)
    assert list(pairs) == ["s/m"]
    assert len(pairs["s/m"][0]) == 24
    assert pairs["s/m"][0].std() == pytest.approx(1.0)


def test_a_constant_series_is_measured_in_percent_of_its_level() -> None:
    frames = [pl.DataFrame({"hour": range(24), "s/m": [value] * 24}) for value in (200.0, 210.0)]
    reference, current = paired(frames[0], frames[1], 24)["s/m"]
    assert reference.to_list() == [0.0] * 24
    assert current[0] == pytest.approx(5.0)


def test_chance_distance_is_that_of_alternating_days() -> None:
    assert chance_distance(pl.Series(([0.0] * 24 + [3.0] * 24) * 3)) == pytest.approx(3.0)
    assert chance_distance(pl.Series([1.0])) == 0.0
