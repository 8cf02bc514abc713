"""Many files in one command: all done, bad ones named, the exit code the worst."""

from __future__ import annotations

from pathlib import Path

import pytest

from components.cli.batch import Job, file_jobs, printable, refuse_collisions, refuse_same, run_jobs
from components.core.errors import InputError, ParamsError


def count_bytes(job: Job) -> str:
    """Write the size of the source; an empty source is bad."""
    size = job.source.stat().st_size
    if not size:
        raise InputError(f"{job.source}: the file is empty")
    job.output.parent.mkdir(parents=True, exist_ok=True)
    job.output.write_text(str(size))
    return f"{size} bytes"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    source = tmp_path / "in"
    (source / "deep").mkdir(parents=True)
    for name, content in (("a.csv", "1"), ("b.csv", ""), ("deep/c.csv", "123"), ("note.txt", "x")):
        (source / name).write_text(content)
    return source


def test_a_directory_keeps_its_names_and_goes_past_a_bad_file(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert run_jobs(file_jobs(folder, out, (".csv",)), count_bytes, "counting") == 2
    assert sorted(path.relative_to(out).as_posix() for path in out.rglob("*.csv")) == ["a.csv", "deep/c.csv"]
    said = capsys.readouterr()
    assert said.err.strip() == f"error: {folder / 'b.csv'}: the file is empty"
    assert "2 of 3 done, 1 refused" in said.out


def stumble(job: Job) -> str:
    """A mistake of ours with one of the files."""
    if job.source.name == "b.csv":
        raise KeyError("oops")
    return count_bytes(job)


def test_a_mistake_of_ours_costs_one_file(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_jobs(file_jobs(folder, tmp_path / "out", (".csv",)), stumble, "counting") == 1
    said = capsys.readouterr()
    assert said.err.startswith(f"error: {folder / 'b.csv'}: KeyError: 'oops'; call the command with this file alone")
    assert "2 of 3 done" in said.out


def test_one_file(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    jobs = file_jobs(folder / "a.csv", tmp_path / "o.csv", (".csv",))
    assert run_jobs(jobs, count_bytes, "counting") == 0
    assert capsys.readouterr().out == "1 bytes\n"


def test_what_is_not_there_is_named(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file or directory"):
        file_jobs(tmp_path / "nowhere", tmp_path / "o", (".csv",))
    with pytest.raises(InputError, match=r"no \.parquet file in this directory"):
        file_jobs(folder, tmp_path / "o", (".parquet",))
    with pytest.raises(InputError, match="is a file, but"):
        file_jobs(folder, folder / "a.csv", (".csv",))


def test_an_output_never_replaces_an_input_or_becomes_one(folder: Path) -> None:
    for place in (folder, folder / "a.csv"):
        with pytest.raises(InputError, match="would replace the input"):
            file_jobs(place, place.parent / "." / place.name, (".csv",))
    run_jobs(file_jobs(folder / "a.csv", folder / "out" / "a.csv", (".csv",)), count_bytes, "counting")
    jobs = file_jobs(folder, folder / "out", (".csv",))
    assert [job.source.relative_to(folder).as_posix() for job in jobs] == ["a.csv", "b.csv", "deep/c.csv"]


def test_two_files_that_would_write_to_one_place_are_refused(folder: Path, tmp_path: Path) -> None:
    (folder / "a.parquet").write_text("x")
    jobs = file_jobs(folder, tmp_path / "out", (".csv", ".parquet"))
    with pytest.raises(InputError, match=r"a\.csv and .*a\.parquet would write the same"):
        refuse_collisions(jobs, lambda job: job.output.with_suffix(""))
    refuse_collisions(jobs, lambda job: job.output)


def test_a_summary_carries_no_control_characters() -> None:
    assert printable("two\nlines\x1b[31mred\x07") == "two\nlines\\x1b[31mred\\x07"


def test_names_of_one_file_are_refused(tmp_path: Path) -> None:
    refuse_same({"the input": tmp_path / "a", "--output": tmp_path / "b", "--band": None, "--plot": None})
    with pytest.raises(ParamsError, match=r"--band .*would replace the input; name another place"):
        refuse_same({"the input": tmp_path / "a", "--band": tmp_path / "deep" / ".." / "a"})
