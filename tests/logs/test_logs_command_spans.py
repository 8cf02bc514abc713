"""`traceo logs --spans`: lines get the trace they belong to, whatever the types of the spans' columns."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest

from tests.logs.conftest import START, Command

SPAN = {"trace_id": "0017", "service": "shop.cart.Handler", "start_time": "2026-01-02T03:04:14.5Z", "duration_us": 1e6}


def test_lines_are_linked_to_spans(logs: Command, log: Path, tmp_path: Path) -> None:
    spans = pl.DataFrame(
        {
            "trace_id": ["t1", "t2"],
            "service": ["shop.cart.Handler", "elsewhere"],
            "start_time": [START + timedelta(seconds=9.5), START],
            "duration_us": [1_000_000, 9_000_000],
        }
    )
    spans.write_parquet(tmp_path / "spans.parquet")
    output = tmp_path / "lines.parquet"
    assert logs(log, "--output", output, "--spans", tmp_path / "spans.parquet") == 0
    lines = pl.read_parquet(output)
    assert lines.columns[-2:] == ["trace_id", "trace_probability"]
    linked = lines.drop_nulls("trace_id").select("line", "trace_id", "trace_probability")
    assert linked.rows() == [(10, "t1", 1.0)]
    (tmp_path / "bad.csv").write_text("trace_id,service\nt1,cart\n")
    assert logs(log, "--output", output, "--spans", tmp_path / "bad.csv") == 2


@pytest.mark.parametrize(
    ("change", "suffix", "linked"),
    [
        ({}, "csv", ["0017"]),
        ({}, "parquet", ["0017"]),
        ({"trace_id": 17}, "parquet", ["17"]),
        ({"duration_us": [1e6, float("nan")]}, "parquet", ["0017"]),
    ],
)
def test_spans_of_any_type_are_read(
    change: dict[str, object], suffix: str, linked: list[str], logs: Command, log: Path, tmp_path: Path
) -> None:
    spans, output = tmp_path / f"spans.{suffix}", tmp_path / "lines.csv"
    frame = pl.DataFrame(SPAN | change).unique()
    frame.write_csv(spans) if suffix == "csv" else frame.write_parquet(spans)
    assert logs(log, "--output", output, "--spans", spans) == 0
    found = pl.read_csv(output, infer_schema_length=0)["trace_id"].drop_nulls()
    assert found.unique().to_list() == linked


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"duration_us": "long"}, "column 'duration_us' holds no number"),
        ({"service": [["a"]]}, "column 'service' holds List"),
        ({"start_time": "then"}, "column 'start_time' holds no time"),
    ],
)
def test_spans_that_cannot_be_read_are_refused(
    change: dict[str, object], told: str, logs: Command, log: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spans, output = tmp_path / "spans.parquet", tmp_path / "lines.csv"
    pl.DataFrame(SPAN | change).write_parquet(spans)
    assert logs(log, "--output", output, "--spans", spans) == 2
    error = capsys.readouterr().err
    assert told in error
    assert error.count("\n") == 1
    assert not output.exists()


def test_spans_are_not_written_over(
    logs: Command, log: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spans = tmp_path / "spans.parquet"
    pl.DataFrame(SPAN).write_parquet(spans)
    before = spans.read_bytes()
    assert logs(log, "--output", spans, "--spans", spans) == 2
    assert "--output" in (error := capsys.readouterr().err)
    assert "would replace --spans" in error
    assert spans.read_bytes() == before
