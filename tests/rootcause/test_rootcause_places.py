"""Where `traceo diagnose` writes: never over a case, picture and JSON together, and its results are no cases."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from components.cli.__main__ import main
from tests.rootcause.cases import DB_FAULT, case, metrics, write_case


def _run(*arguments: object) -> int:
    return main(["diagnose", *map(str, arguments)])


def _content(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture
def cases(tmp_path: Path) -> Path:
    for name in ("a", "b"):
        write_case(tmp_path / "cases" / name, case(metrics(DB_FAULT)))
    return tmp_path / "cases"


@pytest.mark.parametrize(
    ("source", "flags", "told"),
    [
        ("a", ["--output", "a/metrics.parquet"], "a/metrics.parquet: would replace the input"),
        ("a", ["--output", "a/../a/calls.csv"], "calls.csv: would replace the input"),
        ("a", ["--output", "a/incident.json"], "incident.json: would replace the input"),
        # Not there yet, but it would be read the next time.
        ("a", ["--output", "a/spans.csv"], "spans.csv: would replace the input"),
        ("a", ["--output", "link.json"], "link.json: would replace the input"),
        ("a", ["--past", ".", "--output", "b/incident.json"], "b/incident.json: would replace the input"),
        ("a", ["--output", "x.png", "--plot", "x.png"], "x.png: would replace --output"),
        ("a", ["--output", "x.json", "--plot", "folder.png"], "--plot folder.png: is a directory"),
        (".", ["--output", "a/calls.csv"], "is a file, but . holds several cases"),
    ],
)
def test_no_file_of_a_case_and_no_result_is_replaced(cases: Path, capsys, monkeypatch, source, flags, told):
    monkeypatch.chdir(cases)
    (cases / "link.json").symlink_to("a/metrics.parquet")
    (cases / "folder.png").mkdir()
    before = _content(cases)
    assert _run(source, *flags) == 2
    error = capsys.readouterr().err
    assert told in error
    assert error.count("\n") == 1
    assert _content(cases) == before


def test_a_case_named_like_an_input_replaces_none(cases: Path, capsys):
    (cases / "b").rename(cases / "incident")
    before = _content(cases)
    assert _run(cases, "--output", cases / "a") == 2
    assert "a/incident.json: would replace the input" in capsys.readouterr().err
    assert _content(cases) == before


@pytest.mark.parametrize("spoiled", ["--output", "--plot"])
def test_what_cannot_be_written_is_named_and_nothing_stays(cases: Path, tmp_path: Path, capsys, spoiled):
    (tmp_path / "file").write_text("in the way")
    places = {"--output": tmp_path / "x.json", "--plot": tmp_path / "x.png"}
    places[spoiled] = tmp_path / "file" / places[spoiled].name
    before = _content(tmp_path)
    assert _run(cases / "a", *(part for pair in places.items() for part in pair)) == 2
    error = capsys.readouterr().err
    assert f"cannot write {places[spoiled]}: " in error
    assert error.count("\n") == 1
    assert _content(tmp_path) == before


@pytest.mark.parametrize("deep", ["", "/today"])
def test_pictures_and_results_within_the_directory_of_cases_are_no_cases(cases: Path, capsys, deep):
    for _ in range(2):
        assert _run(cases, "--output", f"{cases}/out{deep}", "--plot", f"{cases}/plots{deep}") == 0
        assert "2 of 2 done" in capsys.readouterr().out
    assert sorted(path.name for path in Path(f"{cases}/plots{deep}").iterdir()) == ["a.png", "b.png"]
    assert _run(cases, "--output", cases / "elsewhere") == 0
    assert "2 of 2 done" in capsys.readouterr().out


def test_a_directory_without_any_file_of_a_case_is_still_told_of(cases: Path, capsys):
    (cases / "c").mkdir()
    (cases / "c" / "metric.csv").write_text("x")
    assert _run(cases, "--output", cases / "out") == 2
    assert "c/incident.json: no such file" in capsys.readouterr().err
