"""Fields that lines name, whatever their form."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from components.logs import reading
from components.logs.fields import read_fields
from components.logs.source import open_source


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("pam: authentication failure; uid=0 user=root", [("uid", "0"), ("user", "root")]),
        ('level=info msg="paid \\"17\\" now" took=3.5ms',
         [("level", "info"), ("msg", 'paid "17" now'), ("took", "3.5ms")]),
        ("Route(id=7, from='A b', to=)", [("id", "7"), ("from", "A b"), ("to", "")]),
        ('{"level":"warn","ctx":{"user":"ü","n":[1,2]},"ok":true,"gone":null}',
         [("level", "warn"), ("ctx.user", "ü"), ("ctx.n", "[1, 2]"), ("ok", "true")]),
        ("took x=[1, 2] y=[] [z=[3]]", [("x", "[1, 2]"), ("y", "[]"), ("z", "[3]")]),
        ("open x=[1, y=2", [("x", "[1"), ("y", "2")]),
        ('{"broken": 1', []),
        ('{"\\ud83d": "cut \\ud83d", "whole": "\\ud83d\\ude00"}', [("\ufffd", "cut \ufffd"), ("whole", "\U0001f600")]),
        ("a == b, x >= 3, https://h/p?q=1", []),
        ("no fields here", []),
        ("", []),
    ],
)  # fmt: skip
def test_the_fields_of_a_line(line: str, expected: list[tuple[str, str]], tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_text(f"first a=1\n{line}\n")
    found = pl.concat(read_fields(open_source(path)))
    assert found.filter(pl.col("line") == 1).select("name", "value").rows() == expected
    assert found.row(0) == (0, "a", "1")


def test_what_stands_in_a_wrapper_is_looked_at(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_text("2026-01-02T03:04:05.6Z stdout F paid a=1\n" * 3)
    assert pl.concat(read_fields(open_source(path))).rows() == [(n, "a", "1") for n in range(3)]


def test_lines_count_on_over_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "BLOCK_BYTES", 40)
    monkeypatch.setattr(reading, "PIECE_BYTES", 40)
    path = tmp_path / "a.log"
    path.write_text("".join(f"a={n}\n" if n % 2 else f'{{"a":"{n}"}}\n' for n in range(50)))
    found = pl.concat(read_fields(open_source(path)))
    assert found.rows() == [(n, "a", str(n)) for n in range(50)]
