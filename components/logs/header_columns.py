"""The columns of a header: what stands at the same place of most lines."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from components.logs.severities import LETTER, MARKED_SEVERITY, SEVERITY

#: A column belongs to the header where this share of the sample agrees on what it is.
AGREED = 0.8
_MAX_COLUMNS = 8
# Lines that must agree before a column's sameness says anything; the share of them that its different words are.
_MANY, _FEW = 50, 0.02

_BRACKET = r"(?:\[(?:[^\[\]]|\[[^\[\]]*\])*\]|\([^()]*\)|<[^<>]*>|\{[^{}]*\}):?"
_TAG = rf"{LETTER}/[^():]*\(\s*[0-9]+\):"
_LOGGER = rf"{SEVERITY}:[\w.-]+:"
# Brackets may adjoin, and a number in brackets may adjoin the word that it belongs to.
_WORD = re.compile(rf"{_TAG}(?=\s|$)|{_LOGGER}|{_BRACKET}(?=[\s\[(<{{]|$)|[^\s\[]+\[[0-9]+\](?=\[)|\S+")
_OPEN, _CLOSE = r"[\[<(|]+\s*", r"\s*[\]>)|]+:?"
_COLUMNS = {
    "severity": (
        rf"(?:{_OPEN}{MARKED_SEVERITY}{_CLOSE}|{MARKED_SEVERITY}:|"
        rf"[\[<(|]*{SEVERITY}(?:\[[0-9]+\]|/[^\s\]]+)?[\]>)|:,]*)"
    ),
    # What stands in the brackets of levels is a level, even one that nobody else has.
    "level": rf"{_OPEN}\w+{_CLOSE}",
    "tag": _TAG,
    "logger": _LOGGER,
    "letter": LETTER,
    "source": r"[\w./-]+\.[a-z]+:[0-9]+\]?:?",
    "number": "[0-9]+",
    # Seconds since the start, as the kernel and X write them.
    "uptime": r"\[\s*[0-9]+\.[0-9]+\s*\]",
    "scope": r"\[\s*[A-Za-z_$][\w$]*(?:[.$/][\w$]+)+\s*\]:?",
    "bracket": _BRACKET,
    "dash": "[-|:]+",
    "sign": "[-|:*#.=<>+~!]{1,3}",
    # Of processes, threads and connections, as `12#34:` and `*56`.
    "numbers": r"(?:[0-9][0-9#./-]*:|[*#][0-9]+)",
    "component": r"(?:[^\s:=\[\]]|::)+(?:\[[0-9]+\])?:",
    "dotted": r"[A-Za-z_$][\w$]*(?:[.$#@:][\w$]+)+(?:\[[0-9]+\])?",
    "word": r"\S+",
    "padded": r"\S+",
}
_PATTERNS = {kind: re.compile(pattern) for kind, pattern in _COLUMNS.items() if kind not in ("level", "word", "padded")}
#: Columns that a header reaches to, whatever stands before them, and that it has once.
_TELLING = ("severity", "level", "tag", "logger", "letter", "source", "component", "dotted")
# Columns that a header reaches to where they are next to it.
_NEXT = ("dash", "late dash", "sign", "numbers", "uptime", "scope", "bracket", "flag", "padded")
_BRACKETS = ("scope", "bracket")

Words = Sequence[Sequence[re.Match[str]]]


@dataclass(frozen=True)
class Column:
    """One column: what it is, the pattern of its words, and whether they adjoin what stands before them."""

    kind: str
    pattern: str
    adjoins: bool = False


def find_columns(rests: Sequence[str], *, timed: bool) -> list[Column]:
    """The columns that lines begin with, as far as the header reaches; `timed`: behind a timestamp."""
    words = [[*islice(_WORD.finditer(rest), _MAX_COLUMNS)] for rest in rests]
    columns: list[Column] = []
    # The header reaches to `end` for sure, or only where what is behind it is no value.
    end = sure = 0
    for position in range(_MAX_COLUMNS):
        here = [line[position] for line in words if len(line) > position]
        kind = _kind(here, len(words), [column.kind for column in columns])
        if kind == "word" and position in (end, end + 1) and _late_dash(words, position):
            kind = "late dash"
        if kind == "severity" and timed and _most_match(here, _PATTERNS["bracket"], len(here)):
            kind = "level"
        if columns and columns[-1].kind == "component" and kind not in ("severity", "level"):
            break
        if kind in _TELLING:
            end = sure = position + 1
        elif kind in _NEXT and _reaches(words, position, end, kind):
            sure = position + 1 if position == end == sure else sure
            end = position + 1
        columns.append(Column(kind, _pattern(kind), _adjoins(words, position)))
    return columns[: end if end == sure or _varies(words, end) else sure]


def _kind(column: Sequence[re.Match[str]], lines: int, before: Sequence[str]) -> str:
    for kind, pattern in _PATTERNS.items():
        if kind in _TELLING and (kind in before or (kind == "severity" and "level" in before)):
            continue
        if kind in ("component", "dotted") and "dotted" in before:
            continue
        if _most_match(column, pattern, lines):
            return "flag" if kind == "number" and _few(column, 2) else kind
    # Few different words in a column that is filled up with spaces: names of channels, not sentences.
    padded = [word for word in column if word.string[word.end() : word.end() + 2] == "  "]
    return "padded" if len(padded) >= AGREED * lines and _few(column, 5) else "word"


def _pattern(kind: str) -> str:
    # A dash may come a word later than in most lines: `chrome.exe *64 - …` beside `chrome.exe - …`.
    return {"late dash": rf"(?:\S+\s+)?{_COLUMNS['dash']}", "flag": _COLUMNS["number"]}.get(kind) or _COLUMNS[kind]


def _reaches(words: Words, position: int, end: int, kind: str) -> bool:
    """Whether the header goes as far as this column, having reached `end`."""
    if position == end:
        # What goes to the end of the line is the message, in brackets though it is.
        return kind not in _BRACKETS or not _ends_lines(words, position)
    if position != end + 1:
        return False
    # One word before a dash is a name, and so is one of few words before a bracket.
    named = [line[end] for line in words if len(line) > end]
    return kind in ("dash", "late dash", "sign") or (
        kind in _BRACKETS and _few(named, 5) and not _ends_lines(words, position)
    )


def _ends_lines(words: Words, position: int) -> bool:
    here = [line[position] for line in words if len(line) > position]
    return sum(not word.string[word.end() :].strip() for word in here) >= AGREED * len(here)


def _varies(words: Words, position: int) -> bool:
    """Whether many different words stand here, as messages begin with; numbers count as one."""
    here = Counter(re.sub("[0-9.]+", "1", line[position][0]) for line in words if len(line) > position)
    return bool(here) and here.most_common(1)[0][1] <= len(words) / 2


def _adjoins(words: Words, position: int) -> bool:
    here = [line for line in words if len(line) > position]
    touching = sum(line[position].start() == (line[position - 1].end() if position else 0) for line in here)
    return touching >= AGREED * len(here) > 0


def _late_dash(words: Words, position: int) -> bool:
    """Whether a dash stands here in most lines, and a word later in nearly all others."""
    here, later = (sum(len(line) > at and line[at][0] == "-" for line in words) for at in (position, position + 1))
    return min(here, later) > 0 and max(here, later) < here + later >= AGREED * len(words)


def _most_match(column: Sequence[re.Match[str]], pattern: re.Pattern[str], lines: int) -> bool:
    """Whether words of this pattern stand in nearly all lines; looked at no longer than it is open."""
    spare = len(column) - AGREED * lines
    for word in column:
        if spare < 0:
            return False
        spare -= not pattern.fullmatch(word[0])
    return spare >= 0 and lines > 0


def _few(column: Sequence[re.Match[str]], different: int) -> bool:
    """Whether a column of many lines has no more than so many different words, or few for so many lines."""
    if len(column) < _MANY:
        return False
    return len({re.sub("[0-9]+", "1", word[0]) for word in column}) <= max(different, _FEW * len(column))
