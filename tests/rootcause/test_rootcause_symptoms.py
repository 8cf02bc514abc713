"""What is felt speaks for a kind up to a limit, a resource of the service's own without one."""

from __future__ import annotations

import dataclasses
import math

import pytest

from components.rootcause.evidence import kind_of
from components.rootcause.ranking import Standing
from components.rootcause.signals import Signal
from components.rootcause.symptoms import subdued


def signal(metric, kind, excess, source="metrics", internal=False):
    return Signal("db", metric, kind, source, excess, internal, internal, True, math.nan, metric, excess=excess)


LATENCY = signal("http_request_duration", "latency", 7.0)
ERRORS = signal("http_errors", "error", 5.0)
FEW_ERRORS = signal("http_errors", "error", 0.5)
CPU = signal("cpu_usage", "cpu", 0.8, internal=True)
FAINT_CPU = signal("cpu_usage", "cpu", 0.1, internal=True)
BUSY_CPU = signal("cpu_usage", "cpu", 2.0, internal=True)
MEMORY = signal("memory_usage", "memory", 0.75, internal=True)
FREED = dataclasses.replace(MEMORY, rising=False)
POOL = signal("hikaricp_connections_pending", "database", 2.0, internal=True)
THREADS = signal("jvm_threads_live", "cpu", 6.0, internal=True)
WAIT = signal("span_wait", "network", 6.0, source="spans")
LINE = signal("log:panic", "code", 3.5, source="logs")
ALERT = signal("duration", "latency", 4.0, source="alerts")


@pytest.mark.parametrize(
    ("signals", "kind"),
    [
        ([LATENCY, ERRORS, CPU], "cpu"),
        ([LATENCY, ERRORS], "error"),
        ([LATENCY, FEW_ERRORS], "latency"),
        ([LATENCY, FAINT_CPU], "latency"),
        ([LATENCY, POOL, THREADS], "database"),
        ([LATENCY, THREADS], "latency"),
        ([LATENCY, CPU, THREADS], "cpu"),
        ([WAIT, POOL], "database"),
        ([WAIT, LATENCY], "network"),
        ([CPU, MEMORY], "memory"),
        ([BUSY_CPU, MEMORY], "cpu"),
        ([CPU, FREED], "cpu"),
        ([LATENCY, POOL, LINE], "code"),
        ([ALERT, CPU], "latency"),
    ],
    ids=[
        "a resource goes before what is felt",
        "of what is felt clearly, errors",
        "a few errors among slow requests",
        "a resource that hardly moved",
        "threads that wait are felt",
        "nothing but threads that wait",
        "threads that compute",
        "a wait whose reason is known",
        "a wait alone",
        "a processor that collects garbage",
        "a processor that does more than that",
        "memory that was freed",
        "log lines are not measured",
        "alerts are not measured",
    ],
)
def test_the_kind_of_a_cause(signals, kind):
    assert kind_of(subdued(Standing("db", 1.0, 1.0, tuple(signals)))) == kind
