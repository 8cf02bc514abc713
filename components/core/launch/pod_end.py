"""How a pod ended, as far as the Kubernetes API tells: exit code, reason, the last lines of its log."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

#: What the kubelet says of any container that ended by itself; the exit code says more.
_ORDINARY = ("Completed", "Error")


@dataclass(frozen=True)
class PodEnd:
    """exit_code: None where the step's container never ran to its end. output: empty where the container succeeded."""

    finished: bool
    exit_code: int | None
    reason: str
    output: str


GONE = PodEnd(finished=True, exit_code=None, reason="it is gone, deleted or lost with its node", output="")


def pod_end(pod: Any, container: str) -> PodEnd:
    """Read the end of `container` from a pod's status (a V1Pod)."""
    state = _state(pod, container)
    terminated = state.terminated if state else None
    reasons = [
        _sentence(pod.status.reason, pod.status.message),
        _cause(pod, container, terminated.reason) if terminated and terminated.reason not in _ORDINARY else "",
        _sentence(state.waiting.reason, state.waiting.message) if state and state.waiting else "",
        *(
            _sentence(condition.reason, condition.message)
            for condition in pod.status.conditions or []
            if condition.type in ("PodScheduled", "DisruptionTarget") and _troubles(condition)
        ),
    ]
    return PodEnd(
        finished=pod.status.phase in ("Succeeded", "Failed"),
        exit_code=terminated.exit_code if terminated else None,
        reason="; ".join(reason for reason in reasons if reason) or f"phase {pod.status.phase}",
        output=(terminated.message or "") if terminated else "",
    )


def _state(pod: Any, container: str) -> Any:
    return next((status.state for status in pod.status.container_statuses or [] if status.name == container), None)


def _cause(pod: Any, container: str, reason: str) -> str:
    if reason != "OOMKilled":
        return reason
    resources = next(made.resources for made in pod.spec.containers if made.name == container)
    return _sentence(reason, f"the limit is {resources.limits['memory']}" if resources and resources.limits else None)


def _troubles(condition: Any) -> bool:
    return bool(condition.status == ("True" if condition.type == "DisruptionTarget" else "False"))


def _sentence(reason: str | None, message: str | None) -> str:
    return ": ".join(part for part in (reason, message) if part)
