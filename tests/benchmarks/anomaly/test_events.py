"""Found stretches, false events and delays on rows drawn by hand: one sign per minute."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tests.benchmarks.anomaly.events import WEEK_US, judge, number, pooled_threshold

_MINUTE_US = 60_000_000


def _bools(text: str) -> np.ndarray:
    return np.array([sign == "1" for sign in text])


def _times(rows: int) -> np.ndarray:
    return np.arange(rows, dtype=np.int64) * _MINUTE_US


@pytest.mark.parametrize(
    ("labels", "events", "stretches", "hits", "count", "false", "delays"),
    [
        ("0011000110", "0000000000", 2, 0, 0, 0, []),
        ("0011000110", "0011000022", 2, 2, 2, 0, [0, 1]),
        ("0011000110", "1101000020", 2, 2, 2, 0, [1, 1]),
        # One event over both stretches finds both.
        ("0011000110", "0001111100", 2, 2, 1, 0, [1, 0]),
        # An event around a stretch none of whose flagged rows lies in it is false.
        ("0000100000", "0001010000", 1, 0, 1, 1, []),
        ("0000000000", "0110030000", 0, 0, 2, 2, []),
        ("1000000001", "1002000003", 2, 2, 3, 1, [0, 0]),
    ],
)
def test_judge(
    labels: str, events: str, stretches: int, hits: int, count: int, false: int, delays: list[float]
) -> None:  # fmt: skip
    found = judge(_times(10), _bools(labels), np.array([int(sign) for sign in events]))
    assert (found.stretches, found.hits, found.events, found.false_events) == (stretches, hits, count, false)
    assert list(found.delays_min) == delays
    assert found.weeks == 9 * _MINUTE_US / WEEK_US


@pytest.mark.parametrize(
    ("flagged", "pause_min", "numbers"),
    [("0000", 1, "0000"), ("1101", 1, "1102"), ("1101", 2, "1101"), ("1001", 2, "1002"), ("1111", 0, "1234")],
)
def test_rows_closer_than_the_pause_are_one_event(flagged: str, pause_min: int, numbers: str) -> None:
    found = number(_times(4), _bools(flagged), pause_min * _MINUTE_US)
    assert "".join(map(str, found)) == numbers


@pytest.mark.parametrize("share", [0.0, 0.05, 0.5, 0.99])
def test_a_pooled_threshold_flags_no_more_than_its_share(share: float) -> None:
    random = np.random.default_rng(0)
    parts = [random.random(300), np.round(random.random(700), 1)]
    above = np.concatenate(parts) > pooled_threshold(parts, share)
    assert above.mean() <= share
    assert (np.concatenate(parts) >= pooled_threshold(parts, share)).mean() > share


def test_a_pooled_threshold_of_nothing_flags_nothing() -> None:
    assert pooled_threshold([], 0.05) == math.inf
