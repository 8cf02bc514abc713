"""Headers of many makings: brackets, levels, signs and padded words that stand in the same columns of most lines."""

import re
import time
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest

from components.logs.folding import fold
from components.logs.header import NO_HEADER, learn_header
from components.logs.source import open_source

LEVELS = ("WARN", "INFO", "ERROR", "DEBUG")
TEXTS = ("paid {n} of 7", "no route to host", "cache {n} refreshed", "user 5 left", "lease granted", "slow query")
# Each: the pattern of 60 lines; the time, severity, service and message of the first one.
AT = "2026-03-15T08:00:00"
HEADERS = {
    "adjoining brackets": (
        "[2026-03-15T08:00:{n:02},127][{level:5}][o.e.{word}.Node      ] [node-{n}] {text}",
        (AT + ".127000", "WARN", "o.e.net.Node", "paid 0 of 7"),
    ),
    "brackets behind a number": (
        "2026-03-15T08:00:{n:02}.5Z 2{n} [{note}] [MY-0{n}] [{word}] {text}",
        (AT + ".500000", "INFO", None, "paid 0 of 7"),
    ),
    "levels that nobody else has": (
        "2026-03-15 08:00:{n:02} [{odd}] {text}",
        (AT, "AUDIT", None, "paid 0 of 7"),
    ),
    "levels of three letters": ("2026-03-15 08:00:{n:02} +00:00 [{abc}] {text}", (AT, "WARN", None, "paid 0 of 7")),
    "a number that adjoins the level": (
        "[2026-03-15 08:00:{n:02}] {level}[1{n}][C-{n}] {word}.c: {text}",
        (AT, "WARN", "net.c", "paid 0 of 7"),
    ),
    "a level before the time": (
        "{level:5} [main-{n}] 2026-03-15 08:00:{n:02},000 {word}.java:5{n} - {text}",
        (AT, "WARN", "net.java", "paid 0 of 7"),
    ),
    "a space before the level": (
        " {level:5} [main-{n}] 2026-03-15 08:00:{n:02},000 {word}.java (line 5{n}) {text}",
        (AT, "WARN", "net.java", "paid 0 of 7"),
    ),
    "a level behind the component": (
        "15-Mar-2026 08:00:{n:02}.000 {word}: {level}: {text}",
        (AT, "WARN", "net", "paid 0 of 7"),
    ),
    "a colon behind the zone": (
        "2026-03-15 08:00:{n:02}.000+0000: 287{n}: {level} : run{word}:10{n} : {text}",
        (AT, "WARN", "runnet", "paid 0 of 7"),
    ),
    "digits alone": ("20260315-0800{n:02},000 [{level}] {text}", (AT, "WARN", None, "paid 0 of 7")),
    "a clock of twelve hours": ("8:00AM {abc} {text}", ("1970-01-01T08:00:00", "WARN", None, "paid 0 of 7")),
    "a sign": ("13{n}:C 15 Mar 2026 08:00:{n:02}.000 {sign} {text}", (AT, None, None, "paid 0 of 7")),
    "a letter, a channel and a thread": (
        "2026-03-15T08:00:{n:02}.000+0000 {letter} {channel} [conn{n}] {text}",
        (AT, "WARN", None, "paid 0 of 7"),
    ),
    "a padded channel": ("2026-03-15 08:00:{n:02}.00 {channel:12}{text}", (AT, None, None, "paid 0 of 7")),
    "a name before a dash": (
        "[03.15 08:00:{n:02}] {channel} - {text}",
        ("1970-03-15T08:00:00", None, None, "paid 0 of 7"),
    ),
    "a program and a dash a word later": (
        "[03.15 08:00:{n:02}] {program} - {text}",
        ("1970-03-15T08:00:00", None, "chrome.exe", "paid 0 of 7"),
    ),
    "names of any kind and a dash a word later": (
        "[03.15 08:00:{n:02}] {any} - {text}",
        ("1970-03-15T08:00:00", None, None, "paid 0 of 7"),
    ),
    "a module": ("2026-03-15T08:00:{n:02}Z  {level} app::{word}: {text}", (AT, "WARN", "app::net", "paid 0 of 7")),
    "colours": (
        "\x1b[2m2026-03-15T08:00:{n:02}Z\x1b[0m \x1b[33m{level:5}\x1b[0m app::{word}\x1b[2m:\x1b[0m {text}",
        (AT, "WARN", "app::net", "paid 0 of 7"),
    ),
    "an hour behind two spaces": ("2026-03-15  8:00:{n:02} 2{n} [{note}] {text}", (AT, "INFO", None, "paid 0 of 7")),
    "seconds since the start": ("[   1{n}.708{n}] {word}: {text}", (None, None, "net", "paid 0 of 7")),
    "angle brackets": (
        "<Mar 15, 2026 8:00:{n:02} AM UTC> <{level}> <{word}> <BEA-1{n}> <{text}>",
        (AT, "WARN", None, "<paid 0 of 7>"),
    ),
    "commas in the date": (
        "<Mar 15, 2026, 8:00:{n:02},500 AM UTC> <{level}> {text}",
        (AT + ".500000", "WARN", None, "paid 0 of 7"),
    ),
    "semicolons, the day first": ("15/03/2026 08:00:{n:02};{level};{word};{text}", (AT, "WARN", "net", "paid 0 of 7")),
    "the month first": ("3/15/2026 8:00:{n:02} AM [{level}] {text}", (AT, "WARN", None, "paid 0 of 7")),
    "a level filled up": ("{filled} {text}", (None, "WARN", None, "paid 0 of 7")),
    "a level, a tag and a number": ("{letter}/{word}( 8{n}): {text}", (None, "WARN", "net", "paid 0 of 7")),
    "a level and a category": ("{dotnet}: Acme.{word}[2{n}] {text}", (None, "WARN", "Acme.net", "paid 0 of 7")),
    "a level and a logger": ("{level}:a.{word}:{text}", (None, "WARN", "a.net", "paid 0 of 7")),
    "numbers with signs": (
        "2026/03/15 08:00:{n:02} [{level}] {n}#1{n}: *5{n} {text}",
        (AT, "WARN", None, "paid 0 of 7"),
    ),
    "signs between words": (
        "15-Mar-2026 08:00:{n:02} * {word} * 0 * {text}",
        (AT, None, None, "paid 0 of 7"),
    ),
    "an id before a sign": ("2026-03-15 08:00:{n:02} 33{n}c-2a8d-3b {sign} {text}", (AT, None, None, "paid 0 of 7")),
    "levels in capitals": ("2026-03-15 08:00:{n:02} | {capitals:8} | {text}", (AT, "INFO", None, "paid 0 of 7")),
    "a level beside a worker": (
        "[2026-03-15 08:00:{n:02},000: {level}/Fork-{n}] {text}",
        (AT, "WARN", None, "paid 0 of 7"),
    ),
    "two digits of the year": (
        "[3/15/26 8:00:{n:02}:000 UTC] 000{n} {channel}  {letter}   {text}",
        (AT, "WARN", None, "paid 0 of 7"),
    ),
    "containers": ("{container:9} | {text}", (None, None, "web-1", "paid 0 of 7")),
    "containers of lines with headers": (
        "{container:9} | 2026-03-15 08:00:{n:02},000 {level} {text}",
        (AT, "WARN", "web-1", "paid 0 of 7"),
    ),
}


