"""What every Kubernetes object of ours must keep; each policy takes all objects and names those that break it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from components.core.settings import Settings
from tests.infra.manifests import Object, Pod, of_kind, pods, ref, selects, step_pods
from tests.infra.reachability import named_hosts_are_reachable

Policy = Callable[[list[Object]], list[str]]
_SECRET_NAME = re.compile(r"PASSWORD$|TOKEN$|SECRET|_KEY$|_CONN$")
#: These say where secrets are, not what they are.
_HARMLESS = {"TRACEO_POD_SECRET", "AIRFLOW_CONN_AWS_DEFAULT"}
_CREDENTIALS = re.compile(r"://[^/\s:@]+:[^/\s@]+@")


def images_are_pinned(objects: list[Object]) -> list[str]:
    named = [(pod.owner, c["image"]) for pod in pods(objects) for c in pod.every_container]
    return [f"{owner}: {image}" for owner, image in named if not re.search(r":(?!latest$)[\w][\w.-]*$", image)]


def resources_are_set(objects: list[Object]) -> list[str]:
    def complete(container: Object) -> bool:
        given = container.get("resources", {})
        return {"cpu", "memory"} <= set(given.get("requests", {})) and "memory" in given.get("limits", {})

    return [f"{pod.owner}: {c['name']}" for pod in pods(objects) for c in pod.every_container if not complete(c)]


def pods_are_restricted(objects: list[Object]) -> list[str]:
    """Pod Security Standard `restricted`, and a root file system that nothing writes to."""
    broken = []
    for pod in pods(objects):
        profile = pod.spec.get("securityContext", {})
        if not profile.get("runAsNonRoot") or profile.get("seccompProfile") != {"type": "RuntimeDefault"}:
            broken.append(f"{pod.owner}: pod")
        if any(pod.spec.get(name) for name in ("hostNetwork", "hostPID", "hostIPC")):
            broken.append(f"{pod.owner}: host namespace")
        if any("hostPath" in volume for volume in pod.spec.get("volumes", [])):
            broken.append(f"{pod.owner}: hostPath")
        expected = {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        broken += [
            f"{pod.owner}: {c['name']}"
            for c in pod.every_container
            if not expected.items() <= c.get("securityContext", {}).items()
        ]
    return broken


def no_secret_has_a_value(objects: list[Object]) -> list[str]:
    broken = [ref(found) for found in of_kind(objects, "Secret")]
    for owner, name, _ in _variables(objects):
        if _SECRET_NAME.search(name) and name not in _HARMLESS:
            broken.append(f"{owner}: {name}")
    for found in objects:
        broken += [f"{ref(found)}: {text}" for text in _texts(found) if _CREDENTIALS.search(text)]
    return broken


def service_ports_exist(objects: list[Object]) -> list[str]:
    broken = []
    for service in of_kind(objects, "Service"):
        behind = [p for p in pods(objects) if selects({"matchLabels": service["spec"]["selector"]}, p.labels)]
        if not behind:
            broken.append(f"{ref(service)} selects no pod")
        for port in service["spec"]["ports"]:
            found = [pod.ports().get(port["targetPort"]) for pod in behind]
            if found and found != [port["port"]] * len(found):
                broken.append(f"{ref(service)} port {port['port']}: its pods have {found}")
    return broken


def selectors_match(objects: list[Object]) -> list[str]:
    """A workload selects its own pods and no other's."""
    broken = []
    for found in of_kind(objects, "Deployment", "StatefulSet"):
        matched = {pod.owner for pod in pods(objects) if selects(found["spec"]["selector"], pod.labels)}
        if matched != {ref(found)}:
            broken.append(f"{ref(found)} selects {sorted(matched)}")
    return broken


