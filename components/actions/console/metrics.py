"""`/metrics`: what the product found and how it fares itself, for Prometheus.

Each source (the lake, the registry, …) is read on its own, at most once in `FRESH_S`. After `WAIT_S` the answer goes
out with the reading before, where that is younger than `USABLE_S`, or without: a source that is broken or away costs
its own metrics and counts in `traceo_collector_errors_total`, never the page. Names follow Prometheus' conventions:
base units, instants as Unix seconds, and labels whose number of values is bounded.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from components.actions.console import findings, operations
from components.core.lake import Lake
from components.core.settings import Settings

#: Several scrapers, or one that scrapes often, share a reading this old.
FRESH_S = 15.0
#: Well below the ten seconds that Prometheus gives a scrape by default.
WAIT_S = 3.0
USABLE_S = 120.0

Read = Callable[[], Sequence[Metric]]
logger = logging.getLogger("traceo.console")


class Source:
    """One thing to read metrics from, its last reading, and how often it failed."""

    def __init__(self, name: str, read: Read) -> None:
        self.name, self._read = name, read
        self._thread: threading.Thread | None = None
        self._metrics: Sequence[Metric] = ()
        self._read_at = float("-inf")
        self.errors, self.duration_s = 0, 0.0

    def start(self, fresh_s: float) -> None:
        """Begin to read, unless a reading is under way or the last one is fresh."""
        running = self._thread is not None and self._thread.is_alive()
        if running or time.monotonic() - self._read_at < fresh_s:
            return
        self._thread = threading.Thread(target=self._run, name=f"metrics-{self.name}", daemon=True)
        self._thread.start()

    def result(self, until: float) -> Sequence[Metric]:
        """The reading, or the one before where it is not there at `until` (monotonic seconds); nothing if it failed."""
        if self._thread:
            self._thread.join(max(0.0, until - time.monotonic()))
            if self._thread.is_alive() and time.monotonic() - self._read_at > USABLE_S:
                self.errors += 1
                logger.warning("metrics of %s: no answer yet, left out", self.name)
                return ()
        return self._metrics

    def _run(self) -> None:
        began = time.monotonic()
        try:
            self._metrics = self._read()
        except Exception as error:  # whatever one source raises, the others are shown
            self._metrics = ()
            self.errors += 1
            logger.warning("metrics of %s: %s: %s", self.name, type(error).__name__, error)
        self._read_at = time.monotonic()
        self.duration_s = self._read_at - began


class ProductCollector(Collector):
    """Reads every source when Prometheus asks."""

    def __init__(self, sources: Mapping[str, Read], fresh_s: float = FRESH_S, wait_s: float = WAIT_S) -> None:
        self._sources = [Source(name, read) for name, read in sources.items()]
        self._fresh_s, self._wait_s = fresh_s, wait_s
        self._lock = threading.Lock()

    def collect(self) -> Iterator[Metric]:
        with self._lock:
            found = self._collect()
        yield from found

    def _collect(self) -> list[Metric]:
        until = time.monotonic() + self._wait_s
        for source in self._sources:
            source.start(self._fresh_s)
        found = [metric for source in self._sources for metric in source.result(until)]
        errors = CounterMetricFamily(
            "traceo_collector_errors", "Readings of a source that failed or came too late.", labels=["source"]
        )
        duration = GaugeMetricFamily(
            "traceo_collector_duration_seconds", "Time the last reading of a source took.", labels=["source"]
        )
        for source in self._sources:
            errors.add_metric([source.name], source.errors)
            duration.add_metric([source.name], source.duration_s)
        return [*found, errors, duration]


def product_registry(settings: Settings, wait_s: float = WAIT_S) -> CollectorRegistry:
    """A registry of its own with the metrics of the product in `settings.home`."""
    lake = Lake(settings.lake_uri)
    sizes = operations.PartitionRows()
    sources: dict[str, Read] = {
        "lake": lambda: operations.lake_state(lake, sizes),
        "incidents": lambda: findings.incidents(lake),
        "forecasts": lambda: findings.forecasts(lake),
        "anomalies": lambda: findings.anomalies(lake),
        "alerts": lambda: findings.alerts(lake),
        "registry": operations.models,
        "ledger": lambda: operations.decisions(settings.home),
        "runs": lambda: operations.tasks(settings.home),
    }
    registry = CollectorRegistry()
    registry.register(ProductCollector(sources, wait_s=wait_s))
    return registry


def exposition(registry: CollectorRegistry, accepted: str | None) -> tuple[bytes, str]:
    """The registry in the format that the scraper's `Accept` header prefers, and its content type."""
    encode, kind = choose_encoder(accepted or "")
    return encode(registry), kind
