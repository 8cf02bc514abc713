"""Learning the header of a raw log from a sample: where timestamp, severity and service stand.

Nothing is known about the file. The sample says which kind of timestamp stands after how many words, and what
the columns behind it look like (a severity, a process number, a thread in brackets, a component that ends in a
colon or is a dotted name); one regular expression made of that cuts the header off every line.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from components.logs.time_formats import TIME_FORMATS, TimeFormat

SEVERITIES = {
    "TRACE": ("TRACE", "FINEST", "FINER", "VERBOSE"),
    "DEBUG": ("DEBUG", "FINE"),
    "INFO": ("INFO", "INFORMATION", "NOTICE"),
    "WARN": ("WARN", "WARNING"),
    "ERROR": ("ERROR", "ERR", "SEVERE"),
    "FATAL": ("FATAL", "CRITICAL", "CRIT", "ALERT", "EMERG", "EMERGENCY", "PANIC"),
}
SEVERITY_OF = {name: level for level, names in SEVERITIES.items() for name in names}
SEVERITY = "(?i:" + "|".join(sorted(SEVERITY_OF, key=len, reverse=True)) + ")"
#: One letter stands for a level where a column holds nothing else.
LETTERS = {"V": "TRACE", "D": "DEBUG", "I": "INFO", "W": "WARN", "E": "ERROR", "F": "FATAL"}

# A column belongs to the header where this share of the sample agrees on what it is.
_AGREED = 0.8
_MAX_WORDS_BEFORE, _MAX_COLUMNS = 5, 8
# Lines that must agree before a column's sameness says anything.
_MANY = 50
_BRACKET = r"\[(?:[^\[\]]|\[[^\[\]]*\])*\]:?"
_WORD = re.compile(rf"{_BRACKET}(?=\s|$)|\S+")
_COLUMNS = {
    "severity": rf"[\[<(|]*{SEVERITY}[\]>)|:,]*",
    "letter": "[VDIWEF]",
    "source": r"[\w./-]+\.[a-z]+:[0-9]+\]?:?",
    "number": "[0-9]+",
    "bracket": _BRACKET,
    "dash": "[-|:]+",
    "component": r"[^\s:=\[\]]+(?:\[[0-9]+\])?:",
    "dotted": r"[A-Za-z_$][\w$]*(?:[.$#@:][\w$]+)+",
    "word": r"\S+",
    "padded": r"\S+(?:\s+|$)",
}
_PATTERNS = {kind: re.compile(pattern) for kind, pattern in _COLUMNS.items() if kind not in ("word", "padded")}


@dataclass(frozen=True)
class Header:
    """The learnt header; `pattern` matches it at the start of a line, without groups, where `fits` does.

    The other patterns have two groups: what stands before the field, and the field; None where the log has no such
    column.
    """

    fits: str
    pattern: str
    time_format: TimeFormat | None = None
    time: str | None = None
    severity: str | None = None
    service: str | None = None


NO_HEADER = Header("^", "^")
#: Headers of one file, and the share of the lines that one must have.
MAX_HEADERS, MIN_SHARE = 6, 0.02
_MIN_LINES = 3


def learn_headers(sample: Sequence[str]) -> tuple[Header, ...]:
    """The headers of a file that holds lines of several makings, the most frequent kinds first."""
    rest = [line[:400] for line in sample if line.strip()]
    least = max(_MIN_LINES, MIN_SHARE * len(rest))
    found: list[Header] = []
    while len(found) < MAX_HEADERS and (not found or len(rest) >= least):
        header = learn_header(rest, rare=True)
        if header == NO_HEADER:
            break
        found.append(header)
        fits = re.compile(header.fits)
        rest = [line for line in rest if not fits.match(line)]
    return tuple(found)


def learn_header(sample: Sequence[str], *, rare: bool = False) -> Header:
    """The header that most of the sampled lines share; NO_HEADER where there is none.

    rare: where most lines share none, one that some lines begin with is taken.
    """
    lines = [line[:400] for line in sample if line.strip()]
    for shared in (0.5, 0.1) if rare else (0.5,):
        for time_format in TIME_FORMATS:
            before = _words_before(lines, time_format, shared)
            if before is None:
                continue
            lead = rf"(?:\S+\s+){{{before}}}" if before else ""
            start = rf"^{lead}[\[(<]?{time_format.mark}{time_format.pattern}[\])>]?,?"
            matches = [match for line in lines if (match := re.match(start + r"(?=[\s:,\-\[|]|$):?", line))]
            rests = [match.string[match.end() :] for match in matches]
            if sum(rest.startswith("|") for rest in rests) >= _AGREED * len(rests) > 0:
                return piped_header(time_format, lead, rests)
            return _compose(time_format, lead, _columns([rest.lstrip() for rest in rests]))
    columns = _columns(lines)
    return _compose(None, "", columns) if "severity" in columns else NO_HEADER


def _words_before(lines: Sequence[str], time_format: TimeFormat, shared: float) -> int | None:
    """How many words stand before the timestamp in most lines; None where most lines have no such timestamp."""
    pattern = re.compile(rf"(?<![\w.:\-]){time_format.mark}{time_format.sign or time_format.pattern}(?![\w:\-])")
    found = Counter(
        len(match.string[: match.start()].rstrip("[(<").split())
        for line in lines
        if (match := pattern.search(line)) and not match.string[: match.start()].strip("[(<").endswith(tuple("\"'=:"))
    )
    if not found:
        return None
    before, count = min(found.items(), key=lambda item: (-item[1], item[0]))
    if count < max(shared * len(lines), 1 if shared >= 0.5 else _MIN_LINES):
        return None
    # What a few lines have in their middle is no header.
    return before if before <= (_MAX_WORDS_BEFORE if shared >= 0.5 else 0) else None


def _columns(rests: Sequence[str]) -> list[str]:
    """The kinds of the columns behind the timestamp, as far as the header reaches."""
    words = [[*islice(_WORD.finditer(rest), _MAX_COLUMNS)] for rest in rests]
    kinds: list[str] = []
    end = 0
    for position in range(_MAX_COLUMNS):
        column = [line[position] for line in words if len(line) > position]
        kind = _kind(column, len(words), kinds)
        if kind == "word" and position == end and _late_dash(words, position):
            kind = "dash"
        if kind in _TELLING or (kind in ("dash", "bracket", "flag", "padded") and position == end):
            end = position + 1
        kinds.append("number" if kind == "flag" else kind)
        if kind == "component":
            break
    return kinds[:end]


def _late_dash(words: Sequence[Sequence[re.Match[str]]], position: int) -> bool:
    """Whether a dash stands here in most lines, and a word later in nearly all others."""
    here, later = (sum(len(line) > at and line[at][0] == "-" for line in words) for at in (position, position + 1))
    return here > later and here + later >= _AGREED * len(words)


#: Columns that a header reaches to, whatever stands before them, and that it has once.
_TELLING = ("severity", "letter", "source", "component", "dotted")


def _kind(column: Sequence[re.Match[str]], lines: int, before: Sequence[str]) -> str:
    for kind, pattern in _PATTERNS.items():
        if kind in before and kind in _TELLING:
            continue
        if kind in ("component", "dotted") and "dotted" in before:
            continue
        if _most_match(column, pattern, lines):
            return "flag" if kind == "number" and _few(column, 2) else kind
    # Few different words in a column that is filled up with spaces: names of channels, not sentences.
    padded = [word for word in column if word.string[word.end() : word.end() + 2] == "  "]
    return "padded" if len(padded) >= _AGREED * lines and _few(column, 5) and lines >= _MANY else "word"


def _most_match(column: Sequence[re.Match[str]], pattern: re.Pattern[str], lines: int) -> bool:
    """Whether words of this pattern stand in nearly all lines; looked at no longer than it is open."""
    spare = len(column) - _AGREED * lines
    for word in column:
        if spare < 0:
            return False
        spare -= not pattern.fullmatch(word[0])
    return spare >= 0 and lines > 0


def _few(column: Sequence[re.Match[str]], different: int) -> bool:
    """Whether a column of many lines has no more than so many different words."""
    return len(column) >= _MANY and len({word[0] for word in column}) <= different


def piped_header(time_format: TimeFormat, lead: str, rests: Sequence[str]) -> Header:
    """The header of lines whose fields end in `|`, the message standing behind the last one."""
    pipes = Counter(rest.count("|") for rest in rests).most_common(1)[0][0]
    fields = [rest.split("|")[1:pipes] for rest in rests if rest.count("|") >= pipes]
    severity = service = None
    start = rf"{lead}{time_format.mark}{time_format.pattern}"
    for place, column in enumerate(zip(*fields, strict=True)):
        group = rf"^({start}\|(?:[^|]*\|){{{place}}}\s*)"
        told = sum(bool(re.fullmatch(SEVERITY, word.strip())) for word in column) >= _AGREED * len(column)
        if told:
            severity = severity or rf"{group}({SEVERITY})"
        elif not service and not all(word.strip().isdigit() for word in column):
            service = rf"{group}([^|\s]+)"
    pattern = rf"^{start}\|(?:[^|]*\|){{{pipes - 1}}}"
    return Header(
        pattern, pattern, time_format, rf"^({lead}{time_format.mark})({time_format.pattern})", severity, service
    )


def _compose(time_format: TimeFormat | None, lead: str, columns: Sequence[str]) -> Header:
    mark = time_format.mark if time_format else ""
    start = rf"{lead}[\[(<]?{mark}{time_format.pattern}[\])>]?[,:]?" if time_format else ""
    service = next((kind for kind in ("component", "dotted", "source") if kind in columns), None)
    tail = ""
    for kind in reversed(columns):
        # A dash may come a word later than in most lines: `chrome.exe *64 - …` beside `chrome.exe - …`.
        column = rf"(?:\S+\s+)?{_COLUMNS[kind]}" if kind == "dash" else _COLUMNS[kind]
        tail = rf"(?:\s*{column}(?:\s|$){tail})?" if not start else rf"(?:\s+{column}{tail})?"
    first = rf"\s*{_COLUMNS[columns[0]]}(?:\s|$)" if columns else ""
    severity = next((kind for kind in ("severity", "letter") if kind in columns), None)
    levels = {"severity": SEVERITY, "letter": _COLUMNS["letter"]}
    return Header(
        fits=rf"^{start}" if start else rf"^{first}",
        pattern=rf"^{start}{tail}\s?" if start else rf"^{tail}",
        time_format=time_format,
        time=rf"^({lead}[\[(<]?{mark})({time_format.pattern})" if time_format else None,
        severity=_group(start, columns, severity, levels[severity]) if severity else _marked(lead, mark),
        service=_group(start, columns, service, _SERVICE[service]) if service else None,
    )


def _marked(lead: str, mark: str) -> str | None:
    return rf"^({lead}[\[(<]?)({mark})" if mark else None


_SERVICE = {"component": r"[^\s:=\[\]]+", "source": r"[\w./-]+", "dotted": r"[A-Za-z_$][\w$]*(?:[.$][\w$]+)*"}


def _group(start: str, columns: Sequence[str], kind: str, field: str) -> str:
    place = columns.index(kind)
    gap = r"\s+" if start else r"\s*"
    lead = "".join(gap + _COLUMNS[other] for other in columns[:place])
    return rf"^({start}{lead}{gap}[\[<(|]*)({field})"
