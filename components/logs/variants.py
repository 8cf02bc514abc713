"""Shapes that differ in spacing, in the length of a list or in the values of key=value pairs only become one template.

"delete <*>", "delete <*> <*> <*>" and "delete <*> <*>" are one statement that was given lists of several lengths.
"""

from __future__ import annotations

import re
from collections.abc import Container, Sequence

import polars as pl

from components.logs.ends import even_ends
from components.logs.masking import WILDCARD
from components.logs.siblings import MAX_LENGTH, MAX_WILDCARDS, UNIT

_LIST = re.compile(r"<\*>(?:[ ,;|]+<\*>)+")
_WIDE = re.compile(r" {2,}<\*>")
# A name with a variable behind it, as a host with its port, or before it.
_NAME = r"[\w-]+(?:[.@:/][\w-]+)*"
_COMPOUND = re.compile(rf"(?<![\w@:/.>=-])(?:{_NAME}[:@/]<\*>|<\*>[:@/]{_NAME}|<\*>[:@/]<\*>)(?![\w@:/<-]|\.\w)")
# A number's unit: 384.0 B, 2.1 KB.
_MEASURE = re.compile(rf"(?<=<\*>) (?P<unit>{UNIT})(?![\w/])")
#: One shape more or less of two lengths may be two statements; three lengths of a list are a list, three values vary.
_LENGTHS = 3

# The value behind `key=`: quoted, or a word, which may hold braces (WorkSource{<*>}).
_WORD = r"[\w.<>*/:+@#$%&~!?-]"
_VALUE = rf"(?:\"[^\"]*\"|'[^']*'|{_WORD}*(?:\{{[^{{}}]*\}})?)"
_PAIR = re.compile(rf"(?P<key>[\w.\])-]\s?=\s*)(?P<value>{_VALUE})(?=[\s,;)\]}}|]|$)")
# Such a value is a variable by itself: quoted, with a number or a variable in it, or a literal of most languages.
_VARIABLE = re.compile(r"[\"'].*|.*(?:[0-9]|<\*>).*|(?i:true|false|null|nil|none)", re.DOTALL)
#: In a list of so many pairs every value that varies is a variable.
_MIN_PAIRS = 3


def even_out(shapes: pl.Series) -> tuple[pl.Series, list[str]]:
    """The template of each distinct shape, in the order given, and the words that were found to be values.

    A parameter may hold spaces or a whole list.
    """
    texts, values = _even_values(shapes.to_list())
    known = set(texts)
    texts = [narrow if (narrow := _WIDE.sub(f" {WILDCARD}", text)) in known else text for text in texts]
    return pl.Series(shapes.name, _even_lists(texts), dtype=pl.String), values


def even_templates(templates: pl.Series, min_siblings: int) -> pl.Series:
    """The template of each template, in the order given, by the lists, the names and the ends that others have.

    Where `connecting to <*>` is a template, `connecting to srv.internal:<*>` is a connection too: the mask knew the
    other hosts whole.
    """
    texts = templates.unique(maintain_order=True).to_list()
    known = set(texts)
    measured = _even_units([_without_names(text, known) for text in texts])
    even = even_ends(_even_lists(measured), min_siblings)
    return templates.replace_strict(texts, even, return_dtype=pl.String)


def _even_lists(texts: Sequence[str]) -> list[str]:
    """The texts with `<*>` for lists of variables that stand in one place in three lengths."""
    found = list(texts)
    groups: dict[str, list[int]] = {}
    for row, text in enumerate(texts):
        if WILDCARD in text:
            groups.setdefault(_LIST.sub(WILDCARD, _WIDE.sub(f" {WILDCARD}", text)), []).append(row)
    for short, rows in groups.items():
        if len({texts[row].count(WILDCARD) for row in rows}) >= _LENGTHS:
            for row in rows:
                found[row] = short
    return found


def _without_names(text: str, known: Container[str]) -> str:
    """The known template that has a variable where this one has a name and a variable, or this one."""
    if WILDCARD not in text or not _is_sentence(text):
        return text
    every = _COMPOUND.sub(WILDCARD, text)
    if every in known:
        return every
    for match in reversed([*_COMPOUND.finditer(text)]):
        shorter = text[: match.start()] + WILDCARD + text[match.end() :]
        # The other template may have a name in another place as well.
        text = shorter if shorter in known else text
    return text


def _even_units(texts: Sequence[str]) -> list[str]:
    """The texts with `<*>` for numbers and their units where texts that are the same but for units have several."""
    found = list(texts)
    groups: dict[tuple[str, int], list[int]] = {}
    for row, text in enumerate(texts):
        if WILDCARD in text:
            bare, count = _MEASURE.subn(" ", text)
            if count:
                groups.setdefault((bare, count), []).append(row)
    for rows in groups.values():
        units = [set(column) for column in zip(*(_MEASURE.findall(texts[row]) for row in rows), strict=True)]
        if any(len(unit) > 1 for unit in units):
            for row in rows:
                spots = iter(units)
                found[row] = _MEASURE.sub(lambda unit: "" if len(next(spots)) > 1 else unit[0], texts[row])  # noqa: B023
    return found


def _even_values(texts: Sequence[str]) -> tuple[list[str], list[str]]:
    """Values of key=value pairs that vary among shapes with the same keys, or are variables by themselves, to `<*>`."""
    groups: dict[str, list[int]] = {}
    pairs = [
        [match["value"] for match in _PAIR.finditer(text)] if "=" in text and _is_sentence(text) else []
        for text in texts
    ]
    for row, text in enumerate(texts):
        if pairs[row]:
            groups.setdefault(_PAIR.sub(rf"\g<key>{WILDCARD}", text), []).append(row)
    found, values = list(texts), set[str]()
    for rows in groups.values():
        columns = [set(column) for column in zip(*(pairs[row] for row in rows), strict=True)]
        free = [_free_values(column, len(columns)) for column in columns]
        values.update(*free)
        for row in rows:
            found[row] = _without_values(texts[row], free)
    return found, sorted(value for value in values if value and WILDCARD not in value)


def _is_sentence(text: str) -> bool:
    # Of a dump of kilobytes, a pattern with hundreds of groups would have to find the parameters.
    return len(text) <= MAX_LENGTH and text.count(WILDCARD) <= MAX_WILDCARDS


def _free_values(column: set[str], columns: int) -> set[str]:
    """Which of the values behind one key are those of a variable."""
    if columns >= _MIN_PAIRS and len(column) >= _LENGTHS:
        return column
    return {value for value in column if _VARIABLE.fullmatch(value)}


def _without_values(text: str, free: Sequence[set[str]]) -> str:
    spots = iter(free)

    def replaced(pair: re.Match[str]) -> str:
        return pair["key"] + (WILDCARD if pair["value"] in next(spots) else pair["value"])

    return _PAIR.sub(replaced, text)
