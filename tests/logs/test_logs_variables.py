"""Kinds of variables that systems of every sort write, and the one template that each statement has."""

from itertools import product

import polars as pl
import pytest

from components.logs.masking import fill
from components.logs.mining import mine
from components.logs.slicing import key_parameters
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

_FOUR, _FIVE = ("PENDING", "RUNNING", "FAILED", "KILLED"), ("idle", "bound", "lost", "asleep", "gone")
_METHODS = ("GET", "PUT", "POST")
#: Statements with few values, and how many templates they have.
FEW_VALUES = {
    "five of a statement with four words": ([f"Device {n} state changed to {w}" for n in range(3) for w in _FIVE], 1),
    "four of them may be statements": ([f"[device: {n}] tube {w} (by event)" for n in range(3) for w in _FIVE[:4]], 4),
    "four of a statement with eight words": (
        [f"the package {n} was looked at and its new state is {w}" for n in range(3) for w in _FOUR], 1),
    "three of them may be statements": (
        [f"the package {n} was looked at and its new state is {w}" for n in range(3) for w in _FOUR[:3]], 3),
    "a unit and a word are no two values": (
        [f"block {n} stored as {w} in memory, with its estimated size known" for n in range(3)
         for w in ("bytes", "values")], 2),
    "methods in a sentence": ([f"request {w} /a/{n} took {n} ms" for n in range(3) for w in _METHODS], 1),
    "three methods in quotes": ([f'"{w} /a/{n} HTTP/1.1" took {n} ms' for n in range(3) for w in _METHODS], 3),
    "four methods in quotes": (
        [f'"{w} /a/{n} HTTP/1.1" took {n} ms' for n in range(3) for w in (*_METHODS, "HEAD")], 1),
    "hosts with and without a number": (
        [f"connecting to {w}:{n} now" for n in range(1000, 1003) for w in ("db-3.example.net", "shop.internal")], 1),
    "a key is no part of its value": ([f"sent {n} now" for n in range(3)] + ["sent size=3 now"], 2),
    "lists of words in brackets": (
        [f"worker {n} started queues=[{', '.join(w)}]" for n in range(3)
         for w in (("a",), ("b",), ("a", "c"), ("d", "b"), ("d", "e", "f"), ("f", "a", "c"))], 1),
    "words in brackets that are no lists": ([f"worker {n} {w} [up, to, it]" for n in range(3) for w in _FOUR[:3]], 3),
    "lists of words without a space": (
        [f"tags {','.join(w)} set on node {k}" for k in (1, 2, 3) for w in product("abcdef", repeat=k)], 1),
    "quoted words in a list": ([f"known are ['{w}', 'x', 'y'] now" for w in ("a", "b", "c", "d", "e", "f")], 1),
    "what another program said": (
        [f"could not read {n}: {said}" for n in range(3)
         for said in ("EOF", "no such host", "i/o timeout", "not now", "gone", "end of the line")], 1),
    "units that vary at once": (
        [f"map {n}: {n} {a} data, {n} {b} used, {n} {c}/s" for n, (a, b, c) in
         enumerate([("B", "KB", "GB"), ("MB", "B", "KB"), ("GB", "MB", "B")])], 1),
    "units that do not vary": ([f"sent {n} KB ({w})" for n, w in enumerate(("in", "out"))], 2),
    "ids of seven and eight": ([f"commit {w} stored" for w in ("ebb02cd", "deadbee1", "a1bcdef", "ABCD12EF")], 1),
}  # fmt: skip


@pytest.mark.parametrize("kind", FEW_VALUES)
def test_few_values_are_enough_where_much_stays_the_same(kind: str) -> None:
    messages, templates = FEW_VALUES[kind]
    found = mine([as_text(pl.Series(messages))], min_siblings=6).templates
    assert len(found) == templates, found["template"].to_list()
    assert found["count"].sum() == len(messages)


_WORDS = ["anna", "bob", "carl", "dora", "eve", "fay", "gus", "hal", "ida", "jan", "kim", "leo", "mia"]
#: A variable word beside a sign, and the template of the statement.
BESIDE_SIGNS = {
    "cache miss for key {w}:{n} today": "cache miss for key <*>:<*> today",
    "{w}[{n}]: segfault detected": "<*>[<*>]: segfault detected",
    "task {w}(uid={n}) received": "task <*>(uid=<*>) received",
    "panic in src.{w}:{n} while idle": "panic in <*>:<*> while idle",
    "acls changed to: {w},{v} done": "acls changed to: <*>,<*> done",
    "network has flags=<UP,{w}> now": "network has flags=<UP,<*>> now",
    "went back after {w}('x') to sleep": "went back after <*>('x') to sleep",
    "variable {w}={n} was set": "variable <*>=<*> was set",
    "role:{w} action:login": "role:<*> action:login",
    "container {w}{{{n}}} is up": "container <*>{<*>} is up",
    "spawned {w}#{n} for player": "spawned <*>#<*> for player",
    "new session for user {w}.": "new session for user <*>.",
    "waiting for {w}...": "waiting for <*>...",
    "handled by {w};{v} as asked": "handled by <*>;<*> as asked",
}


@pytest.mark.parametrize("statement", BESIDE_SIGNS)
def test_a_variable_word_ends_at_a_sign(statement: str) -> None:
    messages = [statement.format(w=w, v=v, n=n) for n, w in enumerate(_WORDS) for v in (w, _WORDS[n - 1])]
    mined = mine([as_text(pl.Series(messages))], min_siblings=6)
    assert mined.templates["template"].to_list() == [BESIDE_SIGNS[statement]]
    frame = pl.DataFrame({"message": messages, "shape": "", "template": BESIDE_SIGNS[statement]})
    for message, values in zip(messages, key_parameters(frame), strict=True):
        assert fill(BESIDE_SIGNS[statement], values.to_list()) == message


@pytest.mark.parametrize("kind", STATEMENTS)
def test_a_statement_has_one_template(kind: str) -> None:
    messages, templates = STATEMENTS[kind]
    found = mine([as_text(pl.Series(messages))], min_siblings=6).templates
    assert found["template"].to_list() == templates
    assert found["count"].sum() == len(messages)


@pytest.mark.parametrize(
    ("message", "parameters"),
    [("took 1 of 2 ms", ["1", "2"]), ("took 1", ["1", ""]), ("{}", ["", ""])],
    ids=["as the template", "without its end", "another text"],
)
def test_a_message_that_lacks_what_its_template_says_has_a_value_for_every_variable(
    message: str, parameters: list[str]
) -> None:
    keys = pl.DataFrame({"message": [message], "shape": ["x"], "template": ["took <*> of <*> ms"]})
    assert key_parameters(keys)[0].to_list() == parameters
