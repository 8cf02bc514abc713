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

_MONTH = "(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_DAY = "(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)"
_CLOCK = "[0-9]{2}:[0-9]{2}:[0-9]{2}"
_FRACTION = "(?:[.,][0-9]{1,9})?"


@dataclass(frozen=True)
class TimeFormat:
    """One way to write an instant: its pattern, and how to read it after `.` took the place of `,`.

    `format` is strptime's; empty for Unix times. `prefix` completes what the text leaves out, `{year}` is
    filled in by the reader. `sign` is what must be seen to believe in the format, where it is more than the pattern:
    patterns do not tell digits apart, since they are shown folded lines.
    """

    pattern: str
    format: str
    zoned: bool = False
    prefix: str = ""
    sign: str = ""


#: More specific ones first: the first that most lines of the sample have is taken.
TIME_FORMATS = (
    TimeFormat(
        rf"[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}T{_CLOCK}{_FRACTION}(?:Z|[+-][0-9]{{2}}:?[0-9]{{2}})",
        "%Y-%m-%dT%H:%M:%S%.f%#z",
        zoned=True,
    ),
    TimeFormat(rf"[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}T{_CLOCK}{_FRACTION}", "%Y-%m-%dT%H:%M:%S%.f"),
    TimeFormat(
        rf"[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}} {_CLOCK}{_FRACTION} ?(?:Z|[+-][0-9]{{2}}:?[0-9]{{2}})",
        "%Y-%m-%d %H:%M:%S%.f%#z",
        zoned=True,
    ),
    TimeFormat(rf"[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}} {_CLOCK}{_FRACTION}", "%Y-%m-%d %H:%M:%S%.f"),
    TimeFormat(rf"[0-9]{{4}}/[0-9]{{2}}/[0-9]{{2}} {_CLOCK}{_FRACTION}", "%Y/%m/%d %H:%M:%S%.f"),
    TimeFormat(r"[0-9]{4}-[0-9]{2}-[0-9]{2}-[0-9]{2}\.[0-9]{2}\.[0-9]{2}(?:\.[0-9]+)?", "%Y-%m-%d-%H.%M.%S%.f"),
    TimeFormat(rf"[0-9]{{2}}/{_MONTH}/[0-9]{{4}}:{_CLOCK} [+-][0-9]{{4}}", "%d/%b/%Y:%H:%M:%S %z", zoned=True),
    TimeFormat(rf"{_DAY} {_MONTH} [ 0-9][0-9] {_CLOCK}{_FRACTION} [0-9]{{4}}", "%a %b %e %H:%M:%S%.f %Y"),
    TimeFormat(rf"{_MONTH} [ 0-9]?[0-9] {_CLOCK}{_FRACTION}", "%Y %b %e %H:%M:%S%.f", prefix="{year} "),
    TimeFormat(rf"[0-9]{{2}}/[0-9]{{2}}/[0-9]{{2}} {_CLOCK}", "%y/%m/%d %H:%M:%S"),
    TimeFormat(rf"[0-9]{{2}}-[0-9]{{2}} {_CLOCK}{_FRACTION}", "%Y-%m-%d %H:%M:%S%.f", prefix="{year}-"),
    TimeFormat(r"[0-9]{6} [0-9]{6}", "%y%m%d %H%M%S"),
    TimeFormat(rf"{_CLOCK}{_FRACTION}", "%Y-%m-%d %H:%M:%S%.f", prefix="{year}-01-01 "),
    TimeFormat(
        r"[0-9]{10}(?:\.[0-9]{1,9}|[0-9]{3}|[0-9]{6}|[0-9]{9})?",
        "",
        sign=r"1[0-9]{9}(?:\.[0-9]{1,9}|[0-9]{3}|[0-9]{6}|[0-9]{9})?",
    ),
)

