"""What log shippers put around the lines of programs: Docker's JSON, the CRI of Kubernetes, syslog, Docker Compose.

Each wrapper is told by most of the sampled lines and peeled off; what is inside is a log line of its own.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import polars as pl

from components.logs.severities import SEVERITY_OF

#: A file is wrapped where this share of its sampled lines is.
_MOST = 0.8


@dataclass(frozen=True)
class Wrapper:
    """How a line (column `line`) becomes the line inside, and what the wrapper says of it, as text.

    is_end: what is inside is the end of the line.
    """

    inside: pl.Expr
    fields: Mapping[str, pl.Expr] = field(default_factory=dict)
    is_end: bool = True


NO_WRAPPER = Wrapper(pl.col("line"))

_CRI = r"^([0-9]{4}-[0-9]{2}-[0-9]{2}T\S+) (?:stdout|stderr) [FP](?: |$)"
# RFC 5424: <priority>version time host app process message-id structured-data message
_DATA = r"(?:-|(?:\[(?:[^\]\"]|\"(?:[^\"\\]|\\.)*\")*\])+)"
_SYSLOG = rf"^<[0-9]{{1,3}}>[0-9] (\S+) \S+ (\S+) \S+ \S+ {_DATA}(?: (?:\x{{FEFF}})?|$)"
# RFC 3164: the priority alone stands before a header that is learnt as any other.
_PRIORITY = r"^<[0-9]{1,3}>"
# Docker Compose: the container's name, filled up to the longest, before a bar.
_COMPOSE = r"^([A-Za-z0-9][\w.-]*) +\| ?"
# What terminals show as colours.
_COLOUR = r"\x1b\[[0-9;]*m"


def find_wrapper(sample: Sequence[str]) -> Wrapper:
    """The wrapper of most of the sampled lines, NO_WRAPPER where there is none; colours are taken out."""
    found = _find_wrapper(sample)
    if not any("\x1b[" in line or "\\u001b[" in line for line in sample):
        return found
    return replace(found, inside=found.inside.str.replace_all(_COLOUR, ""), is_end=False)


def _find_wrapper(sample: Sequence[str]) -> Wrapper:
    lines = [line[:2000] for line in sample if line.strip()]
    for pattern, wrapper in ((_CRI, _cri()), (_SYSLOG, _syslog()), (_PRIORITY, _priority())):
        told = re.compile(pattern.replace(r"\x{FEFF}", "\ufeff"))
        if lines and sum(bool(told.match(line)) for line in lines) >= _MOST * len(lines):
            return wrapper
    if _is_compose(lines):
        return _compose()
    return _docker() if _is_docker(sample) else NO_WRAPPER


def _cri() -> Wrapper:
    line = pl.col("line")
    return Wrapper(line.str.replace(_CRI, ""), {"timestamp": line.str.extract(_CRI, 1)})


def _syslog() -> Wrapper:
    line = pl.col("line")
    return Wrapper(
        line.str.replace(_SYSLOG, ""),
        {"timestamp": line.str.extract(_SYSLOG, 1), "service": line.str.extract(_SYSLOG, 2)},
    )


def _priority() -> Wrapper:
    return Wrapper(pl.col("line").str.replace(_PRIORITY, ""))


def _compose() -> Wrapper:
    line = pl.col("line")
    return Wrapper(line.str.replace(_COMPOSE, ""), {"service": line.str.extract(_COMPOSE, 1)})


def _is_compose(lines: Sequence[str]) -> bool:
    """Whether the bar stands at one place of nearly all lines, behind names and neither levels nor numbers."""
    told = [match for line in lines if (match := re.match(_COMPOSE, line))]
    if len(told) < max(2, _MOST * len(lines)):
        return False
    named = sum(not match[1].isdigit() and match[1].upper() not in SEVERITY_OF for match in told)
    bars = Counter(match[0].rindex("|") for match in told)
    return named >= _MOST * len(told) and bars.most_common(1)[0][1] >= _MOST * len(told)


def _docker() -> Wrapper:
    line = pl.col("line")
    inside = pl.coalesce(line.str.json_path_match("$.log").str.strip_suffix("\n"), line)
    return Wrapper(inside, {"timestamp": line.str.json_path_match("$.time")})


def _is_docker(sample: Sequence[str]) -> bool:
    filled = [line for line in sample if line.strip()]
    records = [record for line in filled if isinstance(record := _json(line), dict)]
    wrapped = sum(isinstance(one.get("log"), str) and "stream" in one and "time" in one for one in records)
    return bool(filled) and wrapped >= _MOST * len(filled)


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
