"""What the chart's pages say of Secrets, pods and upgrades is what the chart does."""

from __future__ import annotations

import re

import pytest

from tests.infra import policies
from tests.infra.manifests import CHART, pods, read, rendered

README = (CHART.parent / "README.md").read_text()
PODS = (CHART.parent / "PODS.md").read_text()
VALUES = (CHART / "values.yaml").read_text()
#: What the pages call the parts whose pods begin so.
NAMES = {
    "airflow": "Airflow", "mlflow": "MLflow", "log-receiver": "the log receiver", "feast": "Feast",
    "postgresql": "the databases", "redis": "the databases",
}  # fmt: skip


def readers(secret: str) -> set[str]:
    """What the pages call the parts that read single keys of a Secret."""
    parts = {owner.split("/traceo-")[1] for owner, _, name in policies.secret_keys(read(rendered())) if name == secret}
    return {said for part in parts for start, said in NAMES.items() if part.startswith(start)}


def named(sentence: str) -> set[str]:
    return {said for said in NAMES.values() if said in sentence}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [(README, r"`traceo-platform`: what (.*) read;"), (VALUES, r"# Read by (.*) alone\.")],
    ids=["README.md", "values.yaml"],
)
def test_who_reads_the_platforms_secret_is_named(text: str, sentence: str) -> None:
    (found,) = re.findall(sentence, text)
    assert named(found) == readers("traceo-platform")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [(README, r"`traceo-secrets`: what (.*) read\."), (VALUES, r"# Read by (the steps.*): keys")],
    ids=["README.md", "values.yaml"],
)
def test_who_reads_the_steps_secret_is_named(text: str, sentence: str) -> None:
    (found,) = re.findall(sentence, text)
    assert named(found) == readers("traceo-secrets") == {"Feast"}


def test_service_links_are_off_and_explained() -> None:
    assert [pod.owner for pod in pods(read(rendered())) if pod.spec.get("enableServiceLinks") is not False] == []
    assert "| service links | off: " in PODS
    assert "TRACEO_CONSOLE_PORT=tcp://" in PODS


def test_the_page_leads_to_the_pods_and_through_an_upgrade() -> None:
    assert "(PODS.md)" in README
    (command,) = re.findall(r"`mlflow (db upgrade) URL`", README)
    from mlflow.cli import cli

    group, verb = command.split()
    assert verb in cli.commands[group].commands
