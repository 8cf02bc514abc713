"""`traceo diagnose`: files in, JSON and pictures out, one clear line for bad input."""

from __future__ import annotations

import dataclasses
import json
import warnings
from pathlib import Path

import polars as pl
import pytest

from components.cli.__main__ import main
from components.rootcause.diagnosis import diagnose
from components.rootcause.plot import draw
from components.rootcause.specs import ScorerParams
from tests.rootcause.cases import DB_FAULT, case, frame, metrics, write_case


def _run(*arguments: object) -> int:
    return main(["diagnose", *map(str, arguments)])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_case(tmp_path / "slow-db", case(metrics(DB_FAULT)))


def test_a_case_is_diagnosed_drawn_and_summed_up(folder: Path, tmp_path: Path, capsys):
    output, picture = tmp_path / "out.json", tmp_path / "out.png"
    assert _run(folder, "--output", output, "--plot", picture) == 0
    content = json.loads(output.read_text())
    assert list(content) == ["abstained", "reason", "causes", "elapsed_ms"]
    assert set(content["causes"][0]) == {"service", "metric", "kind", "score", "level", "evidence"}
    assert [cause["service"] for cause in content["causes"]] == ["db", "shop", "web"]
    assert content["elapsed_ms"] > 0
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert picture.stat().st_size > 20_000
    assert capsys.readouterr().out.startswith("db cpu_percent (cpu, association, score 0.")


def test_names_with_dollar_signs_are_drawn_as_they_are(folder: Path, tmp_path: Path):
    for file in folder.glob("*.csv"):
        file.write_text(file.read_text().replace("db", "d$^{$b"))
    odd = folder.rename(folder.with_name("odd $^{$"))
    assert _run(odd, "--output", tmp_path / "out.json", "--plot", tmp_path / "out.png") == 0


