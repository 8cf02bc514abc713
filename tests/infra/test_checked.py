"""The page that says what was checked names tests that exist and mutations that are made."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.infra import policies, test_chart, test_terraform
from tests.infra.manifests import INFRA

PAGE = (INFRA / "CHECKED.md").read_text()
PAGES = [INFRA.parent / "README.md", *sorted(INFRA.rglob("*.md"))]


def test_every_folder_of_infra_has_its_row_and_every_row_its_folder() -> None:
    table = PAGE.split("| folder or file |", 1)[1].split("\n\n", 1)[0]
    named = [name for row in table.splitlines()[2:] for name in re.findall(r"`([\w./-]+)`", row.split("|")[1])]
    hidden = ("__pycache__", ".")
    there = {path.name for path in INFRA.iterdir() if path.is_dir() and not path.name.startswith(hidden)}
    assert {name.split("/")[0] for name in named if "/" in name} == there
    assert [name for name in named if not (INFRA / name).exists()] == []
    assert len(named) == len(set(named))


@pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(INFRA.parent)) for page in PAGES])
def test_the_links_of_a_page_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?://|#)([^)#\s]+)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_every_runbook_is_listed() -> None:
    listed = (INFRA / "runbooks" / "README.md").read_text()
    pages = {path.name for path in (INFRA / "runbooks").glob("*.md")} - {"README.md"}
    assert [name for name in sorted(pages) if f"({name})" not in listed] == []


def test_every_test_file_that_the_page_names_is_there() -> None:
    named = set(re.findall(r"`(test_\w+\.py)`", PAGE))
    assert len(named) >= 5
    assert [name for name in named if not (INFRA.parent / "tests" / "infra" / name).exists()] == []


def test_the_number_of_policies_is_the_pages() -> None:
    assert f"{len(policies.POLICIES)} named policies" in PAGE


def test_every_check_that_a_mutation_meets_is_named() -> None:
    meets = {one[3] for one in test_chart.MUTATIONS.values()} | {one[3] for one in test_terraform.MUTATIONS.values()}
    assert [check for check in meets if f"`{check}`" not in PAGE] == []
