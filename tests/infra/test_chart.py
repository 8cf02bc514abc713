"""The Helm chart: what it renders is valid, keeps the policies, and names only what the code really has."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from tests.infra import manifests, policies
from tests.infra.golden import GOLDEN, VALUES
from tests.infra.manifests import CHART, Object, read, ref, rendered, tool

pytestmark = pytest.mark.xdist_group("airflow")
#: The oldest Kubernetes that Chart.yaml admits, and the newest that schemas are at hand for.
VERSIONS = ("1.30", kubernetes_validate.latest_version())


@pytest.fixture(params=VALUES, ids=list(VALUES))
def objects(request: pytest.FixtureRequest) -> list[Object]:
    return read(rendered(VALUES[request.param]))


def invalid(objects: list[Object], versions: Sequence[str] = VERSIONS) -> Iterator[str]:
    """What Kubernetes' own schemas refuse, unknown fields included; the executor's pod is an object like others."""
    templates = [yaml.safe_load(o["data"]["pod.yaml"]) for o in objects if "pod.yaml" in o.get("data", {})]
    for found in [*objects, *templates]:
        for version in versions:
            try:
                kubernetes_validate.validate(found, version, strict=True)
            except kubernetes_validate.ValidationError as error:
                yield f"{ref(found)} {error.message}"


@pytest.mark.parametrize("values", VALUES.values(), ids=list(VALUES))
def test_helm_lint_has_nothing_to_say(values: str) -> None:
    files = ["--values", str(CHART / values)] if values else []
    done = subprocess.run([tool("helm"), "lint", "--strict", str(CHART), *files], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_versions_are_those_that_the_chart_admits() -> None:
    assert yaml.safe_load((CHART / "Chart.yaml").read_text())["kubeVersion"] == f">={VERSIONS[0]}.0-0"


def test_every_object_is_valid(objects: list[Object]) -> None:
    assert list(invalid(objects)) == []


@pytest.mark.parametrize("policy", policies.POLICIES.values(), ids=list(policies.POLICIES))
def test_policy(policy: policies.Policy, objects: list[Object]) -> None:
    assert policy(objects) == []


@pytest.mark.parametrize("name", VALUES)
def test_rendering_is_the_golden_one(name: str) -> None:
    golden = GOLDEN / f"chart-{name}.yaml"
    assert rendered(VALUES[name]) == golden.read_text(), "read the difference, then: python -m tests.infra.golden"


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ("images.tag=latest", "/images/tag"),
        ("traceo.home=/var/lib/traceo", "/traceo/home"),
        ("traceo.challengerWeight=2", "/traceo/challengerWeight"),
        ("console.replica=2", "replica"),
        ("airflow.config.AIRFLOW__DATABASE__SQL_ALCHEMY_CONN=postgresql://x", "SQL_ALCHEMY_CONN"),
        ("redis.image=redis:latest", "/redis/image"),
    ],
)
def test_values_that_mean_harm_are_refused(setting: str, told: str) -> None:
    command = [tool("helm"), "template", "traceo", str(CHART), "--set", setting]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode != 0
    assert told in done.stderr


def test_every_command_can_be_parsed_by_what_it_starts(objects: list[Object]) -> None:
    commands = [c["command"] for pod in manifests.pods(objects) for c in pod.every_container if "command" in c]
    ours = [command for command in commands if command[:1] in (["python"], ["feast"])]
    assert len(ours) >= 11
    for command in ours:
        parse(command)


def parse(command: list[str]) -> None:
    if command[0] == "feast":
        from feast.cli.cli import cli

        assert command[1] == "--chdir"
        assert command[3] == "--feature-store-yaml"
        verb = cli.commands[command[5]]
        verb.make_context(command[5], command[6:], parent=cli.make_context("feast", command[1:]))
        return
    module, arguments = command[2], command[3:]
    if module == "airflow":
        from airflow.cli.cli_parser import get_parser

        get_parser().parse_args(arguments)
    elif module == "mlflow":
        from mlflow.cli import server

        assert arguments[0] == "server"
        # MLflow checks the store while it parses.
        server.make_context("server", [*arguments[1:], "--backend-store-uri", "sqlite://"])
    else:
        assert not arguments
        found = importlib.util.find_spec(module) or pytest.fail(f"no module {module}")
        runs = f"{module}.__main__" if found.submodule_search_locations else module
        source = importlib.util.find_spec(runs)
        assert source, f"python -m {module} starts nothing"
        assert '__name__ == "__main__"' in Path(source.origin).read_text()


def test_every_option_of_airflow_is_one_it_has(objects: list[Object]) -> None:
    from airflow.configuration import conf

    conf.load_providers_configuration()
    known = conf.configuration_description
    named = [n for o in manifests.of_kind(objects, "ConfigMap") for n in o["data"] if n.startswith("AIRFLOW__")]
    named += [key for _, key, _ in policies.secret_keys(objects) if key.startswith("AIRFLOW__")]
    assert len(named) > 15
    for name in named:
        _, section, option = name.split("__", 2)
        assert option.lower() in known[section.lower()]["options"], name


def test_airflow_reads_the_pod_of_a_task_and_a_command_goes_to_it_as_arguments(objects: list[Object]) -> None:
    from airflow.providers.cncf.kubernetes.pod_generator import PodGenerator

    content = next(o["data"]["pod.yaml"] for o in objects if "pod.yaml" in o.get("data", {}))
    pod = PodGenerator.deserialize_model_dict(yaml.safe_load(content))
    # The executor looks for this name, and gives a whole command line as arguments of the image's entry point.
    assert pod.spec.containers[0].name == "base"
    assert pod.spec.containers[0].command == ["env"]
    assert not pod.spec.containers[0].env, "a task's pod knows none of Airflow's keys"


def test_every_key_of_a_secret_is_explained(objects: list[Object]) -> None:
    explained = (manifests.INFRA / "kubernetes" / "README.md").read_text()
    missing = {key for _, key, _ in policies.secret_keys(objects) if f"`{key}`" not in explained}
    assert missing == set()


@pytest.mark.parametrize("name", VALUES)
def test_the_sizes_that_the_page_states_are_those_of_the_chart(name: str) -> None:
    cpu, memory, count = 0.0, 0.0, 0
    for found in manifests.of_kind(read(rendered(VALUES[name])), "Deployment", "StatefulSet"):
        scalers = manifests.of_kind(read(rendered(VALUES[name])), "HorizontalPodAutoscaler")
        least = {s["spec"]["scaleTargetRef"]["name"]: s["spec"]["minReplicas"] for s in scalers}
        copies = found["spec"].get("replicas") or least[found["metadata"]["name"]]
        for container in found["spec"]["template"]["spec"]["containers"]:
            asked = container["resources"]["requests"]
            cpu += copies * int(asked["cpu"].removesuffix("m")) / 1000
            memory += copies * (float(asked["memory"][:-2]) / {"Mi": 1024, "Gi": 1}[asked["memory"][-2:]])
        count += copies
    row = f"| {cpu:.1f} | {memory:.1f} GiB | {count} |"
    lines = (manifests.INFRA / "kubernetes" / "README.md").read_text().splitlines()
    assert [line for line in lines if line.startswith(f"| {name} ")] == [f"| {name} {row}"]


MUTATIONS = {
    "a field that Kubernetes does not know": (
        "mlflow.yaml", "periodSeconds: 20", "periodSecond: 20", "every_object_is_valid",
    ),
    "a Service that asks for a port its pods lack": (
        "_helpers.tpl", "targetPort: http}", "targetPort: web}", "service_ports_exist",
    ),
    "a setting that the code does not read": (
        "settings.yaml", "TRACEO_MLFLOW_URI:", "TRACEO_MLFLOW_URL:", "settings_exist",
    ),
    "a policy for a part that is not there": (
        "networkpolicies.yaml", '"airflow-task" (list', '"airflow-worker" (list', "network_policies_match",
    ),
    "a console that may not ask MLflow": (
        "networkpolicies.yaml", '"console" (list "mlflow"', '"console" (list', "named_hosts_are_reachable",
    ),
    "a container that may write to its root": (
        "_helpers.tpl", "readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false", "pods_are_restricted",
    ),
    "a password in the open": (
        "redis.yaml",
        '{{- include "traceo.secret" (dict "root" . "name" "REDIS_PASSWORD") | nindent 12 }}',
        "[{name: REDIS_PASSWORD, value: guess}]",
        "no_secret_has_a_value",
    ),
    "a token for Kubernetes' API where none is needed": (
        "_helpers.tpl", ".token | default false", ".token | default true", "api_tokens_are_needed",
    ),
}  # fmt: skip


@pytest.mark.parametrize("mutation", MUTATIONS.values(), ids=list(MUTATIONS))
def test_a_mutation_is_caught_by_the_check_for_it(mutation: tuple[str, str, str, str], tmp_path: Path) -> None:
    file, old, new, check = mutation
    chart = shutil.copytree(CHART, tmp_path / "chart")
    template = chart / "templates" / file
    content = template.read_text()
    assert old in content
    template.write_text(content.replace(old, new))
    done = subprocess.run(
        [tool("helm"), "template", "traceo", str(chart), "--namespace", "traceo"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    found = read(done.stdout)
    caught = {name for name, policy in policies.POLICIES.items() if policy(found)}
    if any(invalid(found, VERSIONS[-1:])):
        caught.add("every_object_is_valid")
    assert check in caught
    assert len(caught) <= 2, f"a check that complains of everything says nothing: {json.dumps(sorted(caught))}"