# A column belongs to the header where this share of the sample agrees on what it is.
_AGREED = 0.8
_MAX_WORDS_BEFORE, _MAX_COLUMNS = 5, 8
_BRACKET = r"\[(?:[^\[\]]|\[[^\[\]]*\])*\]:?"
_WORD = re.compile(rf"{_BRACKET}(?=\s|$)|\S+")
_COLUMNS = {
    "severity": rf"[\[<(|]*{SEVERITY}[\]>)|:,]*",
    "number": "[0-9]+",
    "bracket": _BRACKET,
    "dash": "[-|:]+",
    "component": r"[^\s:=\[\]]+(?:\[[0-9]+\])?:",
    "dotted": r"[A-Za-z_$][\w$]*(?:[.$#@:][\w$]+)+",
    "word": r"\S+",
}
_PATTERNS = {kind: re.compile(pattern) for kind, pattern in _COLUMNS.items()}


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
    least, found = max(_MIN_LINES, MIN_SHARE * len(rest)), []
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
            start = rf"^(?:\S+\s+){{{before}}}[\[(<]?{time_format.pattern}[\])>]?,?"
            matches = [match for line in lines if (match := re.match(start + r"(?=[\s:,\-\[]|$):?", line))]
            rests = [match.string[match.end() :].lstrip() for match in matches]
            return _compose(time_format, before, _columns(rests))
    columns = _columns(lines)
    return _compose(None, 0, columns) if "severity" in columns else NO_HEADER


def _words_before(lines: Sequence[str], time_format: TimeFormat, shared: float) -> int | None:
    """How many words stand before the timestamp in most lines; None where most lines have no such timestamp."""
    pattern = re.compile(rf"(?<![\w.:\-]){time_format.sign or time_format.pattern}(?![\w:\-])")
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
    words = [_WORD.findall(rest)[:_MAX_COLUMNS] for rest in rests]
    kinds: list[str] = []
    end = 0
    for position in range(_MAX_COLUMNS):
        column = [line[position] for line in words if len(line) > position]
        kind = _kind(column, len(words), kinds)
        if kind in ("severity", "component", "dotted") or (kind in ("dash", "bracket") and position == end):
            end = position + 1
        kinds.append(kind)
        if kind == "component":
            break
    return kinds[:end]


def _kind(column: Sequence[str], lines: int, before: Sequence[str]) -> str:
    for kind, pattern in _PATTERNS.items():
        if kind in before and kind in ("severity", "component", "dotted"):
            continue
        if kind == "component" and "dotted" in before:
            continue
        if sum(bool(pattern.fullmatch(word)) for word in column) >= _AGREED * lines > 0:
            return kind
    return "word"


def _compose(time_format: TimeFormat | None, before: int, columns: Sequence[str]) -> Header:
    lead = rf"(?:\S+\s+){{{before}}}" if before else ""
    start = rf"{lead}[\[(<]?{time_format.pattern}[\])>]?[,:]?" if time_format else ""
    service = next((kind for kind in ("component", "dotted") if kind in columns), None)
    tail = ""
    for kind in reversed(columns):
        tail = rf"(?:\s*{_COLUMNS[kind]}(?:\s|$){tail})?" if not start else rf"(?:\s+{_COLUMNS[kind]}{tail})?"
    first = rf"\s*{_COLUMNS[columns[0]]}(?:\s|$)" if columns else ""
    return Header(
        fits=rf"^{start}" if start else rf"^{first}",
        pattern=rf"^{start}{tail}\s?" if start else rf"^{tail}",
        time_format=time_format,
        time=rf"^({lead}[\[(<]?)({time_format.pattern})" if time_format else None,
        severity=_group(start, columns, "severity", SEVERITY) if "severity" in columns else None,
        service=_group(start, columns, service, _SERVICE[service]) if service else None,
    )


_SERVICE = {"component": r"[^\s:=\[\]]+", "dotted": r"[A-Za-z_$][\w$]*(?:[.$][\w$]+)*"}


def _group(start: str, columns: Sequence[str], kind: str, field: str) -> str:
    place = columns.index(kind)
    gap = r"\s+" if start else r"\s*"
    lead = "".join(gap + _COLUMNS[other] for other in columns[:place])
    return rf"^({start}{lead}{gap}[\[<(|]*)({field})"
