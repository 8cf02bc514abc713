"""`traceo logs` from end to end: what it writes, that it writes the same again, and what it refuses."""

import csv
import gzip
import json
import os
import random
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest

from components.core.errors import InputError
from components.logs import reading
from components.logs.lines import detailed_lines
from components.logs.masking import fill
from components.logs.mining import mine
from components.logs.shaping import Shaper
from components.logs.source import open_source
from tests.logs.conftest import START, Command, log_lines


def test_every_line_with_its_template(logs: Command, log: Path, tmp_path: Path) -> None:
    output, templates = tmp_path / "lines.parquet", tmp_path / "templates.csv"
    assert logs(log, "--output", output, "--templates", templates) == 0
    lines = pl.read_parquet(output)
    assert lines.columns == [
        "line", "timestamp", "severity", "service", "categories", "template_id", "template", "parameters", "cluster"
    ]  # fmt: skip
    assert lines["line"].to_list() == list(range(400))
    assert lines["timestamp"].to_list() == [START + timedelta(seconds=n) for n in range(400)]
    assert lines["severity"].value_counts(sort=True).rows() == [("INFO", 320), ("ERROR", 80)]
    assert lines["service"].unique().to_list() == ["shop.cart.Handler"]
    messages = [line.partition("Handler: ")[2] for line in log_lines(400)]
    assert [fill(t, p) for t, p in lines.select("template", "parameters").iter_rows()] == messages
    assert lines["template"].unique().sort().to_list() == [
        "",
        'GET "<*>" \\ <*> <*> <*>',
        "cache warm",
        "connection to <*> refused after <*> ms",
        "user <*> logged in from <*>",
    ]
    assert set(lines.filter(severity="ERROR")["categories"]) == {"error;network"}
    counts = pl.read_csv(templates)
    assert counts.columns == ["template_id", "template", "count", "first_line", "last_line"]
    assert counts["count"].to_list() == [80] * 5
    assert counts.select("first_line", "last_line").rows() == [(n, 395 + n) for n in range(5)]


