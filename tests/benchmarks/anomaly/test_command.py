"""`make bench-anomaly` on two tiny sets: its page, its lines, and when RESULTS.md is written."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from tests.benchmarks.anomaly import __main__ as command
from tests.benchmarks.anomaly import contenders, report, runs
from tests.benchmarks.anomaly.case import Case, write_case
from tests.benchmarks.anomaly.events import number
from tests.benchmarks.anomaly.labelled import labelled
from tests.benchmarks.anomaly.runs import Run
from tests.benchmarks.anomaly.sets import Labelled

NAMES = ["auto", "random", "robust_z"]
SERIES = [
    labelled(name="a/one"),
    labelled(name="a/quiet", faults=False),
    labelled(name="two", of="jumpstarter", columns=2, history=300),
]


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Runs the command on SERIES, in this process, with a RESULTS.md of the test's own; yields that file."""
    (tmp_path / "anomaly").mkdir()
    path = tmp_path / "RESULTS.md"

    def chosen(data: Path, names: Sequence[str]) -> list[Labelled]:
        return [one for one in SERIES if one.set in names]

    def in_turn(cases: Sequence[Case], names: Sequence[str], workers: int) -> list[Run]:
        return [runs.run(case, name) for case in cases for name in names]

    monkeypatch.setenv("TRACEO_BENCH_DATA", str(tmp_path))
    monkeypatch.setattr(command, "load", chosen)
    monkeypatch.setattr(command, "run_all", in_turn)
    monkeypatch.setattr(command, "write_section", lambda name, text: path.write_text(f"{name}\n{text}"))
    monkeypatch.setattr(contenders, "names", lambda: NAMES)
    monkeypatch.setattr(contenders, "answer", _answer)
    monkeypatch.setattr(report, "EXTRA_SECTIONS", ())
    return path


def _answer(case: Case, name: str) -> contenders.Answer:
    """Takes a fraction of a second: `random` guesses, the others find every fault."""
    scores = np.random.default_rng(0).random(len(case.times))
    if name != "random":
        scores[case.labels] += 1
    return contenders.Answer(scores, scores, number(case.times, scores > 1, 0), 0.5)


def _call(folder: Path, *arguments: str) -> int:
    return command.main(["--csv", str(folder / "out" / "lines.csv"), *arguments])


def test_a_whole_run_writes_the_section(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _call(results.parent) == 0
    page = results.read_text()
    assert page.startswith("anomaly\n## Anomalies in public series")
    for title in ("All sets", "VUS-PR", "Median delay with the shipped knob", "NAB score", "The series"):
        assert f"\n### {title}\n" in page
    assert "| set | auto | *random* | *robust_z* |" in page
    assert "3 series of 2 public sets, 4 labelled stretches" in page
    assert "`auto` minus the best other, *robust_z*, series by series: **0.000 (0.00 to 0.00)**" in page
    assert "**Not in this run**: voting, isolation_forest, windowed_gaussian, textbook_polynomial" in page
    out = capsys.readouterr().out
    assert "Processor time (9 runs" in out
    assert "s, at most" in out


def test_one_line_per_series_and_detector(results: Path) -> None:
    _call(results.parent)
    lines = list(csv.DictReader((results.parent / "out" / "lines.csv").open()))
    assert [(line["series"], line["detector"]) for line in lines] == [(s.name, n) for s in SERIES for n in NAMES]
    by_key = {(line["series"], line["detector"]): line for line in lines}
    assert (by_key["two", "auto"]["columns"], by_key["two", "auto"]["stretches"]) == ("2", "2")
    assert by_key["a/quiet", "auto"]["vus_pr"] == ""
    assert float(by_key["a/one", "robust_z"]["vus_pr"]) > float(by_key["a/one", "random"]["vus_pr"])


@pytest.mark.parametrize(
    "arguments", [["--sets", "nab"], ["--detectors", "random"], ["--fast"], ["--no-write"]], ids=lambda a: a[0]
)
def test_a_partial_run_leaves_results_alone(
    results: Path, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert _call(results.parent, *arguments) == 0
    assert not results.exists()
    assert "RESULTS.md is left alone" in capsys.readouterr().out


def test_a_run_that_fails_is_named_and_nothing_is_written(
    results: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def answer(case: Case, name: str) -> contenders.Answer:
        raise ValueError("no such luck")

    monkeypatch.setattr(contenders, "answer", answer)
    assert _call(results.parent) == 1
    assert not results.exists()
    assert "- robust_z on jumpstarter/two: ValueError: no such luck" in capsys.readouterr().out


def test_extra_sections_end_the_page(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "EXTRA_SECTIONS", (lambda: "### Speed\n\nfast",))
    _call(results.parent)
    assert results.read_text().endswith("### Speed\n\nfast")


@pytest.mark.parametrize("place", ["", "/nowhere"])
def test_without_data_it_says_so(
    place: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TRACEO_BENCH_DATA", place)
    assert command.main([]) == 0
    assert capsys.readouterr().out.startswith("skipped: TRACEO_BENCH_DATA")


def test_every_name_answers_for_a_case(tmp_path: Path) -> None:
    case = write_case(labelled(), tmp_path)
    for name in ("zscore", "windowed_gaussian"):
        answer = contenders.answer(case, name)
        assert len(answer.raw) == len(answer.scores) == len(answer.events) == len(case.times)
        assert ((answer.scores > 1) == (answer.events > 0)).all()


def test_a_detector_of_ours_stands_for_the_baseline_of_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contenders.detectors, "names", lambda: ["auto", "alpha", "robust_z"])
    names = contenders.names()
    assert names[:3] == ["auto", "alpha", "robust_z"]
    assert names.count("robust_z") == 1
    assert not contenders.is_baseline("robust_z")
    assert contenders.is_baseline("textbook_pca")


@pytest.mark.slow
def test_processes_give_what_one_process_gives(tmp_path: Path) -> None:
    cases = [write_case(one, tmp_path) for one in SERIES]
    found = runs.run_all(cases, ["random", "robust_z"], workers=2)
    alone = [runs.run(case, name) for case in cases for name in ("random", "robust_z")]
    assert [(run.case.name, run.detector, run.error) for run in found] == [
        (run.case.name, run.detector, "") for run in alone
    ]
    assert all((a.scores == b.scores).all() and a.found == b.found for a, b in zip(found, alone, strict=True))
