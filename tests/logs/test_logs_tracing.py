"""Lines to traces: ids kept, missing ones filled in where one trace is likely."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from components.logs.tracing import link_traces

T = datetime(2026, 1, 1, tzinfo=UTC)
TRACE_A, TRACE_B = "a" * 31 + "1", "b" * 31 + "2"


def spans(*rows: tuple[str, str, float, float]) -> pl.DataFrame:
    """Trace, service, start and length in seconds."""
    return pl.DataFrame(
        [(t, s, T + timedelta(seconds=at), int(length * 1e6)) for t, s, at, length in rows],
        schema={
            "trace_id": pl.String,
            "service": pl.String,
            "start_time": pl.Datetime("us", "UTC"),
            "duration_us": pl.Int64,
        },
        orient="row",
    )


def line(
    message: str = "x", at: float | None = 0.5, service: str | None = "cart", trace: str | None = None
) -> pl.DataFrame:
    row = (message, T + timedelta(seconds=at) if at is not None else None, service, trace)
    schema = {"message": pl.String, "timestamp": pl.Datetime("us", "UTC"), "service": pl.String, "trace_id": pl.String}
    return pl.DataFrame([row], schema=schema, orient="row")


ONE = spans((TRACE_A, "cart", 0, 1))


@pytest.mark.parametrize(
    ("lines", "candidates", "expected"),
    [
        (line(trace="kept"), ONE, ("kept", 1.0)),
        (line(f"request {TRACE_A} done", at=99), ONE, (TRACE_A, 1.0)),
        (line(), ONE, (TRACE_A, 1.0)),
        (line(service=None), ONE, (TRACE_A, 1.0)),
        (line(service="mail"), ONE, (None, None)),
        (line(at=2), ONE, (None, None)),
        (line(at=None), ONE, (None, None)),
        (line(), ONE.clear(), (None, None)),
        # Two spans of one trace count once; equal ones of two traces leave it open; a third makes it unlikely.
        (line(), spans((TRACE_A, "cart", 0, 1), (TRACE_A, "cart", 0.4, 0.2)), (TRACE_A, 1.0)),
        (line(), spans((TRACE_A, "cart", 0, 1), (TRACE_B, "cart", 0.1, 1)), (TRACE_A, 0.5)),
        (line(), spans((TRACE_A, "cart", 0, 1), (TRACE_B, "cart", 0.1, 1), ("c", "cart", 0, 1)), (None, None)),
    ],
)
def test_links(lines: pl.DataFrame, candidates: pl.DataFrame, expected: tuple[str | None, float | None]) -> None:
    found = link_traces(lines, candidates)
    assert found.columns == ["trace_id", "trace_probability"]
    assert found.row(0) == expected


def test_the_shorter_span_is_the_likelier() -> None:
    found = link_traces(line(), spans((TRACE_A, "cart", 0, 9), (TRACE_B, "cart", 0.45, 0.1)))
    assert found["trace_id"][0] == TRACE_B
    assert found["trace_probability"][0] == pytest.approx((1 / 0.102) / (1 / 0.102 + 1 / 9.002))


def test_lines_keep_their_order_and_number() -> None:
    lines = pl.concat([line(at=5), line(), line(trace="kept"), line(at=None), line()])
    found = link_traces(lines, ONE)
    assert found["trace_id"].to_list() == [None, TRACE_A, "kept", None, TRACE_A]
