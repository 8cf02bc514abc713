"""The measures of log parsing on groupings small enough to count by hand."""

from __future__ import annotations

import pytest

from tests.benchmarks.parsing import accuracy, canonical

TRUTH = ["a <*>", "a <*>", "b", "b", "c"]


def test_a_perfect_parser() -> None:
    found = accuracy([1, 1, 2, 2, 3], TRUTH, TRUTH)
    assert (found.ga, found.fga, found.pa, found.fta) == (1.0, 1.0, 1.0, 1.0)


def test_a_split_group_costs_its_lines_and_adds_a_template() -> None:
    found = accuracy([1, 4, 2, 2, 3], ["a 1", "a 2", "b", "b", "c"], TRUTH)
    assert (found.ga, found.pa) == (0.6, 0.6)
    assert found.fga == pytest.approx(4 / 7)
    assert (found.found, found.true) == (4, 3)


def test_a_right_group_with_a_wrong_name_counts_for_groups_only() -> None:
    found = accuracy([1, 1, 2, 2, 3], ["a x", "a x", "b", "b", "c"], TRUTH)
    assert (found.ga, found.fga, found.pa) == (1.0, 1.0, 0.6)
    assert found.fta == pytest.approx(2 / 3)


def test_merging_everything_is_worthless() -> None:
    found = accuracy([1] * 5, ["<*>"] * 5, TRUTH)
    assert (found.ga, found.fga, found.pa, found.fta) == (0.0, 0.0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("template", "same"),
    [
        ("a  <*>:<*> b ", "a <*> b"),
        ("<*>.<*>.<*>", "<*>"),
        ("<*><*>", "<*>"),
        ("<*> <*>", "<*> <*>"),
        ("a-<*>", "a-<*>"),
    ],
)
def test_conventions_of_annotators_do_not_count(template: str, same: str) -> None:
    assert canonical(template) == same
