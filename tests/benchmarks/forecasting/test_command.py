"""`make bench-forecasting` on two small series: its page, its lines, and when RESULTS.md is written."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from tests.benchmarks.forecasting import __main__ as command
from tests.benchmarks.forecasting import failures, runs, scale
from tests.benchmarks.forecasting.cases import Case
from tests.benchmarks.forecasting.scoring import Score
from tests.benchmarks.forecasting.sets import Series
from tests.forecasting.conftest import frame, seasonal

NAMES = ["auto", "seasonal_naive"]


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Runs the command on two small series, in this process, with a RESULTS.md of the test's own; yields that file."""
    (tmp_path / "forecasting").mkdir()
    path = tmp_path / "RESULTS.md"

    def chosen(data: Path, names: Sequence[str]) -> list[Series]:
        sets = (("dc_traces", 192), ("aiops_kpi", 700))
        return [Series(of, "one", frame(np.abs(seasonal(hours)))) for of, hours in sets if of in names]

    def in_turn(cases: Sequence[Case], names: Sequence[str], workers: int) -> list[Score]:
        return [score for case in cases for score in runs.run(case, names)]

    monkeypatch.setenv("TRACEO_BENCH_DATA", str(tmp_path))
    monkeypatch.setattr(command, "load", chosen)
    monkeypatch.setattr(command, "run_all", in_turn)
    monkeypatch.setattr(command, "write_section", lambda name, text: path.write_text(f"{name}\n{text}"))
    monkeypatch.setattr(command, "model_names", lambda: NAMES)
    monkeypatch.setattr(failures, "main", lambda argv: path.write_text(path.read_text() + " ".join(argv)) and 0)
    monkeypatch.setattr(scale, "main", lambda argv: 0)
    return path


def _call(folder: Path, *arguments: str) -> int:
    return command.main(["--csv", str(folder / "out" / "lines.csv"), *arguments])


def test_a_whole_run_writes_the_section(results: Path) -> None:
    assert _call(results.parent) == 0
    page = results.read_text()
    assert page.startswith("forecasting\n## Forecasts of real series")
    for title in ("All sets, 24 h ahead", "All sets, 168 h ahead", "MASE by set", "Coverage of `auto` by set"):
        assert f"\n#### {title}" in page
    assert "| model | aiops_kpi | dc_traces |" in page or "| model | dc_traces | aiops_kpi |" in page
    assert "| textbook seasonal-naive | 1.00 (1.00–1.00) |" in page
    lines = list(csv.DictReader((results.parent / "out" / "lines.csv").open()))
    assert {line["model"] for line in lines} == {*NAMES, "textbook seasonal-naive"}
    # The failure half follows.
    assert page.endswith("--workers 2")


@pytest.mark.parametrize(
    "arguments",
    [["--sets", "dc_traces"], ["--models", "auto"], ["--limit", "1"], ["--cutoffs", "1"], ["--no-write"]],
    ids=lambda a: a[0],
)
def test_a_partial_run_leaves_results_alone(
    results: Path, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert _call(results.parent, *arguments) == 0
    assert not results.exists()
    assert "RESULTS.md is left alone" in capsys.readouterr().out


@pytest.mark.parametrize("place", ["", "/nowhere"])
def test_without_data_it_says_so(
    place: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TRACEO_BENCH_DATA", place)
    assert command.main([]) == 0
    assert capsys.readouterr().out.startswith("skipped: TRACEO_BENCH_DATA")