def lines_of(pattern: str, count: int = 60) -> list[str]:
    lines = []
    for n in range(count):
        level = LEVELS[n % 4]
        words = {
            "n": n, "level": level, "letter": level[0], "filled": f"{level}:".ljust(9),
            "word": ("net", "repl", "db")[n % 3], "container": ("web-1", "db-1", "redis-1")[n % 3],
            "note": ("Note", "System", "Warning", "ERROR")[n % 4], "odd": "AUDIT" if n % 6 == 0 else level,
            "capitals": ("SUCCESS", "LOG", "FAIL", "INFO")[n % 4],
            "abc": ("WRN", "INF", "ERR", "DBG")[n % 4], "dotnet": ("warn", "info", "fail", "dbug")[n % 4],
            "sign": "*#.-"[n % 4], "channel": ("NETWORK ", "STORAGE ", "REPL_HB ", "Server  ")[n % 4],
            "program": ("chrome.exe", "chrome.exe *64", "svn.exe")[n % 3],
            "any": ("a-b.exe", "chrome *64", "c++ *64", "svn.exe")[n % 4],
            "text": TEXTS[n % 6].format(n=n),
        }  # fmt: skip
        lines.append(pattern.format(**words))
    return lines


@pytest.mark.parametrize("kind", HEADERS)
def test_headers_of_many_makings(tmp_path: Path, kind: str) -> None:
    pattern, (at, severity, service, message) = HEADERS[kind]
    lines = lines_of(pattern)
    (tmp_path / "a.log").write_text("\n".join(lines))
    source = open_source(tmp_path / "a.log")
    records = pl.concat([source.records(block, 1970) for block in source.blocks()])
    expected = datetime.fromisoformat(at).replace(tzinfo=UTC) if at else None
    first = records.row(0, named=True)
    found = (first["timestamp"], first["severity"], first["service"], first["message"])
    assert found == (expected, severity, service, message)
    texts = [TEXTS[n % 6].format(n=n) for n in range(len(lines))]
    assert [text.strip("<>") for text in records["message"]] == texts
    # The header of a folded line is as long as that of the line itself.
    folded = pl.Series(fold(pa.array(lines, pa.large_string())))
    assert source.messages(folded).str.len_bytes().to_list() == records["message"].str.len_bytes().to_list()


