"""Lines that name the same things are of one trace, where time tells nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl

from components.core.times import TIME_DTYPE
from components.logs.consistency import Consistency
from components.logs.tracing import link_traces

T0 = datetime(2026, 3, 1, tzinfo=UTC)


def _scores(messages: list[str], traces: list[list[int]], weights: list[list[float]]) -> list[float]:
    line = np.repeat(np.arange(len(traces)), [len(one) for one in traces])
    consistency = Consistency(pl.Series(messages), line, np.concatenate(traces))
    return consistency.scores(np.concatenate(weights)).round(3).tolist()


def test_a_value_speaks_for_the_trace_of_its_other_lines() -> None:
    messages = ["got order 4711", "paid order 4711", "sent order 4711"]
    # Two lines are of trace 0 for sure: of the third's two traces, (2 + 1/2) against (0 + 1/2), over an even half.
    assert _scores(messages, [[0], [0], [0, 1]], [[1.0], [1.0], [0.5, 0.5]])[2:] == [
        round((2 + 0.5) / 3 * 2, 3),
        round(0.5 / 3 * 2, 3),
    ]


def test_short_lone_and_frequent_values_say_nothing() -> None:
    messages = ["try 17 of 1234567 at node-1"] + ["try 17 at node-1"] * 300
    scores = _scores(messages, [[0, 1]] + [[0]] * 300, [[0.5, 0.5]] + [[1.0]] * 300)
    assert scores[:2] == [1.0, 1.0]


def test_without_values_nothing_changes() -> None:
    assert _scores(["a", "b"], [[0, 1], [1]], [[0.5, 0.5], [1.0]]) == [1.0, 1.0, 1.0]


def test_lines_are_linked_by_what_they_name() -> None:
    """Two requests overlap for a second; each begins and ends alone, and says its order all along."""
    spans = pl.DataFrame(
        {
            "trace_id": ["a", "b"],
            "service": ["pay", "pay"],
            "start_time": pl.Series([T0, T0 + timedelta(seconds=1)], dtype=TIME_DTYPE),
            "duration_us": [2_000_000, 2_000_000],
        }
    )
    said = [(0.2, "4711", "a"), (0.4, "4711", "a"), (1.3, "4812", "b"), (1.4, "4711", "a"), (1.6, "4711", "a"),
            (1.7, "4812", "b"), (2.4, "4812", "b"), (2.6, "4812", "b")]  # fmt: skip
    lines = pl.DataFrame(
        {
            "message": [f"step of order-{order}" for _, order, _ in said],
            "timestamp": pl.Series([T0 + timedelta(seconds=at) for at, _, _ in said], dtype=TIME_DTYPE),
            "service": ["pay"] * len(said),
            "trace_id": pl.Series([None] * len(said), dtype=pl.String),
            "template_id": ["t"] * len(said),
        }
    )
    assert link_traces(lines, spans)["trace_id"].to_list() == [trace for *_, trace in said]
