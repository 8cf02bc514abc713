"""Quoted texts and lists in brackets become one variable where the file shows that they vary."""

from __future__ import annotations

import pytest

from components.logs.enclosed import empty_enclosed

_NAMES = ["anna", "anna maria", "boris", "the new one", "kofi", "q <*> r"]


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        ([f'user "{name}" left' for name in _NAMES], ['user "<*>" left'] * 6),
        ([f"user '{name}' left" for name in _NAMES], ["user '<*>' left"] * 6),
        ([f'{n} "{name}" left' for n, name in enumerate(_NAMES)], None),  # the word before them differs too
        ([f'user "{name}" left' for name in _NAMES[:5]], None),  # too few of them
        (['"GET <*>" done', '"PUT <*>" done', '"POST <*>" done'], None),
        ([f"can't say {name} won't" for name in _NAMES], None),  # no quotation marks
        (["on [<*>] of", "on [<*>, <*>] of", "on [<*>, <*>, <*>] to"], ["on [<*>] of", "on [<*>] of", "on [<*>] to"]),
        (["on [<*>] of", "on [<*>, <*>] of"], None),  # two lengths may be two statements
        (["on [<*>, up] of", "on [<*>, <*>] of", "on [<*>] of"], None),
        ([], []),
    ],
)
def test_what_varies_is_emptied(texts: list[str], expected: list[str] | None) -> None:
    assert empty_enclosed(texts, 6) == (texts if expected is None else expected)


def test_what_stands_behind_one_word_votes_whatever_follows() -> None:
    texts = [f'by "{name}" in {place}' for name, place in zip(_NAMES, "abcdef", strict=True)]
    assert empty_enclosed(texts, 6) == [f'by "<*>" in {place}' for place in "abcdef"]
