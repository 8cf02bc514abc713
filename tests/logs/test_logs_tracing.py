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
        (line(f"request {TRACE_A.upper()} done", at=99), ONE, (TRACE_A, 1.0)),
        (line(trace=TRACE_A.upper()), ONE, (TRACE_A, 1.0)),
        (line(), ONE, (TRACE_A, 1.0)),
        (line(service=None), ONE, (TRACE_A, 1.0)),
        (line(service="mail"), ONE, (None, None)),
        (line(at=2), ONE, (None, None)),
        (line(at=None), ONE, (None, None)),
        (line(), ONE.clear(), (None, None)),
        # Two spans of one trace count once; equal ones of two traces leave it open; a third makes it unlikely.
        (line(), spans((TRACE_A, "cart", 0, 1), (TRACE_A, "cart", 0.4, 0.2)), (TRACE_A, 1.0)),
        (line(), spans((TRACE_A, "cart", 0, 1), (TRACE_B, "cart", 0, 1)), (TRACE_A, 0.5)),
        (line(), spans((TRACE_A, "cart", 0, 1), (TRACE_B, "cart", 0, 1), ("c", "cart", 0, 1)), (None, None)),
    ],
)
def test_links(lines: pl.DataFrame, candidates: pl.DataFrame, expected: tuple[str | None, float | None]) -> None:
    found = link_traces(lines, candidates)
    assert found.columns == ["trace_id", "trace_probability"]
    assert found.row(0) == expected


def test_the_shorter_span_is_the_likelier() -> None:
    found = link_traces(line(), spans((TRACE_A, "cart", 0, 9), (TRACE_B, "cart", 0.45, 0.1)))
    assert found["trace_id"][0] == TRACE_B
    assert found["trace_probability"][0] > 0.8


def test_a_span_writes_a_line_once_that_others_write_once() -> None:
    """Two requests overlap; what single requests do says which line is whose."""
    alone = [(f"t{n}", "cart", 10.0 * n, 1.0) for n in range(1, 20)]
    both = [(TRACE_A, "cart", 500.0, 1.0), (TRACE_B, "cart", 500.3, 1.0)]
    lines = pl.concat([line("begun", at=10.0 * n + 0.1) for n in range(1, 20)] + [line("begun", at=500.1),
                      line("begun", at=500.4)])  # fmt: skip
    found = link_traces(lines.with_columns(pl.lit("begun").alias("template_id")), spans(*alone, *both))
    assert found["trace_id"].to_list() == [*(f"t{n}" for n in range(1, 20)), TRACE_A, TRACE_B]
    assert found["trace_probability"].min() > 0.9


def test_lines_that_name_their_trace_teach_the_others() -> None:
    both = [(f"a{n}", "cart", 10.0 * n, 2.0) for n in range(30)] + [(f"b{n}", "cart", 10.0 * n, 2.0) for n in range(30)]
    names = pl.Series("name", ["buy"] * 30 + ["look"] * 30)
    told = pl.concat([line("bought", at=10.0 * n + 1, trace=f"a{n}") for n in range(29)])
    lines = pl.concat([told, line("bought", at=291.0)]).with_columns(pl.lit("bought").alias("template_id"))
    assert link_traces(lines, spans(*both).with_columns(names)).row(29)[0] == "a29"


def test_lines_keep_their_order_and_number() -> None:
    lines = pl.concat([line(at=5), line(), line(trace="kept"), line(at=None), line()])
    found = link_traces(lines, ONE)
    assert found["trace_id"].to_list() == [None, TRACE_A, "kept", None, TRACE_A]
