"""What is known of templates, as something that is added up: in any order, in any grouping, on any worker."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

#: Lines of each template, by its id, with its text.
State = dict[str, tuple[str, int]]


def state_of(account: dict[str, Any]) -> State:
    """The state of one archived block."""
    return {name: (text, int(count)) for name, text, count in account["templates"]}


def merge_states(states: Iterable[State]) -> State:
    """The state of all blocks together; associative and commutative, and nothing together with a state is the state."""
    merged: dict[str, tuple[str, int]] = {}
    for state in states:
        for name, (text, count) in state.items():
            known = merged.get(name, (text, 0))
            merged[name] = (min(known[0], text), known[1] + count)
    return dict(sorted(merged.items()))