def network_policies_match(objects: list[Object]) -> list[str]:
    """Every selector in the namespace matches a pod, and every port that is opened is one of that pod's."""
    every = [(pod.labels, set(pod.ports().values())) for pod in pods(objects)] + [(one, set()) for one in step_pods()]
    broken = []

    def matched(where: str, selector: Object) -> list[set[int]]:
        found = [ports for labels, ports in every if selects(selector, labels)]
        if not found:
            broken.append(f"{where} matches no pod: {selector}")
        return found

    for policy in of_kind(objects, "NetworkPolicy"):
        own = matched(ref(policy), policy["spec"]["podSelector"])
        for rule in policy["spec"].get("ingress") or []:
            _peers(rule.get("from", []), f"{ref(policy)} from", matched)
            opened = {port["port"] for port in rule["ports"]}
            broken += [f"{ref(policy)} opens {sorted(opened - ports)}" for ports in own if not opened <= ports]
        for rule in policy["spec"].get("egress") or []:
            targets = _peers(rule["to"], f"{ref(policy)} to", matched)
            wanted = {port["port"] for port in rule["ports"]}
            broken += [f"{ref(policy)} to port {sorted(wanted - ports)}" for ports in targets if not wanted <= ports]
    return broken


def every_pod_is_isolated(objects: list[Object]) -> list[str]:
    for policy in of_kind(objects, "NetworkPolicy"):
        spec = policy["spec"]
        if spec["podSelector"] == {} and set(spec["policyTypes"]) == {"Egress", "Ingress"} and "ingress" not in spec:
            return []
    return ["no NetworkPolicy refuses what is not allowed"]


def settings_exist(objects: list[Object]) -> list[str]:
    """Every TRACEO_ variable is a setting that the code reads."""
    known = {f"TRACEO_{name.upper()}" for name in Settings.model_fields}
    named = {name for _, name, _ in _variables(objects)} | {name for _, name, _ in secret_keys(objects)}
    return sorted(name for name in named if name.startswith("TRACEO_") and name not in known)


def references_exist(objects: list[Object]) -> list[str]:
    """ConfigMaps and accounts that pods name are there; of Secrets the installation knows two."""
    maps = {found["metadata"]["name"] for found in of_kind(objects, "ConfigMap")}
    accounts = {found["metadata"]["name"] for found in of_kind(objects, "ServiceAccount")}
    broken = []
    for pod in pods(objects):
        if pod.spec["serviceAccountName"] not in accounts:
            broken.append(f"{pod.owner}: account {pod.spec['serviceAccountName']}")
        named = [v["configMap"]["name"] for v in pod.spec.get("volumes", []) if "configMap" in v]
        named += [e["configMapRef"]["name"] for e in _env_from(pod) if "configMapRef" in e]
        broken += [f"{pod.owner}: ConfigMap {name}" for name in named if name not in maps]
        volumes = {volume["name"] for volume in pod.spec.get("volumes", [])} | _claims(objects, pod)
        mounts = {mount["name"] for c in pod.every_container for mount in c.get("volumeMounts", [])}
        broken += [f"{pod.owner}: volume {name}" for name in mounts ^ volumes]
    named = {secret for _, _, secret in secret_keys(objects)}
    return broken + [f"Secret {name}" for name in named - {"traceo-secrets", "traceo-platform"}]


def scaling_targets_exist(objects: list[Object]) -> list[str]:
    """Budgets and autoscalers point at something, and an autoscaler alone says how many replicas there are."""
    broken = []
    for found in of_kind(objects, "HorizontalPodAutoscaler"):
        target = found["spec"]["scaleTargetRef"]
        hit = [d for d in of_kind(objects, target["kind"]) if d["metadata"]["name"] == target["name"]]
        if not hit:
            broken.append(f"{ref(found)}: no {target['kind']}/{target['name']}")
        broken += [f"{ref(d)} sets replicas, which {ref(found)} changes" for d in hit if "replicas" in d["spec"]]
        if found["spec"]["minReplicas"] > found["spec"]["maxReplicas"]:
            broken.append(f"{ref(found)}: fewer at most than at least")
    for found in of_kind(objects, "PodDisruptionBudget"):
        if not any(selects(found["spec"]["selector"], pod.labels) for pod in pods(objects)):
            broken.append(f"{ref(found)} matches no pod")
    return broken


