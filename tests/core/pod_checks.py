"""The checks that every rendered pod passes; each raises AssertionError with what is wrong."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import kubernetes_validate

from components.core import step
from components.core.spec import Spec, specs
from tests.core.golden_pods import FOLDER, GIVEN, SECRETS, text

#: The oldest version of Kubernetes that the pods are made for.
VERSION = "1.30"
Pod = Mapping[str, Any]


def schema(name: str, pod: Pod) -> None:
    """Every field is one that Kubernetes knows, of the type it wants."""
    try:
        kubernetes_validate.validate(dict(pod), VERSION, strict=True)
    except kubernetes_validate.ValidationError as error:
        raise AssertionError(f"{name}: {error.message}") from None


def resources(name: str, pod: Pod) -> None:
    """The pod is promised, and limited to, what its Spec asks for."""
    needs = _spec(pod).resources
    wanted = {"cpu": f"{needs.cpu * 1000:.0f}m", "memory": f"{needs.memory_mb}Mi"}
    found = _container(pod).get("resources")
    assert found == {"requests": wanted, "limits": wanted}, f"{name}: resources are {found}, its Spec says {wanted}"


def no_secret(name: str, pod: Pod) -> None:
    """A secret is named, never shown."""
    shown = json.dumps(pod)
    for variable, value in SECRETS.items():
        assert value not in shown, f"{name}: the value of {variable} stands in the pod"


def restricted(name: str, pod: Pod) -> None:
    """What the Pod Security Standard `restricted` asks for, a read-only root, and no token for the Kubernetes API."""
    outer, inner = pod["spec"]["securityContext"], _container(pod).get("securityContext", {})
    found = {
        "non-root": bool(outer.get("runAsNonRoot") and inner.get("runAsNonRoot") and outer.get("runAsUser")),
        "no escalation": inner.get("allowPrivilegeEscalation") is False,
        "read-only root": inner.get("readOnlyRootFilesystem") is True,
        "no capabilities": inner.get("capabilities") == {"drop": ["ALL"]},
        "seccomp": outer.get("seccompProfile") == {"type": "RuntimeDefault"},
        "no host network": not pod["spec"].get("hostNetwork"),
        "no API token": pod["spec"].get("automountServiceAccountToken") is False,
        "no service links": pod["spec"].get("enableServiceLinks") is False,
    }
    missing = [what for what, given in found.items() if not given]
    assert not missing, f"{name}: lacks {', '.join(missing)}"


def command(name: str, pod: Pod) -> None:
    """The step's own command line takes the arguments, and its Params the parameters."""
    container, spec = _container(pod), _spec(pod)
    verb, *rest = container["args"]
    given = dict(zip(rest[::2], rest[1::2], strict=True))
    parameters = json.loads(given.pop("--params"))
    flags = {f"--{port.name}" for port in spec.ports}
    assert container["command"] == ["python", "-m", f"components.{spec.domain}"], f"{name}: {container['command']}"
    assert (verb, set(given) - flags) == (spec.step, set()), f"{name}: {spec.name} takes {sorted(flags)}, not {given}"
    image = f"{GIVEN['TRACEO_IMAGE_PREFIX']}{spec.domain}:{GIVEN['TRACEO_IMAGE_TAG']}"
    assert container["image"] == image, f"{name}: {container['image']}"
    step.parse_params(spec, {key: value for key, value in parameters.items() if value != "2026-01-01"})


def golden(name: str, pod: Pod) -> None:
    """The pod is the one that was reviewed."""
    path = FOLDER / f"{name}.yaml"
    reviewed = path.read_text() if path.exists() else ""
    assert text(pod) == reviewed, f"{name}: differs from {path.name}; run `make goldens` and read the difference"


CHECKS = (schema, resources, no_secret, restricted, command, golden)


def _container(pod: Pod) -> Any:
    [container] = pod["spec"]["containers"]
    return container


def _spec(pod: Pod) -> Spec:
    return next(spec for spec in specs() if spec.name == pod["metadata"]["labels"]["step"])
