"""Kinds of variables that systems of every sort write, and the one template that each statement has."""

import polars as pl
import pytest

from components.logs.mining import mine
from components.logs.source import as_text

STATEMENTS = {
    "pairs of every kind of value": (
        [
            f'hold lock={n * 7919}, tag={tag}, owner={owner}, on={on}'
            for n, (tag, owner, on) in enumerate(
                [('"View One"', "null", "true"), ("Radio", "Work{17}", "false"), ('"Mix"', "Work{4}", "true")] * 4
            )
        ],
        ["hold lock=<*>, tag=<*>, owner=<*>, on=<*>"],
    ),
    "sizes in several units": (
        [f"kept block_{n} (size {n}.5 {unit}, free {n + 1} {other})"
         for n in range(1, 40) for unit, other in [(("B", "KB", "MB")[n % 3], ("KB", "GB")[n % 2])]],
        ["kept <*> (size <*>, free <*>)"],
    ),
    "a bound beside durations": (
        [f"example.org:{n} closed, {n} bytes, lifetime {life}" for n in range(100, 130)
         for life in [("<1 sec", f"00:{n % 60:02}")[n % 2]]],
        ["<*> closed, <*> bytes, lifetime <*>"],
    ),
    "components and packages": (
        [f"going to hide Token{{{n:07x} u0 {name} t{n}}}" for n in range(100, 140)
         for name in [("com.example.mail/.InboxActivity", "org.example.maps/.MapActivity")[n % 2]]],
        ["going to hide Token{<*> u0 <*> <*>}"],
    ),
    "dotted names behind a colon": (
        [f"received action:app.intent.action.{name}" for name in ("SCREEN_ON", "SCREEN_OFF")],
        ["received action:<*>"],
    ),
    "hosts, addresses, ports": (
        ["node-7 lost peer [fe80::1:2:3]:4711", "node-12 lost peer [fe80::a:b:c]:9"],
        ["<*> lost peer [<*>]:<*>"],
    ),
    "guids, hardware addresses, mail": (
        [f"{n:08x}-1234-1234-1234-{n:012x} of 00:1a:2b:3c:4d:{n:02x} by user{n}@example.com" for n in range(16, 20)],
        ["<*> of <*> by <*>"],
    ),
    "paths of Windows and versions": (
        [rf"loaded v6.{n}.7601 from C:\Windows\parts\amd64_{n}a{n}\core.dll" for n in range(3)],
        ["loaded <*> from <*>"],
    ),
    "lists of any length": (
        ["total = 1##2##3", "fans ( 1 2 )", "fans ( 1 2 3 )", "fans ( 1 2 3 4 )"],
        ["total = <*>", "fans ( <*> )"],
    ),
    "users by name and number": (
        [f"session closed for user {name}" for name in ("root", "anna", "bob", "#1001", "carl", "dora", "eve", "fay")],
        ["session closed for user <*>"],
    ),
    "several words that vary at once": (
        [f"user {chr(97 + n % 26)}{chr(97 + n // 26)}x came from {('inn', 'bar', 'mill', 'barn', 'farm', 'pub')[n % 6]}"
         for n in range(300)] + ["user zzyzx came from nowhere"],
        ["user <*> came from <*>"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", STATEMENTS)
def test_a_statement_has_one_template(kind: str) -> None:
    messages, templates = STATEMENTS[kind]
    found = mine([as_text(pl.Series(messages))], min_siblings=6).templates
    assert found["template"].to_list() == templates
    assert found["count"].sum() == len(messages)
