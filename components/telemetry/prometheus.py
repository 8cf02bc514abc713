"""A Prometheus server as a source: every expression of the catalogue, sampled at one step.

A series' `service` is its label `service`, else `job`. Its other labels but `instance` go into `attributes`
and, as `host:9100{device="sda"}`, into the column `instance`: two disks of one host stay two series, whatever
other disks come and go. Features then aggregate over a service's instances, so a service's value is that of
its worst or mean disk, as they choose.

Samples are what the server computes at each step: a series that has gone stale ends, and NaN is left out.
A window is asked for once. What reaches the server later (back-filled blocks, out-of-order remote write) is not
seen any more: import after back-filling.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

import polars as pl

from components.core.errors import ServiceError
from components.core.schema import TABLES
from components.core.settings import without_credentials
from components.core.times import Window, floor
from components.telemetry.plan import STEP
from components.telemetry.prometheus_api import MAX_POINTS, PrometheusApi, QueryRefused

#: How far back the oldest sample is looked for.
_LONGEST_HISTORY = timedelta(days=400)


class PrometheusSource:
    """The catalogue's expressions (PromQL by metric name) on one server, every `step_s` seconds."""

    live = True

    def __init__(
        self, url: str, expressions: Mapping[str, str], step_s: int = 30, api: PrometheusApi | None = None
    ) -> None:
        self.name = without_credentials(url)
        self._api = api or PrometheusApi(url)
        self._expressions = dict(expressions)
        self._step_s = step_s
        self._answered: set[str] = set()
        self._refused: dict[str, str] = {}
        self._asked = False

    def extent(self) -> Window | None:
        """From the oldest sample, to the precision of the server's index, to the server's last whole five minutes."""
        return self._extent

    def read(self, table: str, window: Window) -> pl.DataFrame:
        schema = TABLES[table]
        if table != "metrics":
            return schema.empty()
        self._asked = True
        frames = [frame for metric in self._expressions for frame in self._read_metric(metric, window)]
        return pl.concat([schema.empty(), *(schema.conform(frame, self.name) for frame in frames)], how="diagonal")

    def notes(self) -> list[str]:
        notes = [f"{name}: refused and left out: {reason}" for name, reason in sorted(self._refused.items())]
        silent = sorted(set(self._expressions) - self._answered - set(self._refused))
        if self._asked and silent:
            notes.append(f"no series for {', '.join(silent)}")
        if self._asked and not self._answered:
            notes.append(f"{self.name} has no series for any expression of the catalogue; adapt its PromQL")
        return notes + [f"{self.name} warns: {warning}" for warning in sorted(self._api.warnings)]

    @cached_property
    def _extent(self) -> Window:
        now_s = _number(self._api.query("time()")[1], self.name)
        now = datetime.fromtimestamp(now_s, UTC)
        oldest_s = self._oldest(now_s - _LONGEST_HISTORY.total_seconds(), now_s)
        end = floor(now, STEP)
        return Window(min(floor(datetime.fromtimestamp(oldest_s, UTC), STEP), end), end)

    def _oldest(self, low_s: float, high_s: float) -> float:
        """The time before which the server has no series, by halving; `high_s` where it has none at all."""
        start_s = low_s
        while high_s - low_s > STEP.total_seconds():
            middle_s = (low_s + high_s) / 2
            if self._api.has_labels(start_s, middle_s):
                high_s = middle_s
            else:
                low_s = middle_s
        return low_s

    def _read_metric(self, metric: str, window: Window) -> Iterator[pl.DataFrame]:
        if metric in self._refused:
            return
        for start_s, end_s in _ranges(window, self._step_s):
            try:
                series = self._api.query_range(self._expressions[metric], start_s, end_s, self._step_s)
            except QueryRefused as error:
                # One expression that this server cannot compute does not stop the others.
                self._refused[metric] = str(error)
                return
            for one in series:
                self._answered.add(metric)
                yield _samples(one, metric, self.name)


def _ranges(window: Window, step_s: int) -> Iterator[tuple[int, int]]:
    """First and last instant of each range query: within the half-open window, at most MAX_POINTS each."""
    first, end = math.ceil(window.start.timestamp() / step_s) * step_s, window.end.timestamp()
    while first < end:
        last = min(first + (MAX_POINTS - 1) * step_s, first + math.ceil((end - first) / step_s - 1) * step_s)
        yield first, last
        first = last + step_s


def _samples(series: Mapping[str, Any], metric: str, where: str) -> pl.DataFrame:
    """One series of a range query as rows; what is no finite number is left out."""
    try:
        labels = {str(name): str(value) for name, value in series["metric"].items()}
        times = pl.Series("timestamp", [round(float(at) * 1e6) for at, _ in series["values"]], dtype=pl.Int64)
        values = pl.Series("value", [float(value) for _, value in series["values"]], dtype=pl.Float64)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ServiceError(
            f"{where}: {metric}: a series is malformed ({error!r}); is this a Prometheus server?"
        ) from None
    service, instance, others = _identity(labels)
    return (
        pl.DataFrame([times.cast(pl.Datetime("us")).dt.replace_time_zone("UTC"), values])
        .filter(pl.col("value").is_finite())
        .with_columns(
            service=pl.lit(service),
            metric=pl.lit(metric),
            instance=pl.lit(instance),
            attributes=pl.lit(json.dumps(others, sort_keys=True, ensure_ascii=False)),
        )
    )


def _identity(labels: Mapping[str, str]) -> tuple[str, str, dict[str, str]]:
    """Service, instance and the other labels of a series; no two series of a metric share the first two."""
    role = "service" if labels.get("service") else "job"
    others = {name: labels[name] for name in sorted(labels) if name not in (role, "instance", "__name__")}
    folded = ",".join(f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in others.items())
    instance = labels.get("instance", "") + (f"{{{folded}}}" if folded else "")
    return labels.get(role) or "unknown", instance, others


def _number(value: Any, where: str) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise ServiceError(f"{where}: its time {value!r} is not a number; is this a Prometheus server?") from None
