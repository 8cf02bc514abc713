"""Folding digits changes nothing but the time it takes."""

import json
import re
from random import Random

import polars as pl
import pytest

from components.logs import shaping
from components.logs.folding import fold
from components.logs.masking import shape
from components.logs.shaping import Shaper
from components.logs.source import as_text, open_source
from tests.logs.test_logs_masking import random_messages

KINDS = (
    "ssh2 port {n}",
    "blk_-{n} of {n}",
    "2024-05-0{d} 10:00:0{d} up",
    "eth{d} e{n}f",
    "ü{d} {n}.{n}.1.1:80",
    "x=0x{n}",
)


def shaped(lines: pl.Series) -> list[str]:
    return lines.to_frame("line").select(shape(pl.col("line"), names=True)).to_series().to_list()


def lines_of(seed: int) -> pl.Series:
    made = [KINDS[n % len(KINDS)].format(n=n * 7919, d=n % 10) for n in range(300)]
    return pl.Series("line", made + random_messages(2000, seed))


@pytest.mark.parametrize("seed", range(3))
def test_every_line_has_the_shape_it_has_by_itself(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shaping, "MAX_REMEMBERED_BYTES", 5000)
    lines, shaper = lines_of(seed), Shaper()
    for block in (lines[:900], lines[900:], lines[:50], lines[:0]):
        keys = shaper.keys_of(as_text(block))
        assert [keys.shapes[key] for key in keys.key_of] == shaped(block)
        assert sorted(set(keys.key_of.tolist())) == list(range(len(keys.shapes)))


def test_names_with_digits_make_no_key_of_every_line() -> None:
    shaper = Shaper()
    for block in range(2):
        lines = [f"sshd[{n}]: eth{n % 3} from 10.0.{n}.1 by ssh{n % 2}" for n in range(100 + block, 200 + block)]
        keys = shaper.keys_of(as_text(pl.Series("line", lines)))
        assert len(keys.shapes) == 6
        assert [keys.shapes[key] for key in keys.key_of] == shaped(pl.Series("line", lines))
    assert len(set(keys.numbers)) == 6


@pytest.mark.parametrize(
    ("line", "keys"),
    [
        ("trace={32} span={16} done", 1),
        ("volume {8}-{4}-{4}-{4}-{12} attached", 1),
        ("digest sha256:{64}", 1),
        ("{16}", 1),
        ("c:\\\\{16} \\b{16}", 1),
        # Too short for an id that is one whatever its letters are, and split by a rule.
        ("commit {12}", 20),
        ("{8}--{8}", 20),
    ],
)
def test_lines_that_differ_in_long_ids_are_one_key(line: str, keys: int) -> None:
    random = Random(1)

    def drawn() -> str:
        # One digit at least in every part, so that no part is a word.
        return re.sub(
            r"\{(\d+)\}", lambda size: "1" + "".join(random.choices("0123456789abcdef", k=int(size[1]) - 1)), line
        )

    lines = pl.Series("line", [drawn() for _ in range(20)])
    assert len(Shaper().keys_of(as_text(lines)).shapes) == keys


def test_where_the_message_is_no_end_of_the_line_all_digits_but_those_of_ids_are_put_back() -> None:
    lines = pl.Series("line", [f'{{"n": {n}, "msg": "to eth{n % 2}", "id": "{n:032x}"}}' for n in range(900, 920)])
    shaper = Shaper(lambda texts: texts.str.json_path_match("$.msg"))
    keys = shaper.keys_of(as_text(lines))
    assert [keys.shapes[key] for key in keys.key_of] == [f"to eth{n % 2}" for n in range(900, 920)]


@pytest.mark.parametrize(
    "message",
    [
        "by deadbeefdeadbeef01 to eth0",
        "1c7abf76-fdfb-cd76-0528-c2b3997561db5 9bf adffaaacfcbfdbab",
        "ssh2---------------- eth0",
        "\fabcdef0123456789 to eth0",
        "éabcdefabcdef01 to eth0",
    ],
)
def test_a_message_out_of_json_is_folded_as_it_is_by_itself(message: str) -> None:
    lines = pl.Series("line", [json.dumps({"msg": message, "n": n}) for n in range(3)])
    inside = Shaper(lambda texts: texts.str.json_path_match("$.msg")).keys_of(as_text(lines))
    alone = Shaper().keys_of(as_text(pl.Series("line", [message])))
    assert set(inside.shapes) == set(alone.shapes)


@pytest.mark.parametrize("before", ["ends in \\", ""])
@pytest.mark.parametrize("line", ["bcdef0123456789abcdef", "u12345 and 678", "faded-beef-01-faded-02", "ub"])
def test_no_line_is_folded_by_what_the_line_before_ends_in(before: str, line: str) -> None:
    assert (
        fold(as_text(pl.Series("line", [before, line]))).to_pylist()[1:]
        == fold(as_text(pl.Series("line", [line]))).to_pylist()
    )


def test_a_null_is_an_empty_line() -> None:
    assert Shaper().keys_of(as_text(pl.Series("line", [None, "a 1"]))).shapes == ["", "a <*>"]


@pytest.mark.parametrize(
    "line",
    [
        "2024-05-01 10:00:0{d},123 INFO [main] shop.cart.Handler: took {n} ms",
        "Jun 1{d} 04:06:1{d} combo sshd(pam_unix)[{n}]: check pass; user unknown {n}",
        "170000000{d} INFO disk sda{d} took {n}",
        "081109 20361{d} 148 INFO dfs.DataNode$PacketResponder: block blk_{n}",
    ],
)
def test_a_header_is_cut_from_folded_lines_as_from_whole_ones(line: str, tmp_path) -> None:
    path = tmp_path / "a.log"
    odd = "9999999999 INFO disk sda1 took 5\nno header at all 17\n"
    path.write_text("".join(line.format(d=n % 10, n=n * 131) + "\n" for n in range(200)) + odd)
    source = open_source(path)
    shaper = Shaper(source.messages)
    blocks = list(source.blocks())
    found = [keys.shapes[key] for keys in (shaper.keys_of(b.lines) for b in blocks) for key in keys.key_of]
    assert found == [text for b in blocks for text in shaped(source.records(b, 1970)["message"])]
