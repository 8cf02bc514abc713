"""Texts of any length behind a sign become one variable; statements of one component stay apart."""

from __future__ import annotations

import pytest

from components.logs.ends import even_ends

_SAID = ["EOF", "no such host", "i/o timeout", "connection refused", "permission denied", "end of the line"]


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        ([f"could not read <*>: {said}" for said in _SAID], ["could not read <*>: <*>"] * 6),
        ([f"could not read <*> - {said}." for said in _SAID], ["could not read <*> - <*>."] * 6),
        ([f"read <*>: it failed with code = {said}" for said in _SAID], ["read <*>: it failed with code = <*>"] * 6),
        ([f"could not read <*>: {said}" for said in _SAID[:5]], None),  # too few
        ([f"could not read <*>: said {letter}" for letter in "abcdef"], None),  # of one length
        ([f"kernel disk: {said}" for said in _SAID], None),  # the name of a component
        ([f"could not read user: <*> {said}" for said in _SAID], None),  # the sign introduces the variable
        ([f'could not read "name": {said}' for said in _SAID], None),  # JSON
        (
            [f"order <*> was lost: code = {said}" for said in _SAID] + ["order <*> was lost: not found"],
            ["order <*> was lost: code = <*>"] * 6 + ["order <*> was lost: not found"],
        ),
        ([], []),
    ],
)
def test_ends_that_vary_are_one_variable(texts: list[str], expected: list[str] | None) -> None:
    assert even_ends(texts, 6) == (texts if expected is None else expected)
