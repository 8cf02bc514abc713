"""What the product found, as metrics: incidents, their causes, forecasts, anomalies, alerts."""

from __future__ import annotations

import json
from collections import Counter
from datetime import datetime, timedelta
from itertools import product

import polars as pl
from prometheus_client.core import GaugeMetricFamily, Metric

from components.core.lake import Lake
from components.core.times import Window

#: Services and series named in labels at most, the worst first; the rest is counted, not named.
MOST_SERVICES, MOST_SERIES = 50, 20
_HORIZONS_H = (1, 4, 24, 72, 168)
#: A series is abnormal now when its newest row of this long is.
_NOW = timedelta(minutes=15)
_OTHER = "other"


def gauge(name: str, text: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, labels=labels)


def incidents(lake: Lake) -> list[Metric]:
    """Incidents by status, kind and severity (zeros included), and what was ranked first among their causes."""
    table = lake.read_snapshot("incidents")
    diagnosed = lake.read_snapshot("diagnoses")
    causes = {row["incident_id"]: json.loads(row["causes"]) for row in diagnosed.iter_rows(named=True)}
    counts: Counter[tuple[str, str, str]] = Counter()
    first: Counter[tuple[str, str]] = Counter()
    oldest: datetime | None = None
    for row in table.iter_rows(named=True):
        counts[row["status"], _kind(row["evidence"]), row["severity"]] += 1
        if row["status"] == "open":
            oldest = min(oldest or row["started_at"], row["started_at"])
        for cause in causes.get(row["incident_id"], [])[:1]:
            first[cause["service"], cause["kind"]] += 1
    number = gauge("traceo_incidents", "Incidents as the newest look found them.", "status", "kind", "severity")
    for labels in product(("open", "resolved"), ("anomaly", "forecast"), ("critical", "warning")):
        number.add_metric(labels, counts[labels])
    ranked = gauge("traceo_incident_first_causes", "Incidents by what ranks first as cause.", "service", "cause_kind")
    for (service, kind), count in _bounded(first).items():
        ranked.add_metric([service, kind], count)
    since = gauge("traceo_incident_oldest_open_timestamp_seconds", "When the longest open incident began.")
    if oldest:
        since.add_metric([], oldest.timestamp())
    return [number, ranked, since]


def forecasts(lake: Lake) -> list[Metric]:
    """Series that are forecast to pass their limit: probabilities and the instant of the likeliest."""
    risks = lake.read_snapshot("risks")
    judged = risks.filter(~pl.col("abstained"))
    crossed = int(judged["already_crossed"].sum())
    states = {"ahead": len(judged) - crossed, "crossed": crossed, "abstained": len(risks) - len(judged)}
    number = gauge("traceo_forecast_series", "Series with a limit, by whether its crossing lies ahead.", "state")
    for state, count in states.items():
        number.add_metric([state], count)
    likely = judged.sort("p_168h", "p_24h", "service", "metric", descending=[True, True, False, False], nulls_last=True)
    labels = ("service", "metric")
    chance = gauge(
        "traceo_forecast_failure_probability_ratio",
        f"P(limit passed within the horizon), of the {MOST_SERIES} likeliest series.", *labels, "horizon",
    )  # fmt: skip
    when = gauge("traceo_forecast_limit_timestamp_seconds", "When the limit is passed in the median forecast.", *labels)
    for row in likely.head(MOST_SERIES).iter_rows(named=True):
        for hours in _HORIZONS_H:
            if row[f"p_{hours}h"] is not None:
                chance.add_metric([row["service"], row["metric"], f"{hours}h"], row[f"p_{hours}h"])
        if row["limit_at_q50"]:
            when.add_metric([row["service"], row["metric"]], row["limit_at_q50"].timestamp())
    return [number, chance, when]


def anomalies(lake: Lake) -> list[Metric]:
    """How many series are scored and how many of them, by service, are abnormal now."""
    scored = gauge("traceo_scored_series", "Series that were scored for anomalies.")
    abnormal = gauge("traceo_anomalous_series", "Series that are abnormal now, by service.", "service")
    end = lake.watermark("anomalies")
    if end is None:
        return [scored, abnormal]
    rows = lake.scan("anomalies", Window(end - _NOW, end)).select("timestamp", "service", "metric", "is_anomaly")
    newest = rows.collect().sort("timestamp").unique(["service", "metric"], keep="last")
    # Services without anything abnormal are told too: a dashboard must tell zero from nothing known.
    counts = Counter(dict.fromkeys(newest["service"].unique().sort().to_list(), 0))
    counts.update(newest.filter(pl.col("is_anomaly"))["service"].to_list())
    scored.add_metric([], len(newest))
    # A service may itself be called that; it is counted with the rest.
    named = [(service, count) for service, count in counts.most_common(MOST_SERVICES) if service != _OTHER]
    rest = sum(counts.values()) - sum(count for _, count in named)
    for service, count in [*named, *([(_OTHER, rest)] if len(named) < len(counts) else [])]:
        abnormal.add_metric([service], count)
    return [scored, abnormal]


def alerts(lake: Lake) -> list[Metric]:
    """Incidents that were told to the alert receiver, by whether the last attempt arrived."""
    table = lake.read_snapshot("alerts")
    arrived = int(table["delivered"].sum())
    told = gauge("traceo_incident_alerts", "Incidents by whether their last alert was delivered.", "delivered")
    told.add_metric(["true"], arrived)
    told.add_metric(["false"], len(table) - arrived)
    return [told]


def _kind(evidence: str) -> str:
    items = json.loads(evidence)
    return "forecast" if items and items[0]["kind"] == "forecast" else "anomaly"


def _bounded(counts: Counter[tuple[str, str]]) -> Counter[tuple[str, str]]:
    """The counts of the most frequent services by name, all others under one."""
    services = Counter[str]()
    for (service, _), count in counts.items():
        services[service] += count
    named = {service for service, _ in services.most_common(MOST_SERVICES)}
    bounded: Counter[tuple[str, str]] = Counter()
    for (service, kind), count in counts.items():
        bounded[service if service in named else _OTHER, kind] += count
    return bounded
