"""What a stack found, in one screen: forecast failures, anomalies, the last incident, where the time went."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta

import polars as pl

from components.cli.local.airflow import Run
from components.cli.local.layout import Stack
from components.core.lake import Lake
from components.core.settings import without_credentials
from components.core.times import Window

_LISTED = 5
_NOTEWORTHY_PROBABILITY = 0.5
_WIDTH = 26


def describe(stack: Stack, runs: Sequence[Run]) -> str:
    """The summary that `make run` prints; its first line is `Traceo is ready`."""
    lake = Lake(f"{stack.home}/lake")
    parts = [
        "Traceo is ready",
        _source(stack, lake),
        "\nForecast to fail within 7 days",
        *_forecasts(lake),
        "\nAbnormal in the last hour",
        *_anomalies(lake),
        "\nLast incident",
        *_incident(lake),
        "\nWhere the time went",
        *_times(runs),
        "\nPages",
        *_pages(stack),
        "\nPress Ctrl-C to stop.",
    ]
    return "\n".join(parts)


def _source(stack: Stack, lake: Lake) -> str:
    covered, source = lake.coverage("metrics"), without_credentials(stack.source)
    if not covered:
        return f"Source: {source} (nothing imported yet)"
    note = " (synthetic)" if stack.source.startswith("shop://") else ""
    return f"Source: {source}{note}, {covered[0].start:%Y-%m-%d %H:%M} to {covered[-1].end:%Y-%m-%d %H:%M} UTC"


def _forecasts(lake: Lake) -> list[str]:
    risks = lake.read_snapshot("risks").filter(~pl.col("abstained"), ~pl.col("already_crossed"))
    likely = risks.filter(pl.col("p_168h") >= _NOTEWORTHY_PROBABILITY).sort("p_168h", descending=True)
    lines = []
    for row in likely.head(_LISTED).iter_rows(named=True):
        when = f", around {row['limit_at_q50']:%a %d %b %H:%M}" if row["limit_at_q50"] else ""
        series = f"{row['service']} {row['metric']}"
        lines.append(f"  {series:<{_WIDTH}} {row['p_168h']:.0%} likely to pass {row['limit']:g}{when}")
    return lines or [f"  nothing at {_NOTEWORTHY_PROBABILITY:.0%} or more among {len(risks)} series with a limit"]


def _anomalies(lake: Lake) -> list[str]:
    end = lake.watermark("anomalies")
    if end is None:
        return ["  not scored yet"]
    recent = lake.scan("anomalies", Window(end - timedelta(hours=1), end)).filter(pl.col("is_anomaly"))
    worst = (
        recent.sort("score", descending=True).unique(["service", "metric"], keep="first", maintain_order=True).collect()
    )
    lines = [
        f"  {row['service'] + ' ' + row['metric']:<{_WIDTH}} score {row['score']:.1f}: {row['reason']}"
        for row in worst.head(_LISTED).iter_rows(named=True)
    ]
    return lines or ["  nothing"]


def _incident(lake: Lake) -> list[str]:
    # What is forecast stands above; here is what happened.
    happened = ~pl.col("evidence").str.starts_with('[{"kind": "forecast"')
    incidents = lake.read_snapshot("incidents").filter(happened).sort("started_at", descending=True)
    if incidents.is_empty():
        return ["  none"]
    row = incidents.row(0, named=True)
    lines = [f"  {row['title']} ({row['status']}, since {row['started_at']:%Y-%m-%d %H:%M} UTC)"]
    found = lake.read_snapshot("diagnoses").filter(pl.col("incident_id") == row["incident_id"])
    causes = json.loads(found["causes"][0]) if len(found) else []
    if causes:
        first = causes[0]
        lines.append(f"  cause: {first['service']} ({first['kind']}), {first.get('metric') or 'no single metric'}")
        lines += [f"    {_text(item)}" for item in first["evidence"][:2]]
    if row["recommendation"]:
        lines.append(f"  do: {row['recommendation']}")
    return lines


def _text(evidence: object) -> str:
    return str(evidence.get("text", evidence)) if isinstance(evidence, dict) else str(evidence)


def _times(runs: Sequence[Run]) -> list[str]:
    tasks = [
        (seconds, f"{run.dag.removeprefix('traceo_')}.{task}")
        for run in runs
        for task, seconds in run.durations_s.items()
    ]
    lines = [f"  {name:<40} {seconds:6.1f} s" for seconds, name in sorted(tasks, reverse=True)[:_LISTED]]
    return [*lines, f"  {'all tasks':<40} {sum(seconds for seconds, _ in tasks):6.1f} s"]


def _pages(stack: Stack) -> list[str]:
    lines = [f"  {service.title:<16} {service.url}" for service in stack.services]
    return [*lines, f"  Airflow login: admin, password {stack.password()}"]