def test_names_with_control_characters_or_foreign_scripts_are_drawn_without_a_word():
    odd = {"db": "d\0b\x1b[31m", "shop": "商店 🐟"}
    renamed = dataclasses.replace(
        case(metrics(DB_FAULT).with_columns(pl.col("service").replace(odd))),
        calls=frame("calls", [("web", odd["shop"]), (odd["shop"], odd["db"])]),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert draw(diagnose(renamed, ScorerParams()), "a\0case").startswith(b"\x89PNG")


def test_all_but_the_clock_reading_is_the_same_bytes_again(folder: Path, tmp_path: Path):
    lines = []
    for name in ("one", "two"):
        picture = tmp_path / f"{name}.png"
        assert _run(folder, "--output", tmp_path / f"{name}.json", "--plot", picture, "--seed", 3) == 0
        text = (tmp_path / f"{name}.json").read_bytes().splitlines()
        assert text[-2].startswith(b' "elapsed_ms": ')
        lines.append((text[:-2], picture.read_bytes()))
    assert lines[0] == lines[1]


def test_a_directory_of_cases_goes_on_past_a_bad_one(tmp_path: Path, capsys):
    cases = tmp_path / "cases"
    write_case(cases / "bad-db", case(metrics(DB_FAULT)))
    write_case(cases / "calm", case(metrics()))
    write_case(cases / "broken", case(metrics()))
    (cases / "broken" / "incident.json").unlink()
    assert _run(cases, "--output", tmp_path / "out") == 2
    told = capsys.readouterr()
    assert "broken/incident.json: no such file" in told.err
    assert "2 of 3 done, 1 refused" in told.out
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["bad-db.json", "calm.json"]
    assert json.loads((tmp_path / "out" / "calm.json").read_text())["abstained"] is True


def test_results_within_the_directory_of_cases_are_no_case(tmp_path: Path):
    cases = tmp_path / "cases"
    write_case(cases / "bad-db", case(metrics(DB_FAULT)))
    assert [_run(cases, "--output", cases / "out") for _ in range(2)] == [0, 0]


def test_a_directory_with_a_single_case_gives_a_directory(tmp_path: Path):
    write_case(tmp_path / "cases" / "bad-db", case(metrics(DB_FAULT)))
    assert _run(tmp_path / "cases", "--output", tmp_path / "out", "--plot", tmp_path / "pictures") == 0
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["bad-db.json"]
    assert [path.name for path in (tmp_path / "pictures").iterdir()] == ["bad-db.png"]


def _write(name: str, text: str):
    def change(folder: Path) -> None:
        (folder / name).write_text(text)

    return change


def _truncate(folder: Path) -> None:
    path = folder / "metrics.parquet"
    path.write_bytes(path.read_bytes()[:-200])


def _without_telemetry(folder: Path) -> None:
    (folder / "metrics.parquet").unlink()


def _with_lists(folder: Path) -> None:
    path = folder / "metrics.parquet"
    pl.read_parquet(path).with_columns(pl.concat_list("service")).write_parquet(path)


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (_with_lists, "column 'service' holds List(String)"),
        (_write("incident.json", "{"), "incident.json: not JSON"),
        (_write("incident.json", "{}"), "incident.json: no 'time'"),
        (_write("incident.json", '{"time": "soon"}'), "incident.json: 'time': not a time: 'soon'"),
        (_write("incident.json", '{"time": 1000, "end": 10}'), "'end' lies before 'time'"),
        (_truncate, "metrics.parquet: cannot be read"),
        (_without_telemetry, "none of metrics, spans, alerts"),
        (_write("calls.csv", "from,to\na,b\n"), "calls.csv: no column 'caller' (found from, to)"),
        (_write("changes.csv", "timestamp,service,what\nthen,a,b\n"), "column 'timestamp' holds no time"),
        (_write("alerts.csv", ""), "alerts.csv: the file is empty"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(folder: Path, tmp_path: Path, capsys, spoil, told):
    spoil(folder)
    assert _run(folder, "--output", tmp_path / "out.json") == 2
    error = capsys.readouterr().err
    assert told in error
    assert error.count("\n") == 1
    assert not (tmp_path / "out.json").exists()


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["--params", '{"bad": 1}'], "'bad': Extra inputs are not permitted; it takes seed, lead_s"),
        (["--params", "["], "--params is not JSON"),
        (["--plot", "x.svg"], "unknown kind '.svg'"),
    ],
)
def test_bad_flags_are_refused(folder: Path, tmp_path: Path, capsys, flags, told):
    assert _run(folder, "--output", tmp_path / "out.json", *flags) == 2
    assert told in capsys.readouterr().err


def test_duplicate_rows_and_rows_without_a_service_are_told(folder: Path, tmp_path: Path):
    frame = metrics(DB_FAULT)
    text = frame.write_csv() + frame.head(7).write_csv(include_header=False) + "2026-03-01T12:00:00Z,,latency_p99,1\n"
    (folder / "metrics.parquet").unlink()
    (folder / "metrics.csv").write_text(text)
    assert _run(folder, "--output", tmp_path / "out.json") == 0
    content = json.loads((tmp_path / "out.json").read_text())
    assert "8 duplicated or unusable rows of metrics.csv left out" in content["reason"]
    assert content["causes"][0]["service"] == "db"


def test_a_missing_directory_and_a_file_are_refused(tmp_path: Path, capsys):
    (tmp_path / "file.csv").write_text("a\n")
    assert _run(tmp_path / "nowhere", "--output", tmp_path / "out.json") == 2
    assert _run(tmp_path / "file.csv", "--output", tmp_path / "out.json") == 2
    told = capsys.readouterr().err
    assert "no such directory" in told
    assert "is a file, not a case directory" in told


def test_the_incident_is_not_written_over(folder: Path, capsys):
    before = (folder / "incident.json").read_text()
    assert _run(folder, "--output", folder / "incident.json") == 2
    assert "would replace the input" in capsys.readouterr().err
    assert (folder / "incident.json").read_text() == before
