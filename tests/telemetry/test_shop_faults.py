"""The synthetic shop's fault script: what lies where, how strong it is, and that its truth stays out of the data."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
import polars as pl
import pytest

from components.core.catalog import load_catalog
from components.core.times import Window
from components.telemetry.shop import Fault, Shop
from components.telemetry.shop.effects import unix
from components.telemetry.shop.faults import LAST_DAY, RECIPES
from components.telemetry.shop.metrics import values
from components.telemetry.shop.services import INDEX, SERVICES, metrics_of

ANCHOR = datetime(2026, 6, 17, 15, 0, tzinfo=UTC)
DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)
LAST = Window(ANCHOR - DAY, ANCHOR)
CAUSES = {
    "cpu", "memory", "disk", "network", "latency", "error", "database", "configuration", "code", "traffic", "unknown",
}  # fmt: skip


def ended_in(faults: list[Fault], window: Window) -> list[Fault]:
    return [fault for fault in faults if window.start <= fault.end < window.end]


@pytest.mark.parametrize("seed", [1, 2, 3, 42])
def test_the_last_day_holds_one_of_each_well_apart(seed: int) -> None:
    found = ended_in(Shop(seed, ANCHOR).faults(LAST), LAST)
    real = [fault for fault in found if not fault.decoy]
    assert sorted(fault.kind for fault in real) == sorted(LAST_DAY)
    sales = [fault for fault in found if fault.kind == "flash_sale"]
    assert len(sales) == 1
    acute = sorted([*real, *sales], key=lambda fault: fault.acute_start)
    gaps = [later.acute_start - earlier.end for earlier, later in pairwise(acute)]
    assert min(gaps) >= 74.9 * MINUTE
    assert acute[0].acute_start >= LAST.start
    for fault in real:
        low, high = (20 * MINUTE, 45 * MINUTE) if fault.kind != "swap_growth" else (90 * MINUTE, 150 * MINUTE)
        assert low <= fault.end - fault.acute_start <= high, fault.id
        assert (fault.start < ANCHOR - 3 * DAY) == (fault.kind == "memory_leak")


@pytest.mark.parametrize("seed", [1, 2, 3, 42])
def test_every_fault_is_described_in_known_words(seed: int) -> None:
    services = {service.name: metrics_of(service) for service in SERVICES}
    faults = Shop(seed, ANCHOR).faults()
    assert len({fault.id for fault in faults}) == len(faults)
    assert [fault.start for fault in faults] == sorted(fault.start for fault in faults)
    for fault in faults:
        assert fault.metric in services[fault.service], fault.id
        assert fault.cause_kind in CAUSES
        assert fault.service not in fault.affected
        assert fault.start <= fault.acute_start < fault.end
        assert fault.decoy or "frontend" in fault.affected
        assert fault.failure_kind in (None, load_catalog()[fault.metric].failure_kind)


@pytest.mark.parametrize("seed", [1, 2, 3, 42])
def test_the_disk_passes_its_limit_two_to_three_days_after_the_anchor(seed: int) -> None:
    shop = Shop(seed, ANCHOR)
    (fault,) = [fault for fault in shop.faults() if fault.kind == "disk_fill"]
    assert ANCHOR - 11 * DAY < fault.start < ANCHOR - 9 * DAY
    assert fault.crosses_limit_at is not None
    assert ANCHOR + 1.9 * DAY < fault.crosses_limit_at < ANCHOR + 3.1 * DAY
    around = Window(fault.crosses_limit_at - 6 * 60 * MINUTE, fault.crosses_limit_at + 3 * 60 * MINUTE)
    disk = shop.metrics(around).filter((pl.col("service") == fault.service) & (pl.col("metric") == fault.metric))
    assert disk.head(240)["value"].median() < 95.0 <= disk.tail(120)["value"].median()


@pytest.mark.parametrize("kind", ["memory_leak", "pool_exhaustion"])
def test_a_crossing_is_where_the_data_crosses(kind: str) -> None:
    shop = Shop(1, ANCHOR)
    (fault,) = [fault for fault in shop.faults(LAST) if fault.kind == kind]
    assert fault.crosses_limit_at is not None
    assert fault.start < fault.crosses_limit_at < fault.end
    after = shop.metrics(Window(fault.crosses_limit_at, fault.end))
    own = after.filter((pl.col("service") == fault.service) & (pl.col("metric") == fault.metric))["value"]
    assert own[0] >= RECIPES[kind].limit
    before = shop.metrics(Window(fault.crosses_limit_at - 10 * MINUTE, fault.crosses_limit_at))
    earlier = before.filter((pl.col("service") == fault.service) & (pl.col("metric") == fault.metric))["value"]
    assert earlier.median() < own.median()


def test_limits_are_the_catalogues() -> None:
    for recipe in RECIPES.values():
        assert recipe.limit in (None, load_catalog()[recipe.metric].limit)


def test_the_history_is_mostly_clean_and_the_future_goes_on() -> None:
    counts = []
    for seed in range(1, 5):
        shop = Shop(seed, ANCHOR)
        past = Window(ANCHOR - 29 * DAY, ANCHOR - DAY)
        history = [f for f in shop.faults(past) if not f.decoy and f.kind not in ("disk_fill", "memory_leak")]
        counts.append(len(history))
        far = Window(ANCHOR + 300 * DAY, ANCHOR + 310 * DAY)
        assert 8 <= len([f for f in ended_in(shop.faults(far), far) if not f.decoy]) <= 12
    assert all(7 <= count <= 9 for count in counts)


def test_faults_do_not_depend_on_the_window_asked_for() -> None:
    shop = Shop(5, ANCHOR)
    whole = {fault.id: fault for fault in shop.faults()}
    for day in range(-29, 6, 3):
        window = Window(ANCHOR + day * DAY, ANCHOR + (day + 1) * DAY)
        for fault in shop.faults(window):
            assert whole[fault.id] == fault
            assert fault.start < window.end
            assert fault.end > window.start


def test_what_the_future_holds_leaves_no_mark_on_the_past() -> None:
    for seed in range(1, 5):
        faults = [fault for fault in Shop(seed, ANCHOR).faults() if not fault.decoy and fault.kind != "disk_fill"]
        assert all(fault.start >= ANCHOR for fault in faults if fault.end > ANCHOR)


def test_the_call_graph_names_every_service() -> None:
    calls = Shop(1, ANCHOR).calls()
    names = [service.name for service in SERVICES]
    assert len(calls) == len(set(calls)) == 17
    assert {name for call in calls for name in call} == set(names)
    assert ("checkout", "payment") in calls
    assert ("queue", "email") in calls


@pytest.mark.parametrize("seed", [1, 7])
def test_root_causes_move_many_robust_sigmas(seed: int) -> None:
    shop = Shop(seed, ANCHOR)
    events = shop._script.events(LAST.start, LAST.end)
    harmless = [effect for event in events if event.fault.decoy for effect in event.effects]
    ticks = np.arange(int(unix(ANCHOR - 3 * DAY)) // 30, int(unix(ANCHOR)) // 30, dtype=np.int64)
    usual = values(seed, [], ticks)
    for event in ended_in_last_day(events):
        fault, row = event.fault, INDEX[event.fault.service]
        start, end = unix(fault.acute_start), unix(fault.end)
        during = np.arange(int(start + 0.5 * (end - start)) // 30, int(end) // 30 - 4, dtype=np.int64)
        faulty = values(seed, [*harmless, *event.effects], during, [fault.metric])[fault.metric][row]
        calm = values(seed, harmless, during, [fault.metric])[fault.metric][row]
        level = usual[fault.metric][row]
        sigma = 1.4826 * np.median(np.abs(level - np.median(level)))
        assert np.median(faulty - calm) / sigma > 5.0, fault.id


def ended_in_last_day(events: list) -> list:
    return [event for event in events if not event.fault.decoy and LAST.start <= event.fault.end < LAST.end]


def test_no_truth_is_written_into_the_telemetry() -> None:
    shop = Shop(1, ANCHOR)
    texts = [*shop.logs(LAST)["body"], *shop.changes(LAST)["what"], *shop.spans(LAST)["name"].unique()]
    told = "\n".join(texts).lower()
    for word in ("fault", "inject", "synthetic", "decoy", "anomal", *LAST_DAY):
        assert word not in told.replace("default", ""), word
    assert set(shop.metrics(Window(LAST.start, LAST.start + MINUTE)).columns).isdisjoint(
        {"attributes", "label", "fault"}
    )
