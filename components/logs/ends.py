"""Sentences that end in what another program said: `could not read <*>: no such file`, `could not read <*>: EOF`.

What follows a sign that introduces it is a text of any length, so that no word of it stands still. What tells is what
stands before: where as many different ends as make a word a variable, of three lengths, follow the same words, they are
values.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from components.logs.masking import WILDCARD

_LENGTHS = 3
#: Fewer words before the sign are rather the name of a component, behind which its sentences stand.
_FEWEST_WORDS = 3
# In `user: <*> left` the sign introduces the variable alone, in `"user": ` it is JSON's.
_SIGN = re.compile(r"(?:(?<=[^\s\"']) ?[:=]| -) +(?=\S)(?!<\*>\s+(?!<\*>))")
_WORD = re.compile(r"(?<!\S)[^\s<>]*[^\W\d_][^\s<>]*(?!\S)")
_CLOSING = re.compile(r"[^\w\s>]+$")
_MAX_CHARS = 2048


def even_ends(texts: Sequence[str], min_siblings: int) -> list[str]:
    """The templates with `<*>` for ends that vary, in the order given."""
    found = list(texts)
    groups: dict[str, list[int]] = {}
    for row, text in enumerate(texts):
        if len(text) <= _MAX_CHARS and (": " in text or "= " in text or " - " in text):
            for start in _starts(text):
                groups.setdefault(start, []).append(row)
    # The longest first: what follows the first of several signs is a sentence with a variable end by itself.
    for start in sorted(groups, key=len, reverse=True):
        rows = [row for row in groups[start] if not _SIGN.search(found[row], len(start))]
        ends = {found[row][len(start) :] for row in rows}
        if len(ends) >= min_siblings and len({end.count(" ") for end in ends}) >= _LENGTHS:
            closings = {match[0] if (match := _CLOSING.search(end)) else "" for end in ends}
            closing = closings.pop() if len(closings) == 1 else ""
            for row in rows:
                found[row] = start + WILDCARD + closing
    return found


def _starts(text: str) -> list[str]:
    """What stands before the end of a text, once for each sign that may introduce one."""
    starts = [text[: match.end()] for match in _SIGN.finditer(text)]
    return [start for start in starts if len(_WORD.findall(start)) >= _FEWEST_WORDS]
