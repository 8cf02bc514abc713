"""What kind of trouble the words of log lines tell of."""

from __future__ import annotations

from datetime import timedelta

import pytest

from components.rootcause.diagnosis import diagnose
from components.rootcause.logkinds import said
from components.rootcause.specs import ScorerParams
from tests.rootcause.cases import NOTICED, case, frame, metrics


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("java.lang.OutOfMemoryError: Java heap space", "memory"),
        ("Memory cgroup out of memory: Killed process 312 (java)", "memory"),
        ("write failed: No space left on device", "disk"),
        ("open /data/x: too many open files", "disk"),
        ("HikariPool-1 - Connection is not available, request timed out after 30000ms.", "database"),
        ("ERROR: deadlock detected", "database"),
        ("FATAL: sorry, too many clients already", "database"),
        ("dial tcp 10.0.0.1:80: connect: connection refused", "network"),
        ("java.net.UnknownHostException: payment", "network"),
        ("Could not resolve placeholder 'smtp.host' in value", "configuration"),
        ("invalid config: missing field `port`", "configuration"),
        ("java.lang.NullPointerException: discount is null", "code"),
        ("Traceback (most recent call last):", "code"),
        ("CPU throttled for 3 s", "cpu"),
        ("context deadline exceeded", "latency"),
        ("order 17 could not be placed", None),
    ],
)
def test_words_tell_the_kind(line, kind):
    assert said(line) == kind


def test_an_out_of_memory_error_outweighs_slow_answers_in_the_kind():
    slow, line = metrics({("web", "latency_p99"): 25.0}), "OutOfMemoryError: Java heap space"
    before = [(NOTICED - timedelta(minutes=n), "web", "INFO", "served") for n in range(10, 110)]
    during = [(NOTICED + timedelta(seconds=10 * n), "web", "ERROR", line) for n in range(20)]
    cases = [case(slow, logs=frame("logs", rows)) for rows in (before, before + during)]
    assert [diagnose(one, ScorerParams()).causes[0]["kind"] for one in cases] == ["latency", "memory"]


def test_a_cause_says_what_spoke_for_its_kind():
    found = metrics({("web", "latency_p99"): 25.0, ("web", "cpu_percent"): 60.0})
    (item,) = (i for i in diagnose(case(found), ScorerParams()).causes[0]["evidence"] if i["type"] == "kind")
    assert list(item["shares"]) == ["cpu", "latency"]
    assert sum(item["shares"].values()) == pytest.approx(1.0, abs=0.01)
    assert item["text"].startswith("what speaks for its kind: cpu")


def test_a_cause_that_was_changed_says_what_told_its_kind():
    found = metrics({("web", "latency_p99"): 25.0, ("web", "cpu_percent"): 60.0})
    changes = frame("changes", [(NOTICED - timedelta(minutes=2), "web", "deploy web 2.3.1")])
    (item,) = (
        i for i in diagnose(case(found, changes=changes), ScorerParams()).causes[0]["evidence"] if i["type"] == "kind"
    )
    assert list(item["shares"]) == ["cpu", "latency"]
    assert (item["by"], item["change"]) == ("change", "code")
    assert item["text"].startswith("its kind is that of the change, code; what speaks for its kind: cpu")
