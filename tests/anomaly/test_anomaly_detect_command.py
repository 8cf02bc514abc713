"""`traceo detect`: the promises of the four commands, on files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from components.cli.detect import add
from tests.anomaly.series import seasonal_panel, with_values, write_csv


def run(*arguments: object) -> int:
    import argparse

    from components.core.errors import TraceoError

    parser = argparse.ArgumentParser()
    add(parser.add_subparsers())
    parsed = parser.parse_args(["detect", *map(str, arguments)])
    try:
        return parsed.main(parsed)
    except TraceoError as error:
        print(f"error: {error}", file=__import__("sys").stderr)
        return error.exit_code


@pytest.fixture
def outage(tmp_path: Path) -> Path:
    """Four days with an outage of an hour on the last; row 1000 to 1011."""
    panel = seasonal_panel(4)
    panel.values[1000:1012] *= 4
    return write_csv(tmp_path / "cpu.csv", panel)


def detected(source: Path, *arguments: object) -> pl.DataFrame:
    output = source.parent / "out.parquet"
    assert run(source, "--detector", "seasonal", *arguments, "--output", output) == 0
    return pl.read_parquet(output)


def test_rows_in_are_rows_out_with_the_event_numbered(outage: Path, capsys):
    found = detected(outage)
    assert found.columns == ["timestamp", "score", "is_anomaly", "event", "contributors"]
    assert found["timestamp"].to_list() == pl.read_csv(outage)["timestamp"].to_list()
    assert found["is_anomaly"].to_list() == (found["score"] > 1).to_list()
    assert found["is_anomaly"][1000:1012].sum() >= 11
    assert found["event"].drop_nulls().unique().to_list() == [1]
    assert found["contributors"].drop_nulls().unique().to_list() == ['{"value": 1.0}']
    said = capsys.readouterr().out
    assert "1152 rows, 1 anomaly event" in said
    assert "abstained for 1 d (too little history before)" in said


def test_the_order_and_the_spelling_of_times_are_kept(tmp_path: Path, capsys):
    panel = seasonal_panel(3)
    source = write_csv(tmp_path / "a.csv", panel)
    header, *lines = source.read_text().splitlines()
    mixed = [lines[5], *lines[:400], lines[7], *lines[400:]]
    source.write_text("\n".join([header, *mixed, "soon,1.0", f"{lines[-1].split(',')[0]},"]) + "\n")
    found = detected(source)
    assert found["timestamp"].to_list() == [line.split(",")[0] for line in [*mixed, "soon", lines[-1]]]
    assert found["score"].null_count() == 0
    said = capsys.readouterr().out
    assert "3 duplicated" in said
    assert "unsorted" in said
    assert "1 untimed" in said


def test_history_ends_the_abstention(tmp_path: Path, capsys):
    panel = seasonal_panel(6)
    panel.values[1450:1460] *= 4
    history = write_csv(tmp_path / "history.csv", panel.rows(0, 1440))
    found = detected(write_csv(tmp_path / "a.csv", panel.rows(1440, 1728)), "--history", history)
    assert len(found) == 288
    assert found["is_anomaly"][11:20].all()
    assert "abstained" not in capsys.readouterr().out


def test_a_label_column_is_ignored(outage: Path):
    plain = detected(outage)
    frame = pl.read_csv(outage)
    frame.with_columns(label=pl.Series([i % 2 for i in range(len(frame))])).write_csv(outage)
    assert detected(outage).equals(plain)


def test_several_columns_name_their_contributors(tmp_path: Path):
    names = tuple(f"m{i}" for i in range(38))
    panel = seasonal_panel(3, columns=38)
    panel.values[800:812, 4] *= 5
    panel.values[800:812, 9] *= 3
    found = detected(write_csv(tmp_path / "a.csv", panel, names))
    contributors = json.loads(found["contributors"][805])
    assert list(contributors)[:2] == ["m4", "m9"]
    assert 0.5 < contributors["m4"] < 1
    assert len(contributors) <= 3


def test_retrospective_speaks_from_the_first_day(tmp_path: Path):
    panel = seasonal_panel(6)
    panel.values[150:162] *= 4
    source = write_csv(tmp_path / "a.csv", panel)
    assert not detected(source)["is_anomaly"][150:162].any()
    assert detected(source, "--retrospective")["is_anomaly"][151:162].all()


def test_same_input_and_seed_give_the_same_bytes(outage: Path, tmp_path: Path):
    outputs = [tmp_path / "one.csv", tmp_path / "two.csv"]
    for output in outputs:
        assert run(outage, "--seed", 5, "--output", output) == 0
    assert outputs[0].read_bytes() == outputs[1].read_bytes()


def test_params_reach_the_detector(outage: Path):
    assert not detected(outage, "--params", '{"minimum_history_h": 95}')["is_anomaly"][:1000].any()
    assert detected(outage, "--params", '{"minimum_effect": 9}')["is_anomaly"].sum() == 0


def test_plots_are_a_picture_or_a_page(outage: Path, tmp_path: Path):
    detected(outage, "--plot", tmp_path / "p.png")
    assert (tmp_path / "p.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    detected(outage.rename(outage.with_name("a<b>.csv")), "--plot", tmp_path / "p.html")
    page = (tmp_path / "p.html").read_text()
    assert "a&lt;b&gt;.csv" in page
    assert "<b>" not in page
    assert 'src="data:image/png;base64,' in page


def test_a_name_with_dollar_signs_is_drawn_as_it_is(outage: Path, tmp_path: Path):
    frame = pl.read_csv(outage)
    outage = outage.with_name("a$^{$.csv")
    frame.rename({frame.columns[1]: "paid $^{ and $"}).write_csv(outage)
    detected(outage, "--plot", tmp_path / "p.png")
    assert (tmp_path / "p.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


def test_a_directory_goes_on_past_a_bad_file(tmp_path: Path, capsys):
    source = tmp_path / "in"
    (source / "sub").mkdir(parents=True)
    write_csv(source / "a.csv", seasonal_panel(2))
    write_csv(source / "sub" / "b.csv", seasonal_panel(2, seed=1))
    (source / "c.csv").write_text("time,value\n1,2\n")
    assert run(source, "--detector", "seasonal", "--output", tmp_path / "out", "--plot", tmp_path / "plots") == 2
    assert sorted(p.relative_to(tmp_path / "out").as_posix() for p in (tmp_path / "out").rglob("*.csv")) == [
        "a.csv",
        "sub/b.csv",
    ]
    assert (tmp_path / "plots" / "sub" / "b.csv.png").exists()
    said = capsys.readouterr()
    assert "c.csv: no column 'timestamp'" in said.err
    assert "2 of 3 done, 1 refused" in said.out


FINE = {
    "cut off in the last line": "timestamp,value\n1767571200,1\n1767571500,2\n176757\n",
    "broken bytes": "timestamp,value\n1767571200,1\n17675\udcff\udcfe1500,2\n1767571800,3\n",
    "one row": "timestamp,value\n2026-01-05T00:00:00Z,1\n",
    "two points": "timestamp,value\n2026-01-05T00:00:00Z,1\n2026-01-05T00:05:00Z,9e9\n",
    "all missing": "timestamp,value\n" + "".join(f"{1767571200 + 300 * i},\n" for i in range(400)),
    "constant": "timestamp,value\n" + "".join(f"{1767571200 + 300 * i},5\n" for i in range(400)),
    "infinities": "timestamp,value\n"
    + "".join(f"{1767571200 + 300 * i},{'inf' if i % 50 == 7 else i % 7}\n" for i in range(400)),
    "vast": "timestamp,value\n"
    + "".join(f"{1767571200 + 300 * i},{(-1) ** i * (i * 7919 % 101)}e300\n" for i in range(400)),
    "same instant": "timestamp,value\n" + "1767571200,5\n" * 100,
    "jump back": "timestamp,value\n"
    + "".join(f"{1767571200 + 300 * (i if i < 300 else i - 288)},{i % 5}\n" for i in range(500)),
}
BAD = {
    "empty": ("", "the file is empty"),
    "only a header": ("timestamp,value\n", "no rows below the header"),
    "no time column": ("time,value\n1,2\n", "no column 'timestamp'"),
    "no value column": ("timestamp,label\n1,2\n", "no numeric column"),
    "text": ("timestamp,value\n1767571200,high\n", "column 'value' is not numeric"),
    "no time": ("timestamp,value\nsoon,1\nlater,2\n", "holds no time"),
    "more cells than columns": ("timestamp,value\n1767571200,1\n1767571500,2,3,4\n", "cannot be read"),
}


@pytest.mark.parametrize("case", FINE)
@pytest.mark.parametrize("detector", ["seasonal", "auto"])
@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_awkward_files_are_scored_without_alarm(case: str, detector: str, tmp_path: Path):
    source = tmp_path / "a.csv"
    source.write_text(FINE[case], errors="surrogateescape")
    assert run(source, "--detector", detector, "--output", tmp_path / "o.csv") == 0
    found = pl.read_csv(tmp_path / "o.csv")
    assert len(found) == FINE[case].count("\n") - 1
    assert not found["is_anomaly"].any()
    assert np.isfinite(found["score"].to_numpy()).all()


@pytest.mark.parametrize("case", BAD)
def test_bad_files_are_refused_in_one_line_and_nothing_is_left(case: str, tmp_path: Path, capsys):
    content, expected = BAD[case]
    source = tmp_path / "a.csv"
    source.write_text(content)
    assert run(source, "--output", tmp_path / "o.csv", "--plot", tmp_path / "o.png") == 2
    said = capsys.readouterr().err.strip()
    assert expected in said
    assert "a.csv" in said
    assert len(said.splitlines()) == 1
    assert [p.name for p in tmp_path.iterdir()] == ["a.csv"]


def test_the_band_is_what_was_expected(outage: Path):
    rows = detected(outage, "--detector", "auto", "--band", outage.parent / "band.csv")
    band = pl.read_csv(outage.parent / "band.csv", infer_schema_length=None)
    assert band.columns == ["timestamp", "column", "expected", "lower", "upper"]
    assert len(band) == len(rows)
    values = pl.read_csv(outage)["value"]
    usual = band.filter(pl.col("expected").is_not_null()).with_row_index().filter(pl.col("index") > 300)
    assert (usual["lower"] < usual["expected"]).all()
    assert (values[1002:1010] > band["upper"][1002:1010]).all()
    assert band["expected"][:288].null_count() == 288


def test_an_event_is_explained_in_words(outage: Path, capsys):
    assert run(outage, "--output", outage.parent / "o.csv") == 0
    said = capsys.readouterr().out
    assert "× the usual" in said
    assert "of 6 detectors agree" in said


@pytest.mark.parametrize(("option", "name"), [("--band", "b.txt"), ("--plot", "p.pdf")])
def test_outputs_of_unknown_kinds_are_refused_before_any_work(option: str, name: str, outage: Path, capsys):
    assert run(outage, option, outage.parent / name, "--output", outage.parent / "o.csv") == 2
    assert "unknown kind; end it in" in capsys.readouterr().err
    assert not (outage.parent / "o.csv").exists()


@pytest.mark.parametrize("kept", [10, 400])
def test_truncated_parquet_is_refused(kept: int, outage: Path, tmp_path: Path, capsys):
    pl.read_csv(outage).write_parquet(tmp_path / "whole.parquet")
    (tmp_path / "a.parquet").write_bytes((tmp_path / "whole.parquet").read_bytes()[:kept])
    assert run(tmp_path / "a.parquet", "--output", tmp_path / "o.csv") == 2
    assert "a.parquet: cannot be read" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--output", "o.txt"], "end it in .csv or .parquet"),
        (["--output", "o.csv", "--plot", "o.gif"], "end it in .png or .html"),
        (["--output", "o.csv", "--detector", "magic"], "choose auto, autoregressive, half_space_trees"),
        (["--output", "o.csv", "--params", "{"], "--params is not JSON"),
        (
            ["--output", "o.csv", "--params", '{"sed": 1}'],
            "'sed': Extra inputs are not permitted; it takes expected_false",
        ),
        (["--output", "o.csv", "--params", '{"persistence_needed": 5}'], "exceeds persistence_of 3"),
        (["--output", "o.csv", "--history", "nowhere.csv"], "no such file or directory"),
    ],
)
def test_bad_arguments_are_refused(arguments: list[str], expected: str, outage: Path, capsys, monkeypatch):
    monkeypatch.chdir(outage.parent)
    assert run(outage, *arguments) == 2
    assert expected in capsys.readouterr().err
    assert [p.name for p in outage.parent.iterdir()] == ["cpu.csv"]


def test_a_history_with_other_columns_is_refused(outage: Path, tmp_path: Path, capsys):
    history = write_csv(tmp_path / "h.csv", seasonal_panel(1), ("other",))
    assert run(outage, "--history", history, "--output", tmp_path / "o.csv") == 2
    assert "h.csv: no column 'value'" in capsys.readouterr().err


def test_help_shows_an_example(capsys):
    with pytest.raises(SystemExit):
        run("--help")
    assert "example: traceo detect cpu.csv --history last_month.csv" in capsys.readouterr().out


def test_marks_on_a_file_or_column_move_its_knob(outage: Path, capsys: pytest.CaptureFixture[str]) -> None:
    usual = detected(outage, "--detector", "auto")["score"].max()
    marks = outage.parent / "marks.csv"
    for name, moved in (("cpu", True), ("value", True), ("memory", False)):
        marks.write_text(f"series,start,end,verdict\n{name},2026-01-06,2026-01-07,false_alarm\n")
        capsys.readouterr()
        assert (detected(outage, "--detector", "auto", "--feedback", marks)["score"].max() < usual) == moved
        assert ("by the marks 0.125 false events per week are accepted, not 0.5" in capsys.readouterr().out) == moved


def test_a_bad_file_of_marks_stops_before_any_work(outage: Path, capsys: pytest.CaptureFixture[str]) -> None:
    marks = outage.parent / "marks.csv"
    marks.write_text("series,start,end,verdict\ncpu,2026-01-06,2026-01-07,perhaps\n")
    assert run(outage, "--feedback", marks, "--output", outage.parent / "o.csv") == 2
    assert "marks.csv, row 1: verdict 'perhaps'" in capsys.readouterr().err
    assert not (outage.parent / "o.csv").exists()


def test_a_counter_is_judged_by_its_increase(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    panel = seasonal_panel(4)
    panel.values[1000:1012] *= 4
    counted = np.cumsum(panel.values, axis=0)
    counted[600:] -= counted[599]
    source = write_csv(tmp_path / "a.csv", with_values(panel, counted), ("requests_total",))
    output = tmp_path / "o.csv"
    assert run(source, "--output", output, "--plot", tmp_path / "p.png") == 0
    found = pl.read_csv(output)["is_anomaly"]
    assert found[1001:1012].all()
    assert found[:1000].sum() == 0
    assert "judged by increase per row, being a counter: requests_total" in capsys.readouterr().out


def test_an_event_names_the_change_it_follows(outage: Path, capsys: pytest.CaptureFixture[str]) -> None:
    changes = outage.parent / "changes.csv"
    # Row 1000 is Thursday, 11:20.
    changes.write_text(
        "timestamp,service,what\n2026-01-08T11:08:00Z,cpu,release 4.1\n2026-01-08T11:15:00Z,other,release 9\n"
    )
    assert run(outage, "--changes", changes, "--output", outage.parent / "o.csv") == 0
    assert ", 12 minutes after release 4.1" in capsys.readouterr().out


def test_a_bad_file_of_changes_stops_before_any_work(outage: Path, capsys: pytest.CaptureFixture[str]) -> None:
    changes = outage.parent / "changes.csv"
    changes.write_text("when,what\n2026-01-08T11:08:00Z,release 4.1\n")
    assert run(outage, "--changes", changes, "--output", outage.parent / "o.csv") == 2
    assert "changes.csv: no column 'timestamp'" in capsys.readouterr().err
    assert not (outage.parent / "o.csv").exists()


@pytest.mark.parametrize("option", ["--changes", "--feedback"])
def test_what_is_read_is_not_written_over(option: str, outage: Path, capsys):
    read = outage.parent / "read.csv"
    columns = {"--changes": "timestamp,what\n2026-01-01,x\n", "--feedback": "series,start,end,verdict\n"}
    if option == "--feedback":
        columns[option] += "cpu.csv,2026-01-01,2026-01-02,real\n"
    read.write_text(columns[option])
    assert run(outage, option, read, "--output", read) == 2
    assert f"would replace {option}" in capsys.readouterr().err
    assert read.read_text() == columns[option]


def test_an_output_that_cannot_be_written_leaves_no_picture(outage: Path, capsys):
    blocked = outage.parent / "cpu.csv" / "o.csv"
    arguments = ("--plot", outage.parent / "p.png", "--band", outage.parent / "b.csv", "--output", blocked)
    assert run(outage, "--detector", "seasonal", *arguments) == 2
    assert "o.csv: File exists; free space or choose" in capsys.readouterr().err
    assert [path.name for path in outage.parent.iterdir()] == ["cpu.csv"]


def test_bands_of_an_earlier_run_are_no_series(outage: Path, capsys):
    folder = outage.parent
    for _ in range(2):
        sides = ("--band", folder / "bands", "--plot", folder / "plots")
        assert run(folder, "--detector", "seasonal", *sides, "--output", folder / "out") == 0
        assert "1 anomaly event" in capsys.readouterr().out
    assert [path.name for path in (folder / "bands").iterdir()] == ["cpu.csv"]
