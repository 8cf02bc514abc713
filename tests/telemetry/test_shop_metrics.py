"""The synthetic shop's metrics: purity, schema, seasons, and how effects travel through the call tree."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from components.core.catalog import load_catalog
from components.core.errors import InputError
from components.core.schema import TABLES
from components.core.times import Window
from components.telemetry.shop import Shop
from components.telemetry.shop.effects import Effect, unix
from components.telemetry.shop.metrics import SERIES, values
from components.telemetry.shop.services import INDEX, NAMES

ANCHOR = datetime(2026, 3, 11, 9, 30, tzinfo=UTC)
DAY = Window(ANCHOR - timedelta(days=1), ANCHOR)
SHOP = Shop(3, ANCHOR)


def split(window: Window, step: timedelta) -> list[Window]:
    starts = [window.start + k * step for k in range(-(-window.length // step))]
    return [Window(start, min(start + step, window.end)) for start in starts]


@pytest.fixture(scope="module")
def day() -> pl.DataFrame:
    return SHOP.metrics(DAY)


def series(frame: pl.DataFrame, service: str, metric: str) -> np.ndarray:
    return frame.filter((pl.col("service") == service) & (pl.col("metric") == metric))["value"].to_numpy()


@pytest.mark.parametrize("step", [timedelta(hours=1), timedelta(minutes=47, seconds=13, microseconds=1)])
def test_any_split_gives_the_same_rows(day: pl.DataFrame, step: timedelta) -> None:
    parts = pl.concat([SHOP.metrics(part) for part in split(DAY, step)])
    assert_frame_equal(parts, day, check_exact=True)


def test_rows_fit_the_schema_and_come_every_30_seconds(day: pl.DataFrame) -> None:
    schema = TABLES["metrics"]
    assert set(schema.conform(day, "day").columns) == {"timestamp", "service", "metric", "value", "instance"}
    assert len(day) == 2880 * len(SERIES) == day.n_unique(["timestamp", "service", "instance", "metric"])
    assert day["timestamp"].min() == DAY.start
    assert day["timestamp"].max() == DAY.end - timedelta(seconds=30)
    assert day["value"].is_finite().all()
    assert day["value"].min() >= 0.0


def test_every_metric_is_in_the_catalogue_and_within_its_capacity(day: pl.DataFrame) -> None:
    catalog = load_catalog()
    highest = dict(day.group_by("metric").agg(pl.col("value").max()).iter_rows())
    assert set(highest) == set(catalog)
    assert [name for name, top in highest.items() if top > (catalog[name].capacity or np.inf)] == []


def test_an_empty_window_gives_no_rows_of_the_same_schema(day: pl.DataFrame) -> None:
    empty = SHOP.metrics(Window(ANCHOR, ANCHOR))
    assert len(empty) == 0
    assert set(empty.columns) == set(day.columns)
    assert len(SHOP.metrics(Window(ANCHOR + timedelta(seconds=1), ANCHOR + timedelta(seconds=29)))) == 0


def test_seeds_differ_and_the_same_seed_does_not() -> None:
    window = Window(ANCHOR, ANCHOR + timedelta(minutes=5))
    assert_frame_equal(Shop(3, ANCHOR).metrics(window), SHOP.metrics(window), check_exact=True)
    assert (Shop(4, ANCHOR).metrics(window)["value"] != SHOP.metrics(window)["value"]).mean() > 0.95


def test_an_anchor_without_a_zone_is_refused() -> None:
    with pytest.raises(InputError, match="no time zone"):
        Shop(1, datetime(2026, 3, 1))  # noqa: DTZ001


@pytest.fixture(scope="module")
def week() -> dict[str, np.ndarray]:
    """A week without any fault."""
    first = int(unix(ANCHOR)) // 30
    ticks = np.arange(first - 7 * 2880, first, dtype=np.int64)
    return values(1, (), ticks, ["request_rate", "cpu_utilization", "latency_p99_trend"])


def test_load_has_a_daily_season_that_all_services_share(week: dict[str, np.ndarray]) -> None:
    rate = week["request_rate"][INDEX["frontend"]].reshape(7, 2880)
    night, evening = rate.min(axis=1), rate.max(axis=1)
    assert (evening / night > 2.0).all()
    assert np.corrcoef(rate[1], rate[2])[0, 1] > 0.9
    cpu = [np.corrcoef(week["cpu_utilization"][row], rate.ravel())[0, 1] for row in range(len(NAMES))]
    assert min(cpu) > 0.6


def test_noise_is_autocorrelated(week: dict[str, np.ndarray]) -> None:
    latency = np.log(week["latency_p99_trend"][INDEX["payment"]])
    rest = latency - np.convolve(latency, np.ones(721) / 721, mode="same")
    rest = rest[1000:-1000]
    assert 0.2 < np.corrcoef(rest[:-1], rest[1:])[0, 1] < 0.95


def test_slowness_and_errors_reach_the_callers_but_not_the_callees() -> None:
    end = unix(ANCHOR)
    ticks = np.arange(int(end) // 30 - 60, int(end) // 30 - 10, dtype=np.int64)
    slow = Effect("payment", "own_ms", 3.0, end - 3600, end)
    failing = Effect("payment", "error", 0.2, end - 3600, end)
    before, after = values(1, (), ticks), values(1, (slow, failing), ticks)
    latency = (after["latency_p99_trend"] / before["latency_p99_trend"]).mean(axis=1)
    errors = (after["error_rate_trend"] - before["error_rate_trend"]).mean(axis=1)
    assert latency[INDEX["payment"]] > latency[INDEX["checkout"]] > latency[INDEX["frontend"]] > 1.05
    assert errors[INDEX["payment"]] > errors[INDEX["checkout"]] > errors[INDEX["frontend"]] > 1.0
    for bystander in ("orders-db", "shipping", "search", "cache"):
        assert latency[INDEX[bystander]] == pytest.approx(1.0)
        assert errors[INDEX[bystander]] == pytest.approx(0.0)


@pytest.mark.parametrize("seed", [1, 2])
def test_sales_batches_and_rotation_never_cross_a_limit(seed: int) -> None:
    shop, start = Shop(seed, ANCHOR), ANCHOR - timedelta(days=28)
    # The sale of a Thursday, a night, and two rotations of every log.
    thursday = start + timedelta(days=(3 - start.weekday()) % 7)
    window = Window(thursday, thursday + timedelta(days=1, hours=12))
    harmless = [event for event in shop._script.events(window.start, window.end) if event.fault.decoy]
    assert {event.fault.kind for event in harmless} == {"flash_sale", "nightly_batch", "log_rotation"}
    ticks = np.arange(int(unix(window.start)) // 30, int(unix(window.end)) // 30, dtype=np.int64)
    levels = values(seed, [effect for event in harmless for effect in event.effects], ticks)
    for service, metric in SERIES:
        limit = load_catalog()[metric].limit
        means = levels[metric][INDEX[service]].reshape(-1, 10).mean(axis=1)
        assert limit is None or means.max() < limit, (service, metric)
