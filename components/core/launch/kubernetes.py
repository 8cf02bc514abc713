"""A step as a pod of a Kubernetes cluster, started and followed by Airflow's KubernetesPodOperator."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator
from kubernetes.client.exceptions import ApiException

from components.core import storage
from components.core.errors import InputError, NotYetError, ServiceError, TraceoError
from components.core.launch import pods
from components.core.launch.images import image_of
from components.core.launch.outcome import Outcome
from components.core.launch.pod_end import GONE, PodEnd, pod_end
from components.core.launch.process import command
from components.core.launch.task import StepTask
from components.core.settings import settings
from components.core.spec import Spec
from components.core.step import SIDECAR


class PodOperator(StepTask, KubernetesPodOperator):
    """Runs one step in a pod of its own; a pod that failed is kept, for `kubectl describe` and `kubectl logs`."""

    template_fields = (*StepTask.template_fields, "image", "container_resources")

    def __init__(self, *, spec: Spec, **kwargs: Any) -> None:
        found = settings()
        pods.check(found)
        super().__init__(
            spec=spec,
            full_pod_spec=pods.base(),
            namespace=found.pod_namespace,
            service_account_name=found.pod_service_account,
            automount_service_account_token=False,
            base_container_name=pods.CONTAINER,
            image=image_of(spec),
            cmds=["python", "-m", f"components.{spec.domain}"],
            env_vars=pods.environment(found),
            env_from=pods.secrets(found),
            container_resources=pods.resources(spec),
            volumes=pods.volumes(found),
            volume_mounts=pods.mounts(found),
            security_context=pods.pod_security(),
            container_security_context=pods.container_security(),
            labels=pods.labels(spec, found),
            schedule_timeout_seconds=found.pod_start_s,
            startup_timeout_seconds=found.pod_start_s,
            active_deadline_seconds=found.pod_deadline_s,
            # The end of a failed step's log then stands in the pod's status, whatever becomes of the log.
            termination_message_policy="FallbackToLogsOnError",
            on_finish_action="delete_succeeded_pod",
            log_events_on_failure=True,
            log_pod_spec_on_failure=False,
            container_name_log_prefix_enabled=False,
            # The verdict on the pod's end is made in `launch`, in the worker that started it.
            deferrable=False,
            do_xcom_push=True,
            **kwargs,
        )

    def launch(self, spec: Spec, uris: Mapping[str, str], params: Mapping[str, Any], context: Any) -> dict[str, Any]:
        self.arguments = command(spec, uris, params)
        # To the provider this means a second container that hands out a result; the step's own is in its sidecars.
        self.do_xcom_push = False
        try:
            KubernetesPodOperator.execute(self, context)
        except Exception as error:
            self._judge(spec, error)
        finally:
            self.do_xcom_push = True
        return _summary(spec, uris)

    def _judge(self, spec: Spec, error: Exception) -> None:
        """Return where the step succeeded for all that; otherwise raise what it died of."""
        if self.pod is None:
            raise ServiceError(f"{spec.name}: no pod was made: {_reason(error)}") from error
        end = self._end(spec)
        if not end.finished or end.exit_code == NotYetError.exit_code:
            # One that is left would run beside a retry; one that waits for data is no evidence.
            self.log.info("Deleting pod %s (%s)", self.pod.metadata.name, end.reason)
            self.pod_manager.delete_pod(self.pod)
        if end.exit_code != 0:
            raise self._failure(spec, end) from None

    def _end(self, spec: Spec) -> PodEnd:
        try:
            return pod_end(self.pod_manager.read_pod(self.pod), self.base_container_name)
        except Exception as error:
            if isinstance(error, ApiException) and error.status == 404:
                return GONE
            raise ServiceError(f"{spec.name}: lost sight of {self._place()}: {_reason(error)}") from error

    def _failure(self, spec: Spec, end: PodEnd) -> TraceoError:
        why = f"{self._place()}: {end.reason}"
        if end.exit_code is None:
            return TraceoError(f"{spec.name} did not run to its end ({why})")
        outcome = Outcome(spec)
        for line in end.output.splitlines():
            outcome.hear(line)
        return outcome.failure(end.exit_code, why)

    def _place(self) -> str:
        return f"pod {self.pod.metadata.namespace}/{self.pod.metadata.name}"


def _summary(spec: Spec, uris: Mapping[str, str]) -> dict[str, Any]:
    """What the step told, from a sidecar that it wrote last; a pod's log may be cut or rotated away."""
    port = next(port for port in spec.outputs if port.kind != "lake" and not port.optional)
    uri = uris[port.name] + SIDECAR
    if not storage.exists(uri):
        raise InputError(
            f"{spec.name} succeeded in its pod, but {uri} is not there; "
            "Airflow and the pod must reach the same TRACEO_HOME"
        )
    summary: dict[str, Any] = json.loads(storage.read_bytes(uri))["summary"]
    return summary


def _reason(error: Exception) -> str:
    if not isinstance(error, ApiException):
        return str(error)
    try:
        message = json.loads(error.body)["message"]
    except (TypeError, ValueError, KeyError):
        message = error.reason
    return f"the Kubernetes API answered {error.status}: {message}"
