"""What the pod of a step is made of: environment, resources, security, volumes, labels. Values of secrets never are."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

from airflow.providers.cncf.kubernetes.pod_generator import make_safe_label_value
from kubernetes.client import models as k8s
from pydantic import SecretStr

from components.core.errors import SettingsError
from components.core.launch.given import given
from components.core.settings import Settings, without_credentials
from components.core.spec import Spec
from components.core.storage import is_s3

CONTAINER = "step"
#: The account that every image of ours runs under.
USER = 10_001
_SCRATCH, _HOME = "scratch", "home"
#: Models and reports pass through it; a step that fills it is evicted, not its neighbours.
_SCRATCH_SIZE = "10Gi"


def check(found: Settings) -> None:
    """SettingsError where steps in pods could not reach their artifacts or their tracking server."""
    claim = found.pod_home_claim
    if claim and (is_s3(found.home) or not PurePosixPath(found.home).is_absolute()):
        raise SettingsError(
            f"TRACEO_POD_HOME_CLAIM={claim} is mounted at TRACEO_HOME, which must be an absolute path for that, "
            f"not {found.home}"
        )
    for variable, uri in (("TRACEO_HOME", found.home), ("TRACEO_LAKE", found.lake_uri)):
        mounted = claim and PurePosixPath(uri).is_relative_to(found.home)
        if not is_s3(uri) and not mounted:
            raise SettingsError(
                f"{variable}={uri} is a folder, which a pod does not see; name an s3:// URI, or a volume that is "
                "mounted there with TRACEO_POD_HOME_CLAIM"
            )
    server = without_credentials(found.mlflow_uri or "")
    if not server.startswith("http"):
        raise SettingsError(
            f"TRACEO_MLFLOW_URI={server} names no server, and pods share no database file; "
            "name one, such as http://mlflow:5000"
        )


def environment(found: Settings) -> list[k8s.V1EnvVar]:
    """The settings that were given, for the step to read; what is secret by reference to its key in the Secret."""
    values = {f"TRACEO_{name.upper()}": getattr(found, name) for name in given(found)}
    # Libraries keep caches in the home folder; the pod can write to /tmp alone.
    return [
        k8s.V1EnvVar(name="HOME", value="/tmp"),  # noqa: S108  an emptyDir of this pod
        *(_variable(name, value, found.pod_secret) for name, value in values.items() if value is not None),
    ]


def _variable(name: str, value: Any, secret: str) -> k8s.V1EnvVar:
    if isinstance(value, SecretStr) or without_credentials(str(value)) != str(value):
        reference = k8s.V1SecretKeySelector(name=secret, key=name)
        return k8s.V1EnvVar(name=name, value_from=k8s.V1EnvVarSource(secret_key_ref=reference))
    return k8s.V1EnvVar(name=name, value=str(value))


def secrets(found: Settings) -> list[k8s.V1EnvFromSource]:
    """Every key of the Secret as a variable: what boto3 and others read, such as AWS_SECRET_ACCESS_KEY."""
    return [k8s.V1EnvFromSource(secret_ref=k8s.V1SecretEnvSource(name=found.pod_secret))]


def resources(spec: Spec) -> k8s.V1ResourceRequirements:
    """Asked for and limited to what the Spec says: a step that is promised its memory is not evicted for it."""
    needs = {"cpu": f"{round(spec.resources.cpu * 1000)}m", "memory": f"{spec.resources.memory_mb}Mi"}
    return k8s.V1ResourceRequirements(requests=dict(needs), limits=dict(needs))


def labels(spec: Spec, found: Settings) -> dict[str, str]:
    """Beside these the provider labels a pod with its DAG, run, task and try, made safe as label values."""
    return {
        "app.kubernetes.io/name": "traceo-step",
        "app.kubernetes.io/component": spec.domain,
        "app.kubernetes.io/version": make_safe_label_value(found.image_tag),
        "app.kubernetes.io/part-of": "traceo",
        "app.kubernetes.io/managed-by": "airflow",
        "step": make_safe_label_value(spec.name),
    }


def volumes(found: Settings) -> list[k8s.V1Volume]:
    scratch = k8s.V1Volume(name=_SCRATCH, empty_dir=k8s.V1EmptyDirVolumeSource(size_limit=_SCRATCH_SIZE))
    if not found.pod_home_claim:
        return [scratch]
    claim = k8s.V1PersistentVolumeClaimVolumeSource(claim_name=found.pod_home_claim)
    return [scratch, k8s.V1Volume(name=_HOME, persistent_volume_claim=claim)]


def mounts(found: Settings) -> list[k8s.V1VolumeMount]:
    scratch = k8s.V1VolumeMount(name=_SCRATCH, mount_path="/tmp")  # noqa: S108  an emptyDir of this pod
    if not found.pod_home_claim:
        return [scratch]
    return [scratch, k8s.V1VolumeMount(name=_HOME, mount_path=found.home)]


def pod_security() -> k8s.V1PodSecurityContext:
    """With `container_security`, what the Pod Security Standard `restricted` asks for, and a group for the volume."""
    return k8s.V1PodSecurityContext(
        run_as_non_root=True,
        run_as_user=USER,
        run_as_group=USER,
        fs_group=USER,
        fs_group_change_policy="OnRootMismatch",
        seccomp_profile=k8s.V1SeccompProfile(type="RuntimeDefault"),
    )


def container_security() -> k8s.V1SecurityContext:
    return k8s.V1SecurityContext(
        allow_privilege_escalation=False,
        read_only_root_filesystem=True,
        run_as_non_root=True,
        capabilities=k8s.V1Capabilities(drop=["ALL"]),
    )


def base() -> k8s.V1Pod:
    """What the provider has no argument for."""
    # Kubernetes would add a variable such as TRACEO_CONSOLE_PORT=tcp://… for each Service of the namespace, and
    # the step would take it for its own setting.
    return k8s.V1Pod(metadata=k8s.V1ObjectMeta(), spec=k8s.V1PodSpec(containers=[], enable_service_links=False))
