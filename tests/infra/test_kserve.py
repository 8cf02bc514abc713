"""The InferenceServices: known fields alone, the promised replicas and traffic, the server as it really is."""

from __future__ import annotations

import copy
from typing import Any

import kubernetes_validate
import pytest

from components.serving.routing import Loaded, Route
from components.serving.server import MODELS
from tests.infra import policies
from tests.infra.manifests import INFRA, Object, kustomized, of_kind, pods, predictors, read, ref, rendered
from tests.infra.test_chart import VERSIONS, invalid
from tests.infra.typed import problems

pytestmark = pytest.mark.xdist_group("airflow")
FLAVOURS = ("standard", "standard-canary", "knative", "knative-canary")
#: Of the chart's policies, those that speak of single pods.
OF_PODS = ("images_are_pinned", "resources_are_set", "pods_are_restricted", "no_secret_has_a_value", "settings_exist")


@pytest.fixture(params=FLAVOURS)
def objects(request: pytest.FixtureRequest) -> list[Object]:
    return read(kustomized(f"kserve/{request.param}"))


def services(flavour: str) -> list[Object]:
    found = of_kind(read(kustomized(f"kserve/{flavour}")), "InferenceService")
    assert [service["metadata"]["name"] for service in found] == list(MODELS), "one for each served model"
    return found


def test_every_field_is_one_of_kserves_own(objects: list[Object]) -> None:
    for service in of_kind(objects, "InferenceService"):
        assert list(problems(service, "V1beta1InferenceService", ref(service))) == []


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        (("predictor", "minReplica"), 2, "V1beta1PredictorSpec has no such field"),
        (("predictor", "minReplicas"), "2", "'2' is no int"),
        (("predictor", "containers", 0, "redinessProbe"), {}, "V1Container has no such field"),
        (("predictor", "containers", 0, "env", 0), {"value": "x"}, "`name`, must not be `None`"),
        (("canary",), {"trafficPercent": 10}, "is no list"),
    ],
)
def test_a_field_that_kserve_does_not_know_is_found(path: tuple[Any, ...], value: Any, told: str) -> None:
    service = copy.deepcopy(services("standard")[0])
    at = service["spec"]
    for part in path[:-1]:
        at = at[part]
    at[path[-1]] = value
    assert told in " ".join(problems(service, "V1beta1InferenceService"))


def test_the_pods_are_valid_for_kubernetes(objects: list[Object]) -> None:
    own = ("name", "labels", "minReplicas", "maxReplicas", "scaleMetric", "scaleTarget", "canaryTrafficPercent")
    assert list(invalid(of_kind(objects, "NetworkPolicy"))) == []
    for pod in pods(objects):
        spec = {name: value for name, value in pod.spec.items() if name not in own}
        found = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "one"}, "spec": spec}
        for version in VERSIONS:
            kubernetes_validate.validate(found, version, strict=True)


@pytest.mark.parametrize("policy", OF_PODS)
def test_policy(policy: str, objects: list[Object]) -> None:
    assert policies.POLICIES[policy](objects) == []


def test_references_are_to_what_the_chart_makes(objects: list[Object]) -> None:
    chart = read(rendered("", "--set", "modelServer.enabled=false", "--set", "traceo.modelServerUrl=http://x"))
    together = [*chart, *objects]
    assert policies.references_exist(together) == []
    assert policies.api_tokens_are_needed(together) == []


@pytest.mark.parametrize(
    ("flavour", "mode", "replicas", "metric"),
    [
        ("standard", "Standard", (2, 10), "cpu"),
        ("standard-canary", "Standard", (2, 10), "cpu"),
        ("knative", "Knative", (0, 10), "concurrency"),
        ("knative-canary", "Knative", (0, 10), "concurrency"),
    ],
)
def test_mode_and_replicas(flavour: str, mode: str, replicas: tuple[int, int], metric: str) -> None:
    for service in services(flavour):
        predictor = service["spec"]["predictor"]
        assert service["metadata"]["annotations"] == {"serving.kserve.io/deploymentMode": mode}
        assert (predictor["minReplicas"], predictor["maxReplicas"]) == replicas
        assert predictor["scaleMetric"] == metric


def test_a_tenth_goes_to_the_challenger_each_mode_in_its_own_words() -> None:
    for service in services("standard-canary"):
        assert [canary["trafficPercent"] for canary in service["spec"]["canary"]] == [10]
        assert [weight(predictor) for predictor in predictors(service)] == ["0", "1"]
        assert "canaryTrafficPercent" not in service["spec"]["predictor"]
    for service in services("knative-canary"):
        assert service["spec"]["predictor"]["canaryTrafficPercent"] == 10
        assert weight(service["spec"]["predictor"]) == "1"
        assert "canary" not in service["spec"]
    for flavour in ("standard", "knative"):
        assert [weight(service["spec"]["predictor"]) for service in services(flavour)] == ["0", "0"]


def test_the_canary_differs_from_the_base_in_nothing_else() -> None:
    for service in services("standard-canary"):
        base, canary = (copy.deepcopy(predictor) for predictor in predictors(service))
        for predictor in (base, canary):
            for name in ("name", "minReplicas", "maxReplicas", "scaleMetric", "scaleTarget"):
                predictor.pop(name, None)
        canary["containers"][0]["env"][-1]["value"] = "0"
        assert base == canary


@pytest.mark.parametrize(("weight", "version"), [(0.0, "1"), (1.0, "2")])
def test_a_weight_of_0_or_1_leaves_no_request_to_the_other(weight: float, version: str) -> None:
    route = Route("traceo-anomaly", weight, lambda name, number: object())  # type: ignore[arg-type, return-value]
    route.refresh({"champion": "1", "challenger": "2"}, 0.0)
    chosen = {route.choose(f"anomaly/{number}") for number in range(200)}
    assert {loaded.version for loaded in chosen if isinstance(loaded, Loaded)} == {version}


def test_the_port_is_the_servers_and_the_probe_asks_for_the_own_model(objects: list[Object]) -> None:
    for service in of_kind(objects, "InferenceService"):
        for predictor in predictors(service):
            [container] = predictor["containers"]
            env = {variable["name"]: variable["value"] for variable in container["env"]}
            assert container["name"] == "kserve-container"
            assert [str(port["containerPort"]) for port in container["ports"]] == [env["TRACEO_MODEL_SERVER_PORT"]]
            ready = container["readinessProbe"]["httpGet"]
            assert ready == {"path": f"/v2/models/{service['metadata']['name']}/ready", "port": 8080}


def test_the_page_names_every_flavour() -> None:
    page = (INFRA / "kserve" / "README.md").read_text()
    assert all(f"`{flavour}`" in page for flavour in FLAVOURS)


def weight(predictor: Object) -> str:
    return next(v["value"] for v in predictor["containers"][0]["env"] if v["name"] == "TRACEO_CHALLENGER_WEIGHT")
