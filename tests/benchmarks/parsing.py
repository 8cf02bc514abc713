"""How good a grouping of log lines into templates is, as the log parsing literature measures it.

GA: share of lines whose group holds exactly the lines of their true template (Zhu et al., ICSE SEIP 2019).
FGA: F1 of groups that are right in that sense; FTA: F1 of right groups whose template is right too (Jiang et al.,
ISSTA 2024). PA: share of lines whose template is right (Dai et al., TSE 2020).
Two templates are the same when they are after runs of `<*>` that only punctuation parts, and runs of spaces, are
taken as one: annotators and parsers differ there by convention (Khan et al., ICSE 2022).
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

_SPACES = re.compile(r"\s+")
_RUN = re.compile(r"<\*>(?:[.:,/#+-]*<\*>)+")


@dataclass(frozen=True)
class Accuracy:
    """Shares from 0 to 1, higher is better, and how many templates were found and are true."""

    ga: float
    fga: float
    pa: float
    fta: float
    found: int
    true: int


def accuracy(groups: Sequence[Hashable], templates: Sequence[str], truth: Sequence[str]) -> Accuracy:
    """Judge each line's group and template by its true template (all of one length, at least one line)."""
    found, true = _members(groups), _members(truth)
    exact = set(true.values())
    right = [lines for lines in found.values() if lines in exact]
    same = [canonical(a) == canonical(b) for a, b in zip(templates, truth, strict=True)]
    named = [lines for lines in right if same[lines[0]]]
    return Accuracy(
        ga=sum(map(len, right)) / len(truth),
        fga=_f1(len(right), len(found), len(true)),
        pa=sum(same) / len(truth),
        fta=_f1(len(named), len(found), len(true)),
        found=len(found),
        true=len(true),
    )


def canonical(template: str) -> str:
    """The template with neighbouring variables and spaces taken as one."""
    return _RUN.sub("<*>", _SPACES.sub(" ", template.strip()))


def _members(groups: Sequence[Hashable]) -> dict[Hashable, tuple[int, ...]]:
    members: dict[Hashable, list[int]] = defaultdict(list)
    for line, group in enumerate(groups):
        members[group].append(line)
    return {group: tuple(lines) for group, lines in members.items()}


def _f1(right: int, found: int, true: int) -> float:
    return 2 * right / (found + true)
