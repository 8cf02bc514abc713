"""Texts in quotes and lists in brackets that vary within a file: what they hold is one variable.

`for user "anna maria"` and `nodes [<*>, <*>, <*>]` hold several words or a different number of them each time, so that
no word beside them stands still enough to be told from its siblings. What tells is the word before them: where so many
different texts as make a word a variable, or lists of three lengths, stand behind it, they are values.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from components.logs.masking import WILDCARD

#: Different lengths of a list behind one word.
_LENGTHS = 3
# A quotation begins behind a space, a bracket or a sign that introduces it, and ends before such a one: not within
# `don't`. Nothing is looked for in dumps of kilobytes.
_TEXT = r"\"(?P<double>[^\"\\]*(?:\\.[^\"\\]*)*)\"|'(?P<single>[^'\\]*(?:\\.[^'\\]*)*)'"
_ITEM = r"[^\s,;|()\[\]{}\"']+"
_LIST = (
    r"\[(?P<list><\*>(?:[ ,;|]+<\*>)*)\]"
    rf"|\[(?P<words>{_ITEM}(?:[,;|]\s?{_ITEM})*)\]|\{{(?P<braced>{_ITEM}(?:[,;|]\s?{_ITEM})*)\}}"
)
_ENCLOSED = re.compile(rf"(?:(?<=[\s=:(\[{{,])|^)(?:{_TEXT}|{_LIST})(?=[\s,;:.)\]}}]|$)")
_BETWEEN = re.compile(r"[ ,;|]+")
_MAX_CHARS = 2048


def empty_enclosed(texts: Sequence[str], min_siblings: int) -> list[str]:
    """The shapes with `<*>` in the place of quoted texts and of lists in brackets that vary, in the order given."""
    seen: dict[tuple[str, str], set[str]] = {}
    found = [[*_parts(text)] for text in texts]
    for parts in found:
        for place, content, _ in parts:
            seen.setdefault(place, set()).add(content)
    varying = {place for place, contents in seen.items() if _varies(place[1], contents, min_siblings)}
    return [_emptied(text, parts, varying) if parts else text for text, parts in zip(texts, found, strict=True)]


def _varies(kind: str, contents: set[str], needed: int) -> bool:
    """Whether so many contents are those of a variable: lists of three lengths, and of words so many lists as well."""
    lengths = {len(_BETWEEN.findall(content)) for content in contents} if kind in ("list", "words", "braced") else None
    return (lengths is None or len(lengths) >= _LENGTHS) and (kind == "list" or len(contents) >= needed)


def _parts(text: str) -> list[tuple[tuple[str, str], str, tuple[int, int]]]:
    """Of each quotation and list: the word before it and its kind, what it holds, and where that stands."""
    if len(text) > _MAX_CHARS or not ('"' in text or "'" in text or "[" in text or "{" in text):
        return []
    parts = []
    for match in _ENCLOSED.finditer(text):
        kind = match.lastgroup or ""
        before = text[: match.start()].rsplit(None, 1)
        word = before[-1] if before else ""
        parts.append(((word, kind), match[kind], match.span(kind)))
    return parts


def _emptied(
    text: str, parts: Sequence[tuple[tuple[str, str], str, tuple[int, int]]], varying: set[tuple[str, str]]
) -> str:
    for place, _, (begin, end) in reversed(parts):
        if place in varying:
            text = text[:begin] + WILDCARD + text[end:]
    return text
