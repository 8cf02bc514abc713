"""`task(component, …)`: a component as a task of a pipeline, with what its Spec asks for and where things are."""

from __future__ import annotations

from typing import Any

from kfp import dsl, kubernetes

from components.core.settings import settings
from components.core.spec import Resources
from kfp_pipelines.caching import is_cached
from kfp_pipelines.component import find

#: Keys of the Secret that become environment variables of the same name; those it lacks are left out.
SECRET_KEYS = (
    "AWS_ACCESS_KEY_ID",
    "AWS_DEFAULT_REGION",
    "AWS_ENDPOINT_URL",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "MLFLOW_TRACKING_PASSWORD",
    "MLFLOW_TRACKING_TOKEN",
    "MLFLOW_TRACKING_USERNAME",
    "TRACEO_ALERTMANAGER_TOKEN",
    "TRACEO_ONLINE_STORE",
    "TRACEO_SOURCE",  # here, and not in the ConfigMap, where it holds a password
)
#: Keys of the ConfigMap that become environment variables of the same name.
SETTINGS_KEYS = (
    "DO_NOT_TRACK",
    "FEAST_USAGE",
    "GX_ANALYTICS_ENABLED",
    "MLFLOW_DISABLE_TELEMETRY",
    "SCARF_ANALYTICS",
    "TRACEO_ALERTMANAGER_URL",
    "TRACEO_CONSOLE_PAGE",
    "TRACEO_HOME",
    "TRACEO_MLFLOW_URI",
    "TRACEO_MODEL_SERVER_URL",
    "TRACEO_SOURCE",
)
#: The one that infra/kubernetes/chart makes in a release named traceo.
SETTINGS_MAP = "traceo-settings"
#: The lake of that release, where its values name no other home.
LAKE = "s3://traceo/home/lake"
_SMALL = Resources(cpu=0.5, memory_mb=1024)


def task(component: Any, **arguments: Any) -> dsl.PipelineTask:
    """A task that runs a step's component: resources of its Spec, settings and secrets by reference, two retries."""
    spec = find(step_of(component))
    made = _provided(component(**arguments), spec.resources)
    made.set_caching_options(enable_caching=is_cached(spec))
    # As in the DAGs: every step may be repeated, a retry changes nothing.
    made.set_retry(num_retries=2, backoff_duration="10s")
    return made


def observation(component: Any, **arguments: Any) -> dsl.PipelineTask:
    """A task that looks at the world as it is now, so never from the cache."""
    made = _provided(component(**arguments), _SMALL)
    made.set_caching_options(enable_caching=False)
    return made


def outcome(made: dsl.PipelineTask) -> Any:
    """What the task's step came to, for conditions: its own word (PASS), DONE or NOT_YET."""
    return made.outputs["Output"]


def step_of(component: Any) -> str:
    """The name of the step behind a component, such as anomaly.train."""
    domain, _, step = component.python_func.__name__.partition("_")
    return f"{domain}.{step}"


def _provided(made: dsl.PipelineTask, resources: Resources) -> dsl.PipelineTask:
    # Kubernetes takes a limit as the request too, where none is given.
    made.set_cpu_limit(f"{round(resources.cpu * 1000)}m")
    made.set_memory_limit(f"{resources.memory_mb}Mi")
    secret = settings().pod_secret
    kubernetes.use_secret_as_env(made, secret, {key: key for key in SECRET_KEYS}, optional=True)
    kubernetes.use_config_map_as_env(made, SETTINGS_MAP, {key: key for key in SETTINGS_KEYS}, optional=True)
    return made