def servers_are_probed(objects: list[Object]) -> list[str]:
    """Each long-running container is probed on a port it has or by a command; servers say when they are ready."""
    broken = []
    for pod in pods(objects):
        if not pod.owner.startswith(("Deployment", "StatefulSet")):
            continue
        for c in pod.containers:
            needed = ["startupProbe", "livenessProbe"]
            served = {port["name"] for port in c.get("ports", [])} - {"health"}
            broken += [f"{pod.owner}: no {n}" for n in [*needed, *(["readinessProbe"] if served else [])] if n not in c]
            asked = [c[n]["httpGet"]["port"] for n in c if n.endswith("Probe") and "httpGet" in c[n]]
            broken += [f"{pod.owner}: probe of port {port}" for port in asked if port not in pod.ports()]
    return broken


def api_tokens_are_needed(objects: list[Object]) -> list[str]:
    """Only accounts with a role get a token for Kubernetes' API."""
    bound = {s["name"] for found in of_kind(objects, "RoleBinding") for s in found["subjects"]}
    return [
        f"{pod.owner}: {pod.spec['serviceAccountName']}"
        for pod in pods(objects)
        if pod.spec["automountServiceAccountToken"] != (pod.spec["serviceAccountName"] in bound)
    ]


def addresses_exist(objects: list[Object]) -> list[str]:
    """A variable that names a Service of ours names one that exists, with its port."""
    known = {f"{s['metadata']['name']}:{p['port']}" for s in of_kind(objects, "Service") for p in s["spec"]["ports"]}
    named = [
        (f"{owner}: {name}", match[1])
        for owner, name, value in _variables(objects)
        if (match := re.match(r"https?://(traceo-[^/]+)", value))
    ]
    return [f"{where}={address}" for where, address in named if address not in known]


POLICIES: dict[str, Policy] = {
    policy.__name__: policy
    for policy in (
        images_are_pinned, resources_are_set, pods_are_restricted, no_secret_has_a_value, service_ports_exist,
        selectors_match, network_policies_match, every_pod_is_isolated, settings_exist, references_exist,
        scaling_targets_exist, servers_are_probed, api_tokens_are_needed, addresses_exist,
        named_hosts_are_reachable,
    )
}  # fmt: skip


def secret_keys(objects: list[Object]) -> Iterator[tuple[str, str, str]]:
    """Every reference to a key of a Secret: who, which key, which Secret."""
    for pod in pods(objects):
        for c in pod.every_container:
            for variable in c.get("env", []):
                if key := variable.get("valueFrom", {}).get("secretKeyRef"):
                    yield pod.owner, key["key"], key["name"]
        for volume in pod.spec.get("volumes", []):
            for item in volume.get("secret", {}).get("items", []):
                yield pod.owner, item["key"], volume["secret"]["secretName"]


def _variables(objects: list[Object]) -> Iterator[tuple[str, str, str]]:
    """Every variable with a plain value: who has it, its name, its value."""
    for found in of_kind(objects, "ConfigMap"):
        yield from ((ref(found), name, value) for name, value in found["data"].items() if name.isupper())
    for pod in pods(objects):
        for c in pod.every_container:
            yield from ((pod.owner, v["name"], v["value"]) for v in c.get("env", []) if "value" in v)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _texts(item)


def _env_from(pod: Pod) -> list[Object]:
    return [source for c in pod.every_container for source in c.get("envFrom", [])]


def _claims(objects: list[Object], pod: Pod) -> set[str]:
    owners = [found for found in of_kind(objects, "StatefulSet") if ref(found) == pod.owner]
    return {claim["metadata"]["name"] for o in owners for claim in o["spec"].get("volumeClaimTemplates", [])}


def _peers(peers: list[Object], where: str, matched: Callable[[str, Object], list[set[int]]]) -> list[set[int]]:
    inside = [peer["podSelector"] for peer in peers if "podSelector" in peer and "namespaceSelector" not in peer]
    return [ports for selector in inside for ports in matched(where, selector)]
