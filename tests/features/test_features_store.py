"""Feast: what is pushed is read, and nothing is seen before it was known."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from components.core import step
from components.core.errors import SettingsError
from components.core.lake import Lake
from components.core.schema import TABLES
from components.core.settings import REPOSITORY, settings
from components.core.times import Window
from components.features import store
from components.features.specs import BUILD, ONLINE, TRAINING_SET
from components.features.training import instants, stride_min

T0 = datetime(2026, 1, 5, tzinfo=UTC)
STEP, HOUR = timedelta(minutes=5), timedelta(hours=1)


def features(values: list[float], service: str = "cart", start: datetime = T0) -> pl.DataFrame:
    """One feature row per value, five minutes apart; trends unknown."""
    rows = [
        {
            "timestamp": start + i * STEP,
            "event_timestamp": start + (i + 1) * STEP,
            "service": service,
            "metric": "m",
            **dict.fromkeys(("mean", "min", "max", "last"), value),
            "count": 10,
        }
        for i, value in enumerate(values)
    ]
    return pl.DataFrame(rows, schema=TABLES["features"].columns)


def seen(rows: pl.DataFrame) -> list[tuple[timedelta, str, float]]:
    return [(at - T0, service, mean) for at, service, mean in rows.select("instant", "service", "mean").iter_rows()]


def test_a_feature_is_seen_from_its_event_timestamp_on_and_for_half_an_hour() -> None:
    rows = pl.concat([features([1, 2, 3]), features([7], "search", T0 + 8 * HOUR)])
    second = timedelta(seconds=1)
    asked = [
        T0 + STEP - second,
        T0 + STEP,
        T0 + 2 * STEP - second,
        T0 + 9 * STEP,
        T0 + 9 * STEP + second,
        T0 + 9 * HOUR,
    ]
    known = store.as_known(rows, asked)
    assert seen(known) == [
        (STEP, "cart", 1.0),
        (2 * STEP - second, "cart", 1.0),
        (9 * STEP, "cart", 3.0),
    ]
    assert known["timestamp"].to_list() == [T0, T0, T0 + 2 * STEP]
    assert (known["event_timestamp"] <= known["instant"]).all()


def test_slashes_in_names_keep_two_series_apart() -> None:
    odd = pl.lit("b/m").alias("metric")
    rows = pl.concat([features([1], "a/b"), features([2], "a").with_columns(odd), features([3], "a%2Fb")])
    known = store.as_known(rows, [T0 + STEP])
    assert known.select("service", "metric", "mean").rows() == [
        ("a", "b/m", 2.0),
        ("a%2Fb", "m", 3.0),
        ("a/b", "m", 1.0),
    ]


def test_what_is_known_does_not_depend_on_later_rows() -> None:
    early = features([1, 2, 3])
    both = pl.concat([early, features([9, 9, 9], start=T0 + 3 * STEP)])
    asked = [T0 + STEP, T0 + 3 * STEP]
    assert_frame_equal(store.as_known(early, asked), store.as_known(both, asked))


def test_what_is_pushed_is_read_back_and_the_newest_counts() -> None:
    rows = pl.concat([features([1.5]), features([2.5], "search")]).with_columns(pl.lit(0.25).alias("ratio_1h"))
    assert store.push(rows) == 2
    store.push(features([4.0], start=T0 + STEP))
    expected = pl.concat([rows.filter(pl.col("service") == "search"), features([4.0], start=T0 + STEP)])
    absent = pl.DataFrame({"service": ["nobody"], "metric": ["m"]})
    latest = store.latest(pl.concat([rows.select("service", "metric"), absent]))
    assert_frame_equal(latest, expected.sort("timestamp"))


def test_nothing_asked_or_pushed_is_no_error() -> None:
    assert store.push(features([])) == 0
    assert store.latest(features([])).schema == pl.Schema(TABLES["features"].columns)
    assert len(store.as_known(features([]), [T0])) == 0


def test_a_half_written_registry_is_applied_again(home: Path) -> None:
    store.push(features([1.0]))
    (home / "feast" / "applied").unlink()
    (home / "feast" / "registry.db").write_bytes(b"half")
    assert store.latest(features([1.0]))["mean"].to_list() == [1.0]


def test_two_at_once_apply_once_and_both_write() -> None:
    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(store.push, [features([1.0]), features([2.0], "search")])) == [1, 1]
    both = pl.concat([features([1.0]), features([2.0], "search")])
    assert_frame_equal(store.latest(both), both)


def test_state_stays_out_of_the_repository(home: Path) -> None:
    store.push(features([1.0]))
    assert {path.name for path in (home / "feast").iterdir()} >= {"registry.db", "online.db", "applied"}
    assert {path.suffix for path in (REPOSITORY / "feature_repo").iterdir() if path.is_file()} <= {".py", ".yaml", ""}


def test_a_missing_repository_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRACEO_FEATURE_REPO", "/nowhere")
    settings.cache_clear()
    with pytest.raises(SettingsError, match="TRACEO_FEATURE_REPO: /nowhere"):
        store.push(features([1.0]))


def test_a_home_on_s3_needs_a_redis_for_what_is_pushed_and_nothing_for_history(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRACEO_HOME", "s3://bucket/home")
    settings.cache_clear()
    with pytest.raises(SettingsError, match="set TRACEO_ONLINE_STORE to a Redis"):
        store.push(features([1.0]))
    assert seen(store.as_known(features([1.0]), [T0 + STEP])) == [(STEP, "cart", 1.0)]


@pytest.mark.server
def test_pods_on_s3_share_what_is_pushed_through_redis(redis: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRACEO_HOME", "s3://bucket/home")
    monkeypatch.setenv("TRACEO_ONLINE_STORE", redis)
    settings.cache_clear()
    store.push(pl.concat([features([1.5]), features([2.5], "search")]))
    store.push(features([4.0], start=T0 + STEP))
    expected = pl.concat([features([2.5], "search"), features([4.0], start=T0 + STEP)])
    assert_frame_equal(store.latest(expected), expected)


@pytest.mark.parametrize(
    ("series", "max_rows", "count", "minutes"),
    [(2, 10_000, 288, 5.0), (2, 288, 144, 10.0), (7, 100, 14, 105.0), (500, 100, 1, 5.0), (0, 100, 96, 15.0)],
)
def test_instants_are_spread_evenly_within_the_rows_allowed(
    series: int, max_rows: int, count: int, minutes: float
) -> None:
    chosen = instants(Window(T0, T0 + 24 * HOUR), series, max_rows)
    assert (len(chosen), stride_min(chosen)) == (count, minutes)
    assert chosen[-1] == T0 + 24 * HOUR
    assert chosen[0] > T0


def filled(tmp_path: Path) -> dict[str, str]:
    """A lake with two hours of metrics of two services, its features built; the ports' URIs."""
    lake = Lake(str(tmp_path / "lake"))
    minutes = pl.datetime_range(T0, T0 + 2 * HOUR, "1m", closed="left", time_unit="us", eager=True)
    rising = pl.int_range(120, eager=True).cast(pl.Float64)
    rows = [
        pl.DataFrame({"timestamp": minutes, "service": name, "metric": "m", "value": rising + level})
        for name, level in (("cart", 0.0), ("search", 1000.0))
    ]
    lake.write_window("metrics", pl.concat(rows), Window(T0, T0 + 2 * HOUR), producer="test", params={})
    uris = {port: str(tmp_path / port) for port in ("built", "online_features", "training_set")} | {"lake": lake.uri}
    assert step.run(BUILD, uris)["pushed"] == 2
    return uris


