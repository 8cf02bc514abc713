"""Learning the header of a raw log from a sample: where timestamp, severity and service stand.

Nothing is known about the file. The sample says which kind of timestamp stands after how many words, and what
the columns behind it look like (a severity, a process number, a thread in brackets, a component that ends in a
colon or is a dotted name); one regular expression made of that cuts the header off every line.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from components.logs.header_columns import AGREED, Column, find_columns
from components.logs.severities import LETTER, MARKED_SEVERITY, SEVERITY
from components.logs.time_formats import TIME_FORMATS, TimeFormat

_MAX_WORDS_BEFORE = 5
# What the fields of a column look like within it, behind its opening brackets.
_SEVERITY = {"level": r"\w+", "severity": MARKED_SEVERITY, "tag": LETTER, "logger": SEVERITY, "letter": LETTER}
_NAME = r"[A-Za-z_$][\w$]*(?:[.$][\w$]+)*"
_SERVICE = {
    "component": r"(?:[^\s:=\[\]]|::)+",
    "dotted": _NAME,
    "source": r"[\w./-]+",
    "tag": r"[^\s():]+",
    "logger": r"[\w.-]+",
    "scope": _NAME.replace(".$", ".$/"),
}
# What stands before the service in a column that names the severity, too.
_TITLES = {"tag": f"{LETTER}/", "logger": f"{SEVERITY}:"}


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
            if before is not None:
                return _timed_header(time_format, before, lines)
    columns = find_columns(lines, timed=False)
    told = {"severity", "tag", "logger", "uptime"} & {column.kind for column in columns}
    return _compose(None, "", columns) if told else NO_HEADER


def _timed_header(time_format: TimeFormat, before: int, lines: Sequence[str]) -> Header:
    lead = rf"\s*(?:\S+\s+){{{before}}}" if before else ""
    start = re.compile(rf"^({lead})[\[(<]?{time_format.mark}({time_format.pattern}){_AFTER}(?=[\s:,\-\[|;]|$):?")
    matches = [match for line in lines if (match := start.match(line))]
    time_format = time_format.read_as([match[2] for match in matches])
    rests = [match.string[match.end() :] for match in matches]
    for sign in "|;":
        if sum(rest.startswith(sign) for rest in rests) >= AGREED * len(rests) > 0:
            return delimited_header(time_format, lead, rests, sign)
    header = _compose(time_format, lead, find_columns(rests, timed=True))
    return header if header.severity else replace(header, severity=_severity_before([match[1] for match in matches]))


# What may follow the time: its closing bracket, or the name of the zone that is meant by default.
_AFTER = r"(?: (?:UTC|GMT)\b)?[\])>]?,?"


def _severity_before(leads: Sequence[str]) -> str | None:
    """Where a severity stands in front of the timestamp, as a pattern of two groups."""
    for place, column in enumerate(zip(*(lead.split() for lead in leads), strict=False)):
        told = rf"[\[<(|]*(?:{SEVERITY})[\]>)|:,]*"
        if sum(bool(re.fullmatch(told, word)) for word in column) >= AGREED * len(column):
            return rf"^(\s*(?:\S+\s+){{{place}}}[\[<(|]*)({SEVERITY})"
    return None


def _words_before(lines: Sequence[str], time_format: TimeFormat, shared: float) -> int | None:
    """How many words stand before the timestamp in most lines; None where most lines have no such timestamp."""
    pattern = re.compile(rf"(?<![\w.:\-]){time_format.mark}{time_format.sign or time_format.pattern}(?![\w\-]|:[0-9])")
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


def delimited_header(time_format: TimeFormat, lead: str, rests: Sequence[str], sign: str) -> Header:
    """The header of lines whose fields end in a sign such as `|`, the message standing behind the last one."""
    counts = sorted(rest.count(sign) for rest in rests)
    # As many as nearly all lines have: the message, too, may contain the sign.
    signs = counts[int((1 - AGREED) / 2 * len(counts))]
    fields = [rest.split(sign)[1:signs] for rest in rests if rest.count(sign) >= signs]
    severity = service = None
    start, one = rf"{lead}{time_format.mark}{time_format.pattern}", rf"[^{sign}]*\{sign}"
    for place, column in enumerate(zip(*fields, strict=True)):
        group = rf"^({start}\{sign}(?:{one}){{{place}}}\s*)"
        told = sum(bool(re.fullmatch(SEVERITY, word.strip())) for word in column) >= AGREED * len(column)
        if told:
            severity = severity or rf"{group}({SEVERITY})"
        elif not service and not all(word.strip().isdigit() for word in column):
            service = rf"{group}([^{sign}\s]+)"
    pattern = rf"^{start}\{sign}(?:{one}){{{signs - 1}}}"
    time = rf"^({lead}{time_format.mark})({time_format.pattern})"
    return Header(pattern, pattern, time_format, time, severity, service)


def _compose(time_format: TimeFormat | None, lead: str, columns: Sequence[Column]) -> Header:
    mark = time_format.mark if time_format else ""
    start = rf"{lead}[\[(<]?{mark}{time_format.pattern}{_AFTER}:?" if time_format else ""
    parts = _parts(columns, timed=bool(start))
    tail = ""
    for part in reversed(parts):
        tail = rf"(?:{part}{tail})?"
    return Header(
        fits=rf"^{start}" if start else rf"^{parts[0]}",
        pattern=rf"^{start}{tail}\s*",
        time_format=time_format,
        time=rf"^({lead}[\[(<]?{mark})({time_format.pattern})" if time_format else None,
        severity=_group(start, columns, _SEVERITY) or (rf"^({lead}[\[(<]?)({mark})" if mark else None),
        service=_group(start, columns, _SERVICE),
    )


def _parts(columns: Sequence[Column], *, timed: bool) -> list[str]:
    """The pattern of each column, with the space around it, none where the next one adjoins."""
    parts: list[str] = []
    for column, after in zip(columns, [*columns[1:], None], strict=False):
        gap = "" if parts else r"\s+" if timed and not column.adjoins else r"\s*"
        parts.append(
            gap + column.pattern + (r"\s*" if column.kind == "logger" or (after and after.adjoins) else r"(?:\s+|$)")
        )
    return parts


def _group(start: str, columns: Sequence[Column], fields: Mapping[str, str]) -> str | None:
    """Where the first of these fields that the columns have stands, as a pattern of two groups."""
    kinds = [column.kind for column in columns]
    kind = next((kind for kind in fields if kind in kinds), None)
    if kind is None:
        return None
    place = kinds.index(kind)
    parts = _parts(columns, timed=bool(start))
    gap = "" if place else r"\s*"
    opening = _TITLES.get(kind, "") if fields is _SERVICE else ""
    opening = opening or r"[\[<(|]*\s*"
    return rf"^({start}{''.join(parts[:place])}{gap}{opening})({fields[kind]})"
