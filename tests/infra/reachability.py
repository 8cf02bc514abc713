"""Whether the network policies let each pod reach the Services of ours that its settings name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from tests.infra.manifests import Object, Pod, of_kind, pods, selects, step_pods

#: All parts get the same settings; these never ask the server that a setting names, so they may not reach it.
_NEVER_ASK = {
    "TRACEO_MLFLOW_URI": {
        "airflow-migrate", "airflow-api-server", "airflow-scheduler", "airflow-dag-processor", "airflow-triggerer",
        "feast", "log-receiver", "mlflow",
    },
    "TRACEO_MODEL_SERVER_URL": {
        "airflow-migrate", "airflow-api-server", "airflow-scheduler", "airflow-dag-processor", "airflow-triggerer",
        "airflow-task", "console", "feast", "log-receiver", "mlflow", "model-server",
    },
}  # fmt: skip


def named_hosts_are_reachable(objects: list[Object]) -> list[str]:
    """Each part may reach the Services that its TRACEO_ settings name, and none whose setting it does not use."""
    services = {found["metadata"]["name"]: found["spec"] for found in of_kind(objects, "Service")}
    broken = []
    for owner, labels, settings in _callers(objects):
        part = labels["app.kubernetes.io/component"] if owner != "steps" else "step"
        for name, value in settings.items():
            url = urlsplit(value)
            if not name.startswith("TRACEO_") or url.hostname not in services:
                continue
            asks = part not in _NEVER_ASK.get(name, set())
            for pod in pods(objects):
                if not selects({"matchLabels": services[url.hostname]["selector"]}, pod.labels):
                    continue
                if asks != _reaches(objects, labels, pod.labels, url.port or 80):
                    broken.append(f"{owner} {'cannot' if asks else 'need not'} reach {name}={value}")
    return broken


def _callers(objects: list[Object]) -> Iterator[tuple[str, Mapping[str, str], dict[str, str]]]:
    """Who makes a pod, its labels and its plain variables; a step's are those of the task that starts it."""
    for pod in pods(objects):
        if "app.kubernetes.io/component" not in pod.labels:
            continue
        settings = _settings(objects, pod)
        yield pod.owner, pod.labels, settings
        if pod.labels["app.kubernetes.io/component"] == "airflow-task":
            yield from (("steps", labels, settings) for labels in step_pods())


def _settings(objects: list[Object], pod: Pod) -> dict[str, str]:
    maps = {found["metadata"]["name"]: found["data"] for found in of_kind(objects, "ConfigMap")}
    found: dict[str, str] = {}
    for container in pod.every_container:
        for source in container.get("envFrom", []):
            found |= maps.get(source.get("configMapRef", {}).get("name"), {})
        found |= {v["name"]: v["value"] for v in container.get("env", []) if "value" in v}
    return found


def _reaches(objects: list[Object], caller: Mapping[str, str], called: Mapping[str, str], port: int) -> bool:
    """Whether a policy lets the one out and a policy lets the other in, on the port."""
    out = _admits(objects, caller, "egress", "to", called, port)
    return out and _admits(objects, called, "ingress", "from", caller, port)


def _admits(
    objects: list[Object], own: Mapping[str, str], way: str, peers: str, other: Mapping[str, str], port: int
) -> bool:
    rules = [
        rule
        for policy in of_kind(objects, "NetworkPolicy")
        if selects(policy["spec"]["podSelector"], own)
        for rule in policy["spec"].get(way) or []
    ]
    return any(
        port in {opened["port"] for opened in rule["ports"]}
        and any(set(peer) == {"podSelector"} and selects(peer["podSelector"], other) for peer in rule[peers])
        for rule in rules
    )
