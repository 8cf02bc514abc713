"""What the tasks of a pipeline read is what infra/kubernetes/chart and its page put there."""

from __future__ import annotations

import re

import pytest
import yaml

from components.core.settings import REPOSITORY
from kfp_pipelines.compilation import COMPILED, PIPELINES
from kfp_pipelines.graph import Graph
from kfp_pipelines.tasks import LAKE, SECRET_KEYS, SETTINGS_KEYS, SETTINGS_MAP
from tests.infra.manifests import CHART, read, rendered

PAGE = (CHART.parent / "README.md").read_text()
#: Settings of the chart's that no step reads: those of its servers, of its links, and of a read-only root.
NOT_FOR_STEPS = {
    "HOME", "MPLCONFIGDIR", "PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED",
    "TRACEO_CHALLENGER_WEIGHT", "TRACEO_MLFLOW_PAGE", "TRACEO_MODEL_POLL_S",
}  # fmt: skip
#: Settings that the chart leaves out where they are empty.
PAGES = ("consolePage", "mlflowPage", "alertmanagerUrl")


def explained(secret: str) -> set[str]:
    """The keys in the page's table about a Secret, which begins with the Secret's name."""
    table = PAGE.split(f"\n`{secret}`: ", 1)[1].split("\n\n", 2)[1]
    rows = [line for line in table.splitlines() if line.startswith("| `")]
    return {key for row in rows for key in re.findall(r"`(\w+)`", row.split("|")[1])}


def test_every_key_of_the_steps_secret_reaches_the_tasks() -> None:
    keys = explained("traceo-secrets")
    assert {"TRACEO_ONLINE_STORE", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL"} <= keys
    assert keys - set(SECRET_KEYS) == set()


def test_no_key_of_the_platforms_secret_reaches_the_tasks() -> None:
    keys = explained("traceo-platform")
    assert "MLFLOW_BACKEND_STORE_URI" in keys
    assert keys & {*SECRET_KEYS, *SETTINGS_KEYS} == set()


def test_the_settings_of_the_tasks_are_those_of_the_charts_map() -> None:
    options = [text for name in PAGES for text in ("--set", f"traceo.{name}=http://example.org")]
    found = next(o for o in read(rendered("", *options)) if o["metadata"]["name"] == SETTINGS_MAP)
    assert set(found["data"]) - NOT_FOR_STEPS == set(SETTINGS_KEYS)
    assert set(found["data"]) >= NOT_FOR_STEPS


def test_only_the_source_may_stand_in_both() -> None:
    assert set(SECRET_KEYS) & set(SETTINGS_KEYS) == {"TRACEO_SOURCE"}


@pytest.mark.parametrize("name", PIPELINES)
def test_every_task_may_go_without_a_key(name: str) -> None:
    graph = Graph((COMPILED / f"{name}.yaml").read_text())
    for executor in graph.platforms["platforms"]["kubernetes"]["deploymentSpec"]["executors"].values():
        for kind, keys in (("secretAsEnv", SECRET_KEYS), ("configMapAsEnv", SETTINGS_KEYS)):
            (given,) = executor[kind]
            assert {pair["envVar"] for pair in given["keyToEnv"]} == set(keys)
            assert given["optional"] is True


def test_the_default_lake_is_the_charts() -> None:
    home = yaml.safe_load((CHART / "values.yaml").read_text())["traceo"]["home"]
    assert f"{home}/lake" == LAKE


@pytest.mark.parametrize("name", PIPELINES)
def test_a_pipeline_takes_the_default_lake(name: str) -> None:
    graph = Graph((COMPILED / f"{name}.yaml").read_text())
    assert graph.pipeline["root"]["inputDefinitions"]["parameters"]["lake"]["defaultValue"] == LAKE


@pytest.mark.parametrize("file", ["kfp_pipelines/README.md", "components/cli/pipelines.py"])
def test_the_lake_that_is_shown_is_the_default_one(file: str) -> None:
    assert set(re.findall(r"lake=(s3://[\w/-]+)", (REPOSITORY / file).read_text())) == {LAKE}
