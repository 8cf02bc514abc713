"""features.build: what a row says, and that how it came about does not matter."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from components.core import step
from components.core.lake import Lake
from components.core.times import Window
from components.features.aggregates import aligned, five_minutes
from components.features.specs import BUILD
from components.features.trends import add_trends

T0 = datetime(2026, 1, 5, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def samples(values: list[float | None], *, metric: str = "m", instance: str | None = None) -> pl.DataFrame:
    """Samples a minute apart from T0 on."""
    columns = {
        "timestamp": [T0 + i * MINUTE for i in range(len(values))],
        "service": ["s"] * len(values),
        "metric": [metric] * len(values),
        "value": values,
    }
    schema = {"timestamp": pl.Datetime("us", "UTC"), "service": pl.String, "metric": pl.String, "value": pl.Float64}
    frame = pl.DataFrame(columns, schema=schema)
    return frame.with_columns(pl.lit(instance).alias("instance")) if instance else frame


def means(values: list[float], start: datetime = T0) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "timestamp": [start + i * 5 * MINUTE for i in range(len(values))],
            "service": ["s"] * len(values),
            "metric": ["m"] * len(values),
            "mean": values,
        },
        schema={"timestamp": pl.Datetime("us", "UTC"), "service": pl.String, "metric": pl.String, "mean": pl.Float64},
    )


def write(lake: Lake, start: datetime, end: datetime) -> None:
    """A metric of two services with a daily wave, sampled each minute, for windows within a day."""
    for window in Window(start, end).split_by_day():
        minutes = pl.datetime_range(window.start, window.end, "1m", closed="left", time_unit="us", eager=True)
        wave = (minutes.dt.epoch("s").cast(pl.Float64) * (2 * np.pi / 86400)).sin() * 10 + 50
        frames = [
            pl.DataFrame({"timestamp": minutes, "service": name, "metric": "m", "value": wave * scale})
            for name, scale in (("a", 1.0), ("b", 0.37))
        ]
        lake.write_window("metrics", pl.concat(frames), window, producer="test", params={})


def build(lake: Lake, folder: Path, **params: object) -> dict:
    return step.run(BUILD, {"lake": lake.uri, "built": str(folder / "built.json")}, params)


def test_a_row_has_the_mean_min_max_last_count_and_spread_of_its_five_minutes() -> None:
    rows = five_minutes(samples([1, 2, 3, 4, 10, 7]), {})
    assert rows["timestamp"].to_list() == [T0, T0 + 5 * MINUTE]
    assert rows["event_timestamp"].to_list() == [T0 + 5 * MINUTE, T0 + 10 * MINUTE]
    first = rows.row(0, named=True)
    assert [first[c] for c in ("mean", "min", "max", "last", "count")] == [4, 1, 10, 10, 5]
    assert first["std"] == pytest.approx(np.std([1, 2, 3, 4, 10], ddof=1))
    assert rows.row(1, named=True)["std"] is None


def test_values_that_are_no_numbers_are_dropped() -> None:
    rows = five_minutes(samples([1.0, None, float("nan"), float("inf"), 3.0, float("-inf")]), {})
    assert rows.select("mean", "count").rows() == [(2.0, 2)]


def test_no_samples_give_no_rows() -> None:
    assert len(add_trends(five_minutes(samples([]), {}), means([]))) == 0


@pytest.mark.parametrize(
    ("worst", "expected"),
    [({}, {"mean": 50, "min": 20, "max": 80, "last": 50, "count": 10}),
     ({"m": 1}, {"mean": 80, "min": 80, "max": 80, "last": 80, "count": 5}),
     ({"m": -1}, {"mean": 20, "min": 20, "max": 20, "last": 20, "count": 5})],
    ids=["averaged", "the highest", "the lowest"],
)  # fmt: skip
def test_instances_are_averaged_unless_the_worst_counts(worst: dict[str, int], expected: dict[str, float]) -> None:
    both = pl.concat([samples([20.0] * 5, instance="x"), samples([80.0] * 5, instance="y")])
    row = five_minutes(both, worst).row(0, named=True)
    assert {name: row[name] for name in expected} == expected


def test_order_of_the_samples_does_not_matter() -> None:
    frame = samples(list(np.random.default_rng(0).normal(size=50)))
    assert_frame_equal(five_minutes(frame, {}), five_minutes(frame.sample(fraction=1, shuffle=True, seed=3), {}))


def test_slope_is_units_per_hour() -> None:
    rows = add_trends(means([100 + 0.5 * i for i in range(12)]), means([]))
    assert rows["slope_per_h"][-1] == pytest.approx(6.0)
    assert rows["slope_per_h"][:5].null_count() == 5


def test_ratios_compare_with_the_hour_before_and_the_day_before() -> None:
    history = means([10.0] * 288)
    rows = add_trends(means([20.0], T0 + DAY), history)
    assert rows.select("ratio_1h", "ratio_24h").row(0) == (2.0, 2.0)


def test_a_ratio_to_nothing_is_null() -> None:
    assert add_trends(means([1.0], T0 + DAY), means([0.0] * 288))["ratio_1h"][0] is None


def test_a_row_depends_on_nothing_after_it() -> None:
    values = list(np.random.default_rng(1).normal(50, 5, size=400))
    whole, cut = add_trends(means(values), means([])), add_trends(means(values[:350]), means([]))
    assert_frame_equal(whole.head(350), cut)


def test_only_whole_five_minutes_count() -> None:
    window = Window(T0 + 2 * MINUTE, T0 + 13 * MINUTE)
    assert aligned([window]) == [Window(T0 + 5 * MINUTE, T0 + 10 * MINUTE)]
    assert aligned([Window(T0 + MINUTE, T0 + 4 * MINUTE)]) == []


def test_built_in_pieces_equals_built_at_once(tmp_path: Path) -> None:
    whole, pieces = Lake(str(tmp_path / "whole")), Lake(str(tmp_path / "pieces"))
    write(whole, T0, T0 + 2 * DAY + HOUR)
    build(whole, tmp_path)
    for start, end in ((0, 7), (7, 26), (26, 27), (27, 49)):
        write(pieces, T0 + start * HOUR, T0 + end * HOUR)
        build(pieces, tmp_path)
    assert len(whole.read("features")) == 2 * 49 * 12
    assert_frame_equal(whole.read("features"), pieces.read("features"), check_exact=True)
    assert whole.read("features")["ratio_24h"].drop_nulls().is_between(0.98, 1.02).all()


def test_an_undisturbed_rerun_changes_no_byte(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path / "lake"))
    write(lake, T0, T0 + 26 * HOUR)
    assert build(lake, tmp_path)["windows"] == 2
    before = {p: p.read_bytes() for p in Path(lake.uri, "features").rglob("*.parquet*")}
    # As a kill -9 between data and sidecar leaves it.
    first, *_ = sorted(before)
    Path(f"{first}.meta.json").unlink()
    assert build(lake, tmp_path)["windows"] == 1
    assert {p: p.read_bytes() for p in Path(lake.uri, "features").rglob("*.parquet*")} == before


def test_nothing_after_as_of_is_built(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path / "lake"))
    write(lake, T0, T0 + 3 * HOUR)
    summary = build(lake, tmp_path, as_of=(T0 + HOUR + 4 * MINUTE).isoformat())
    assert summary["watermark"] == "2026-01-05T01:00:00Z"
    assert json.loads((tmp_path / "built.json").read_bytes()) == summary


def test_an_empty_lake_builds_nothing(tmp_path: Path) -> None:
    assert build(Lake(str(tmp_path / "lake")), tmp_path)["watermark"] is None