@pytest.mark.parametrize(
    "pattern",
    [
        "{text} ({n})",
        "(root) {text}",
        "- {text}",
        "{word} [{n}] {text}",
        "system {n} started",
        "log {n} rotated",
        "<a>{text}</a>",
    ],
)
def test_lines_without_time_or_level_have_no_header(pattern: str) -> None:
    assert learn_header(lines_of(pattern)) == NO_HEADER


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("2026-03-15 08:00:00 Failed to start", "Failed to start"),
        ("2026-03-15 08:00:00 error_code 5", "error_code 5"),
        ("2026-03-15 08:00:00 system started", "system started"),
    ],
)
def test_a_line_that_lacks_a_column_keeps_its_words(line: str, message: str) -> None:
    for pattern in ("2026-03-15 08:00:{n:02} {letter} {text}", "2026-03-15 08:00:{n:02} {level} {text}"):
        header = learn_header([*lines_of(pattern), line])
        assert re.sub(header.pattern, "", line) == message


@pytest.mark.parametrize("name", ["temperature : {n}", "{word} - {n}.5", "{word} = {n}", "user {word} - 5 paid"])
def test_a_name_before_a_value_is_no_header(tmp_path: Path, name: str) -> None:
    lines = lines_of("2026-03-15 08:00:{n:02} " + name)
    header = learn_header(lines)
    assert [re.sub(header.pattern, "", line) for line in lines] == lines_of(name)


@pytest.mark.parametrize("word", ["[", "[[]", "(", "<", "{", "[a]", "<a>", "D/", "a" * 50, "a:", "- ", "| ", "INFO "])
def test_long_lines_are_learnt_quickly(word: str) -> None:
    lines = [f"2026-03-15 08:00:{n:02} {word * 400}" for n in range(60)]
    begin = time.process_time()
    header = learn_header(lines)
    pl.Series(["2026-03-15 08:00:00 " + word * 20_000]).str.replace(header.pattern, "")
    learn_header([word * 400] * 60)
    assert time.process_time() - begin < 2
