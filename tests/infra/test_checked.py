"""The page that says what was checked names tests that exist and mutations that are made."""

from __future__ import annotations

import re

from tests.infra import policies, test_chart, test_terraform
from tests.infra.manifests import INFRA

PAGE = (INFRA / "CHECKED.md").read_text()


def test_every_test_file_that_the_page_names_is_there() -> None:
    named = set(re.findall(r"`(test_\w+\.py)`", PAGE))
    assert len(named) >= 5
    assert [name for name in named if not (INFRA.parent / "tests" / "infra" / name).exists()] == []


def test_the_number_of_policies_is_the_pages() -> None:
    assert f"{len(policies.POLICIES)} named policies" in PAGE


def test_every_check_that_a_mutation_meets_is_named() -> None:
    meets = {one[3] for one in test_chart.MUTATIONS.values()} | {one[3] for one in test_terraform.MUTATIONS.values()}
    assert [check for check in meets if f"`{check}`" not in PAGE] == []
