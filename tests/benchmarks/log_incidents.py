"""Are the few clusters of lines of an incident those of its fault, and do the right series move with them? The shop."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import polars as pl

from components.core.times import Window
from components.logs.counting import count_lines
from components.logs.movement import HISTORY, MOST, moving_series
from components.logs.specs import MineParams
from components.logs.surges import find_surges
from components.telemetry.shop import Fault, Shop
from tests.benchmarks.results import table, wilson

_ANCHOR = datetime(2026, 3, 14, 12, tzinfo=UTC)
_SEEDS = (21, 22, 23, 24)
_DAY, _HOUR = timedelta(days=1), timedelta(hours=1)
#: Clusters that an incident lists, and how long after a fault its lines may go on.
_LISTED, _LATE = 3, timedelta(minutes=10)


def report() -> list[str]:
    """The paragraphs of RESULTS.md on incidents."""
    judged, naive = [], []
    for seed in _SEEDS:
        shop = Shop(seed, _ANCHOR)
        faults, (surges, counts, kinds) = shop.faults(Window(_ANCHOR - _DAY, _ANCHOR)), _day(shop)
        judged.append(judge(faults, surges, kinds))
        naive.append(judge(faults, _most_frequent(counts), kinds))
    rows = [_row("Traceo: templates that surge, alike ones together", judged)]
    # The naive list names no metrics.
    rows.append([*_row("naive: the most frequent templates of trouble in each five minutes", naive)[:4], "–", "–"])
    return [
        "### Clusters of an incident",
        f"The synthetic shop, {len(_SEEDS)} days with one fault of every kind (seeds that nothing was chosen on). Of "
        f"each fault's time up to {_LISTED} clusters of lines are listed, trouble and surprise first, as the incident "
        "page does; one is right where its service is the fault's or feels it. *Outside*: clusters per day at times of "
        "no fault, decoys (a flash sale, a nightly batch, …) included. *Its metric*: faults whose own metric is among "
        f"the {MOST} that are most often said to move with the lines of the fault's service; chance: as many drawn "
        "from the metrics of that service.",
        table(("", "clusters right", "faults with a right one", "outside, per day", "its metric", "chance"), rows),
    ]


def judge(faults: Sequence[Fault], surges: pl.DataFrame, kinds: dict[str, int]) -> dict[str, float]:
    """Sums of one day; kinds: how many metrics each service has."""
    real = [fault for fault in faults if not fault.decoy and fault.acute_start <= _ANCHOR]
    total = dict.fromkeys(("listed", "right", "faults", "found", "outside", "own", "chance"), 0.0)
    for fault in real:
        within = pl.col("timestamp").is_between(fault.acute_start - timedelta(minutes=5), fault.end)
        listed = clusters(surges.filter(within)).head(_LISTED)
        felt = [
            other for other in real if other.acute_start < fault.end + _LATE and fault.acute_start < other.end + _LATE
        ]
        services = {name for other in felt for name in (other.service, *other.affected)}
        right = listed.filter(pl.col("service").is_in(list(services)))
        own = right.filter(pl.col("service") == fault.service)["series"]
        moved = [name for name, _ in Counter(one["metric"] for texts in own for one in texts).most_common(MOST)]
        total["listed"] += len(listed)
        total["right"] += len(right)
        total["faults"] += 1
        total["found"] += len(right) > 0
        total["own"] += fault.metric in moved
        total["chance"] += MOST / kinds[fault.service]
    calm = ~pl.any_horizontal(
        pl.lit(False),
        *(pl.col("timestamp").is_between(f.acute_start - timedelta(minutes=5), f.end + _LATE) for f in real),
    )
    total["outside"] = len(clusters(surges.filter(calm)))
    return total


def clusters(surges: pl.DataFrame) -> pl.DataFrame:
    """`service, cluster, count, expected, trouble, series` of each cluster, the most telling first."""
    trouble = ~pl.col("severity").str.to_uppercase().str.contains("^(TRACE|DEBUG|INFO|NOTICE)")
    merged = surges.group_by("service", pl.col("cluster").first().over("template_id")).agg(
        pl.col("count", "expected").sum(), trouble.any().alias("trouble"), pl.col("series").alias("texts")
    )
    surprise = pl.col("count") * ((pl.col("count") + 1) / (pl.col("expected") + 1)).log()
    ranked = merged.sort(["trouble", surprise, "service", "cluster"], descending=[True, True, False, False])
    series = [[one for text in texts for one in json.loads(text)] for texts in ranked["texts"]]
    return ranked.with_columns(pl.Series("series", series, dtype=pl.Object))


def _day(shop: Shop) -> tuple[pl.DataFrame, pl.DataFrame, dict[str, int]]:
    """The surges and counts of the day before the anchor, and the number of metrics of each service."""
    params = MineParams()
    before = timedelta(hours=params.compared_h)
    whole, day = Window(_ANCHOR - _DAY - before, _ANCHOR), Window(_ANCHOR - _DAY, _ANCHOR)
    hours = round(whole.length / _HOUR)
    parts = [Window(whole.start + hour * _HOUR, whole.start + (hour + 1) * _HOUR) for hour in range(hours)]
    counts = pl.concat([count_lines(shop.logs(part)) for part in parts])
    surges = find_surges(counts, day, [whole], before, params.max_p_value)
    metrics = shop.metrics(Window(day.start - HISTORY, day.end))
    kinds = dict(metrics.group_by("service").agg(pl.col("metric").n_unique()).iter_rows())
    return surges.with_columns(moving_series(surges, counts, metrics)), counts, kinds


def _most_frequent(counts: pl.DataFrame) -> pl.DataFrame:
    """The three most frequent templates of trouble in each slot, as rows of surges."""
    day = counts.filter(pl.col("timestamp") >= _ANCHOR - _DAY)
    trouble = day.filter(~pl.col("severity").str.to_uppercase().str.contains("^(TRACE|DEBUG|INFO|NOTICE)"))
    top = trouble.sort("count", "service", "template_id", descending=[True, False, False]).group_by("timestamp").head(3)
    return top.with_columns(cluster=pl.col("template_id"), expected=pl.lit(0.0), series=pl.lit("[]"))


def _row(name: str, days: Sequence[dict[str, float]]) -> list[str]:
    total = {key: sum(day[key] for day in days) for key in days[0]}
    listed, right, faults, found, own = (round(total[key]) for key in ("listed", "right", "faults", "found", "own"))
    outside, chance = total["outside"] / len(days), total["chance"] / faults
    return [name, wilson(right, listed), wilson(found, faults), f"{outside:.1f}", wilson(own, faults), f"{chance:.0%}"]