def test_csv_says_the_same_as_parquet(logs: Command, log: Path, tmp_path: Path) -> None:
    assert logs(log, "--output", tmp_path / "a.csv") == logs(log, "--output", tmp_path / "a.parquet") == 0
    with (tmp_path / "a.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    table = pl.read_parquet(tmp_path / "a.parquet")
    assert [json.loads(row["parameters"]) for row in rows] == table["parameters"].to_list()
    assert [row["template_id"] for row in rows] == table["template_id"].to_list()
    assert rows[0]["timestamp"].startswith("2026-01-02T03:04:05")
    assert rows[0]["timestamp"].endswith("Z")


def test_assign_only_gives_the_same_ids(logs: Command, log: Path, tmp_path: Path) -> None:
    assert logs(log, "--output", tmp_path / "a.parquet") == 0
    assert logs(log, "--output", tmp_path / "b.parquet", "--assign-only") == 0
    fast = pl.read_parquet(tmp_path / "b.parquet")
    assert fast.columns == ["line", "template_id"]
    assert fast.equals(pl.read_parquet(tmp_path / "a.parquet").select("line", "template_id"))


def test_the_same_bytes_in_any_zone_and_any_blocks(
    logs: Command, log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def outputs(name: str) -> list[bytes]:
        paths = [tmp_path / f"{name}.csv", tmp_path / f"{name}-templates.csv", tmp_path / f"{name}.png"]
        assert logs(log, "--output", paths[0], "--templates", paths[1], "--plot", paths[2]) == 0
        return [path.read_bytes() for path in paths]

    first = outputs("first")
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    monkeypatch.setattr(reading, "BLOCK_BYTES", 1000)
    monkeypatch.setattr(reading, "PIECE_BYTES", 1000)
    second = outputs("second")
    monkeypatch.undo()
    time.tzset()
    assert first == second
    assert first[2].startswith(b"\x89PNG")


def test_a_directory_goes_on_past_a_bad_file(
    logs: Command, log: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "in"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "a.log.gz").write_bytes(gzip.compress(log.read_bytes()))
    (folder / "b.csv").write_text('body,timestamp\n"two\nlines 5",2026-01-01T00:00:00Z\nplain 6,\n')
    (folder / "empty.log").write_text("")
    out = tmp_path / "out"
    assert logs(folder, "--output", out, "--templates", tmp_path / "templates", "--assign-only") == 2
    assert sorted(path.name for path in out.rglob("*") if path.is_file()) == ["a.log.gz.csv", "b.csv"]
    assert pl.read_csv(tmp_path / "templates" / "b.csv")["template"].to_list() == ["two\nlines <*>", "plain <*>"]
    assert len(pl.read_csv(out / "deep" / "a.log.gz.csv")) == 400
    assert pl.read_csv(tmp_path / "templates" / "b.csv")["count"].sum() == 2
    error = capsys.readouterr().err.strip().splitlines()
    assert len(error) == 1
    assert "empty.log: the file is empty" in error[0]


def bad_inputs() -> list[tuple[str, bytes, str]]:
    return [
        ("empty.log", b"", "is empty"),
        ("cut.log.gz", gzip.compress(b"a line of text\n" * 9999, mtime=0)[:-9], "truncated or damaged"),
        ("not.log.gz", b"plain text after all\n", "truncated or damaged"),
        ("not.log.zst", b"plain text after all\n", "truncated or damaged"),
        ("no-body.csv", b"timestamp,text\n1,2\n", "no column 'body'"),
        ("no-rows.csv", b"timestamp,body\n", "no rows"),
        ("not.parquet", b"plain text after all\n", "cannot be read"),
    ]


@pytest.mark.parametrize(
    ("name", "content", "message"), bad_inputs(), ids=lambda value: value if isinstance(value, str) else ""
)
def test_bad_input_is_refused_and_leaves_nothing(
    logs: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, content: bytes, message: str
) -> None:
    (tmp_path / name).write_bytes(content)
    out = tmp_path / "out"
    arguments = ["--output", out / "lines.csv", "--templates", out / "t.csv", "--plot", out / "p.png"]
    assert logs(tmp_path / name, *arguments) == 2
    error = capsys.readouterr().err.strip()
    assert "\n" not in error
    assert name in error
    assert message in error
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [tmp_path / name]


@pytest.mark.parametrize(
    "arguments",
    [
        ["--output", "lines.txt"],
        ["--output", "lines.csv", "--templates", "t.txt"],
        ["--output", "lines.csv", "--plot", "p.pdf"],
        ["--output", "lines.csv", "--params", '{"min_siblings": 0}'],
        ["--output", "lines.csv", "--params", '{"unknown": 1}'],
        ["--output", "lines.csv", "--params", "not json"],
        ["--output", "lines.csv", "--spans", "absent.parquet"],
        ["--output", "lines.csv", "--spans", "absent.parquet", "--assign-only"],
    ],
    ids=str,
)
def test_bad_arguments_are_refused(
    logs: Command, log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert logs(log, *arguments) == 2
    assert list(tmp_path.iterdir()) == [log]


def test_lines_of_any_bytes_are_kept(logs: Command, tmp_path: Path) -> None:
    path, output = tmp_path / "any.log", tmp_path / "lines.parquet"
    path.write_bytes(b"good 1\n\xff\xfe bad 2\nnul \x00 7\nlong " + b"x1 " * 400_000 + b"\n\n\t \nlast")
    assert logs(path, "--output", output, "--templates", tmp_path / "t.csv") == 0
    lines = pl.read_parquet(output)
    whole = [fill(t, p) for t, p in lines.select("template", "parameters").iter_rows()]
    assert whole == ["good 1", "\ufffd\ufffd bad 2", "nul \x00 7", "long " + "x1 " * 400_000, "", "\t ", "last"]
    assert pl.read_csv(tmp_path / "t.csv")["count"].sum() == 7


def test_minimal_siblings_is_a_parameter(logs: Command, log: Path, tmp_path: Path) -> None:
    assert logs(log, "--output", tmp_path / "a.csv", "--params", '{"min_siblings": 11}') == 0
    assert "user anna logged in from <*>" in pl.read_csv(tmp_path / "a.csv")["template"].to_list()


def test_html_page_escapes_what_lines_say(logs: Command, tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text("<script>alert('x')</script>\n")
    assert logs(tmp_path / "a.log", "--output", tmp_path / "a.csv", "--plot", tmp_path / "a.html") == 0
    page = (tmp_path / "a.html").read_text()
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


def test_a_log_may_grow_while_it_is_read(log: Path) -> None:
    source = open_source(log)
    first = [block.lines for block in source.blocks()]
    with log.open("a") as stream:
        stream.write("one more line\n" * 50)
    assert [block.lines for block in source.blocks()] == first


def test_a_log_that_shrinks_while_it_is_read_is_refused(log: Path) -> None:
    source = open_source(log)
    shaper = Shaper(source.messages)
    mined = mine((block.lines for block in source.blocks()), 6, shaper)
    clusters = pl.Series("cluster", [0] * len(mined.templates))
    assert sum(map(len, detailed_lines(source, mined, shaper, clusters, 1970, None))) == 400
    log.write_text("another file altogether\n")
    with pytest.raises(InputError, match="changed while it was read"):
        list(detailed_lines(source, mined, shaper, clusters, 1970, None))


@pytest.mark.parametrize(
    ("flag", "name", "told"),
    [
        ("--templates", "lines.csv", "would replace --output"),
        ("--fields", "lines.csv", "would replace --output"),
        ("--fields", "app.csv", "would replace the input"),
    ],
)
def test_no_file_is_written_over_another(
    flag: str, name: str, told: str, logs: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "app.csv"
    source.write_text("body\na 1\n")
    assert logs(source, "--output", tmp_path / "lines.csv", flag, tmp_path / name) == 2
    assert told in capsys.readouterr().err
    assert source.read_text() == "body\na 1\n"
    assert not (tmp_path / "lines.csv").exists()


def test_templates_of_an_earlier_run_are_no_logs(log: Path, logs: Command, capsys: pytest.CaptureFixture[str]) -> None:
    folder = log.parent
    for _ in range(2):
        assert logs(folder, "--output", folder / "out", "--templates", folder / "templates") == 0
        assert "templates" in capsys.readouterr().out
    assert [path.name for path in (folder / "templates").iterdir()] == [f"{log.name}.csv"]


def test_what_is_no_file_is_not_replaced(
    log: Path, logs: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    assert logs(log, "--output", tmp_path / "pipe.csv") == 2
    assert "pipe.csv: it is no regular file; name another place" in capsys.readouterr().err
    assert (tmp_path / "pipe.csv").is_fifo()


def test_a_stack_trace_has_the_time_and_severity_of_its_record(logs: Command, tmp_path: Path) -> None:
    text = (
        "2026-01-02 03:04:05 ERROR shop.cart.Handler: lost {n}\n"
        "java.io.IOException: gone\n\tat shop.Cart.pay(Cart.java:{n})\nCaused by: x\n"
        "2026-01-02 03:04:06 INFO shop.cart.Handler: fine {n}\n"
    )
    (tmp_path / "a.log").write_text("".join(text.format(n=n) for n in range(30)))
    assert logs(tmp_path / "a.log", "--output", tmp_path / "a.parquet") == 0
    lines = pl.read_parquet(tmp_path / "a.parquet").head(5)
    assert lines["severity"].to_list() == ["ERROR"] * 4 + ["INFO"]
    assert lines["service"].unique().to_list() == ["shop.cart.Handler"]
    assert lines["timestamp"].dt.second().to_list() == [5, 5, 5, 5, 6]
    assert lines["template"][2] == "\tat shop.Cart.pay(Cart.java:<*>)"
    assert all("error" in categories for categories in lines["categories"][:4])


def test_blocks_of_mixed_lines_are_put_together_in_order(
    logs: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lines of every way of reading, in blocks that begin within a stack trace."""
    lines = []
    for n in range(200):
        lines += [
            f"2026-01-02 03:04:{n % 60:02} ERROR shop.Cart{n % 3}: lost id={n:032x}",
            f"\tat shop.Cart.pay(Cart.java:{n})",
            f'{{"ts":"2026-01-02T05:00:{n % 60:02}Z","level":"info","msg":"say \\"{n}\\""}}',
            f"Jun 14 15:16:{n % 60:02} host sshd[{n}]: user {n} <*> in",
        ]
    path = tmp_path / "a.log"
    path.write_text("\n".join(lines))
    assert logs(path, "--output", tmp_path / "a.parquet") == 0
    monkeypatch.setattr(reading, "BLOCK_BYTES", 500)
    monkeypatch.setattr(reading, "PIECE_BYTES", 500)
    assert logs(path, "--output", tmp_path / "b.parquet") == 0
    found = pl.read_parquet(tmp_path / "a.parquet")
    assert found.equals(pl.read_parquet(tmp_path / "b.parquet"))
    assert [fill(t, p) for t, p in found.select("template", "parameters").iter_rows()][:8:2] == [
        f"lost id={0:032x}", 'say "0"', f"lost id={1:032x}", 'say "1"',
    ]  # fmt: skip
    assert found["service"].head(5).to_list() == ["shop.Cart0", "shop.Cart0", None, "sshd", "shop.Cart1"]
    assert found["timestamp"].null_count() == 0


@pytest.mark.slow
def test_a_line_of_a_hundred_megabytes(logs: Command, tmp_path: Path) -> None:
    path, output = tmp_path / "a.log", tmp_path / "lines.parquet"
    path.write_bytes(b"short 1\n" + b"word 17 " * 12_500_000 + b"\nlast 2\n")
    assert logs(path, "--output", output, "--templates", tmp_path / "t.csv") == 0
    template, parameters = pl.read_parquet(output).select("template", "parameters").row(1)
    assert len(template) < 20_000
    assert fill(template, parameters) == "word 17 " * 12_500_000
    assert pl.read_csv(tmp_path / "t.csv")["count"].to_list() == [1, 1, 1]


@pytest.mark.slow
def test_a_million_distinct_lines_in_bounded_memory(tmp_path: Path) -> None:
    letters = "abcdefghijklmnopqrstuvwxyz"
    rng = random.Random(1)
    words = ["".join(rng.choices(letters, k=rng.randint(3, 9))) for _ in range(20_000)]
    path, output, templates = tmp_path / "a.log", tmp_path / "lines.parquet", tmp_path / "t.csv"
    with path.open("w") as stream:
        for number in range(1_000_000):
            kind = f"user {''.join(rng.choices(letters, k=8))} logged in after {number} ms from {rng.choice(words)}"
            stream.write((kind if number % 2 else " ".join(rng.choices(words, k=9))) + "\n")
    command = [sys.executable, "-m", "components.cli", "logs", path, "--assign-only", "--output", output]
    process = subprocess.Popen([*map(str, command), "--templates", str(templates)], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    assert status == 0
    assert usage.ru_maxrss < 2_000_000  # kilobytes
    assert len(pl.read_parquet(output)) == 1_000_000
    counts = pl.read_csv(templates)
    assert counts["count"].sum() == 1_000_000
    assert counts.filter(template="user <*> logged in after <*> ms from <*>")["count"].sum() > 490_000


def test_fields_are_written_beside_the_lines(logs: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.log"
    path.write_text('2026-01-02 03:04:05 INFO shop.Cart: paid user=anna\n{"msg": "x", "n": 3}\n')
    assert logs(path, "--output", tmp_path / "a.csv", "--fields", tmp_path / "fields.csv") == 0
    assert (tmp_path / "fields.csv").read_text() == "line,name,value\n0,user,anna\n1,msg,x\n1,n,3\n"
    assert logs(path, "--assign-only", "--output", tmp_path / "b.csv", "--fields", tmp_path / "f.csv") == 2
    assert "--assign-only writes no fields" in capsys.readouterr().err
    assert logs(path, "--output", tmp_path / "b.csv", "--fields", tmp_path / "f.txt") == 2
    assert not (tmp_path / "b.csv").exists()
