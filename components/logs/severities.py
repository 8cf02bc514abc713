"""The words by which logs name the severity of a line."""

from __future__ import annotations

SEVERITIES = {
    "TRACE": ("TRACE", "FINEST", "FINER", "VERBOSE", "TRC", "TRCE", "VRB"),
    "DEBUG": ("DEBUG", "FINE", "DBG", "DBUG"),
    "INFO": ("INFO", "INFORMATION", "NOTICE", "INF", "NOTE", "SYSTEM", "LOG"),
    "WARN": ("WARN", "WARNING", "WRN"),
    "ERROR": ("ERROR", "ERR", "SEVERE", "FAIL"),
    "FATAL": ("FATAL", "CRITICAL", "CRIT", "ALERT", "EMERG", "EMERGENCY", "PANIC", "FTL"),
}
SEVERITY_OF = {name: level for level, names in SEVERITIES.items() for name in names}
# Words that sentences begin with, too: severities in brackets or before a colon only.
_ORDINARY = {"NOTE", "SYSTEM", "LOG", "FAIL"}


def _any_of(names: list[str]) -> str:
    return "(?i:" + "|".join(sorted(names, key=len, reverse=True)) + ")"


SEVERITY = _any_of([name for name in SEVERITY_OF if name not in _ORDINARY]) + r"\b"
MARKED_SEVERITY = _any_of([*SEVERITY_OF]) + r"\b"
#: One letter stands for a level where a column holds nothing else.
LETTERS = {"V": "TRACE", "D": "DEBUG", "I": "INFO", "W": "WARN", "E": "ERROR", "F": "FATAL"}