def test_the_newest_rows_come_back_from_the_online_store(tmp_path: Path) -> None:
    uris = filled(tmp_path)
    assert step.run(ONLINE, uris)["series"] == 2
    newest = Lake(uris["lake"]).read("features", Window(T0 + 2 * HOUR - STEP, T0 + 2 * HOUR))
    assert_frame_equal(pl.read_parquet(uris["online_features"]), newest)
    assert newest["mean"].to_list() == [117.0, 1117.0]


@pytest.mark.parametrize("as_of", [T0 + HOUR, T0 + 3 * HOUR], ids=["newer than as_of", "too old"])
def test_vectors_of_another_time_are_left_out(tmp_path: Path, as_of: datetime) -> None:
    uris = filled(tmp_path)
    assert step.run(ONLINE, uris, {"as_of": as_of.isoformat()})["series"] == 0


def test_a_training_set_has_each_series_at_each_instant_and_the_same_bytes_again(tmp_path: Path) -> None:
    uris = filled(tmp_path)
    summary = step.run(TRAINING_SET, uris, {"max_rows": 100, "as_of": (T0 + HOUR).isoformat()})
    first = Path(uris["training_set"]).read_bytes()
    rows = pl.read_parquet(uris["training_set"])
    assert summary == {"rows": 24, "series": 2, "instants": 12, "stride_min": 5.0}
    cart = rows.filter(pl.col("service") == "cart")
    assert cart["mean"].to_list() == [5.0 * i + 2 for i in range(12)]
    assert cart["instant"].to_list() == cart["event_timestamp"].to_list()
    step.run(TRAINING_SET, uris, {"max_rows": 100, "as_of": (T0 + HOUR).isoformat()})
    assert Path(uris["training_set"]).read_bytes() == first


def test_an_empty_lake_gives_empty_tables(tmp_path: Path) -> None:
    uris = {port: str(tmp_path / port) for port in ("lake", "online_features", "training_set")}
    assert step.run(ONLINE, uris)["series"] == 0
    assert step.run(TRAINING_SET, uris)["rows"] == 0
    assert pl.read_parquet(uris["training_set"]).columns[:3] == ["timestamp", "service", "metric"]


@pytest.mark.slow
def test_feasts_own_command_line_applies_the_repository(tmp_path: Path) -> None:
    # A copy, since the defaults put the state beside the repository.
    copy = tmp_path / "feature_repo"
    copy.mkdir()
    (tmp_path / ".traceo" / "feast").mkdir(parents=True)
    for file in (REPOSITORY / "feature_repo").iterdir():
        if not file.is_file():
            continue
        (copy / file.name).write_bytes(file.read_bytes())
    command = [sys.executable, "-m", "feast.cli.cli", "-c", str(copy), "apply", "--skip-source-validation"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stderr
    assert "five_minutes" in done.stdout
