"""What launchers make of a step's output."""

from __future__ import annotations

import pytest

from components.actions.specs import CORRELATE
from components.core import step
from components.core.errors import NotYetError, TraceoError
from components.core.launch.outcome import Outcome


def outcome(*lines: str) -> Outcome:
    found = Outcome(CORRELATE)
    for line in lines:
        found.follow(line + "\n")
    return found


def test_the_last_line_is_the_summary() -> None:
    assert outcome("some log", '{"incidents": 2}', "").settle(0) == {"incidents": 2}


def test_a_failure_carries_its_reason_and_its_links() -> None:
    found = outcome('traceo links: {"report": "/home/x.html"}', "error: cell 3 raised ValueError: no rows")
    with pytest.raises(TraceoError, match="exit code 1: error: cell 3 raised") as raised:
        found.settle(1)
    assert raised.value.links == {"report": "/home/x.html"}


@pytest.mark.parametrize("rest", ['{"report": "/ho', "3", '["a"]', '{"report": 1}', ""])
def test_a_line_that_only_begins_like_the_links_is_a_plain_line(rest: str) -> None:
    links = f'{step.LINKS_LINE}{{"report": "r.html"}}'
    found = outcome(links, f"{step.LINKS_LINE}{rest}")
    with pytest.raises(TraceoError, match="exit code 1: traceo links:") as raised:
        found.settle(1)
    assert raised.value.links == {"report": "r.html"}


def test_waiting_for_data_is_told_apart() -> None:
    with pytest.raises(NotYetError, match=r"^two hours so far$"):
        outcome("error: two hours so far").settle(3)


def test_a_step_without_a_summary_is_a_failure() -> None:
    with pytest.raises(TraceoError, match=r"actions\.correlate printed no summary"):
        outcome("done").settle(0)


def test_the_command_line_prints_the_links_of_a_failure(capfd: pytest.CaptureFixture[str]) -> None:
    assert step._fail(TraceoError("it broke", links={"report": "r.html"})) == 1
    captured = capfd.readouterr()
    assert captured.out == 'traceo links: {"report": "r.html"}\n'
    assert captured.err == "error: it broke\n"
