"""The words by which logs name the severity of a line."""

from __future__ import annotations

from collections.abc import Iterable

SEVERITIES = {
    "TRACE": ("TRACE", "FINEST", "FINER", "VERBOSE", "TRC", "TRCE", "VRB"),
    "DEBUG": ("DEBUG", "FINE", "DBG", "DBUG"),
    "INFO": ("INFO", "INFORMATION", "NOTICE", "INF", "NOTE", "SYSTEM", "LOG", "SUCCESS"),
    "WARN": ("WARN", "WARNING", "WRN"),
    "ERROR": ("ERROR", "ERR", "SEVERE", "FAIL"),
    "FATAL": ("FATAL", "CRITICAL", "CRIT", "ALERT", "EMERG", "EMERGENCY", "PANIC", "FTL"),
}
SEVERITY_OF = {name: level for level, names in SEVERITIES.items() for name in names}
# Words that sentences begin with, too: severities in capitals, in brackets or before a colon only.
_ORDINARY = {"NOTE", "SYSTEM", "LOG", "SUCCESS", "FAIL"}


def _any_of(names: Iterable[str]) -> str:
    return "|".join(sorted(names, key=lambda name: (-len(name), name)))


SEVERITY = rf"(?:(?i:{_any_of(SEVERITY_OF.keys() - _ORDINARY)})|{_any_of(_ORDINARY)})\b"
MARKED_SEVERITY = rf"(?i:{_any_of(SEVERITY_OF)})\b"
#: One letter stands for a level where a column holds nothing else.
LETTERS = {"V": "TRACE", "T": "TRACE", "D": "DEBUG", "I": "INFO", "N": "INFO", "W": "WARN", "E": "ERROR"} | {
    "C": "FATAL", "F": "FATAL",
}  # fmt: skip
LETTER = f"[{''.join(LETTERS)}]"
