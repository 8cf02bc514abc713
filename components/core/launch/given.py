"""Which settings a step in a container or a pod is given; the same for both."""

from __future__ import annotations

from components.core.settings import Settings

#: Settings that no step reads: those of the launching side, of the command line and of the servers. A secret among
#: them has no business in a step, and a pod whose Secret lacks it does not start.
_NOT_FOR_STEPS = (
    *("runner", "image_", "docker_", "pod_", "kfp_"),
    *("allowed_hosts", "airflow_port", "mlflow_port", "model_server_port"),
    *("log_receiver_", "log_spool_max_mb", "challenger_weight", "model_poll_s"),
)


def given(found: Settings) -> list[str]:
    """The names of the settings to hand over, sorted: those that somebody set and a step may read, and the home."""
    return sorted(name for name in found.model_fields_set | {"home"} if not name.startswith(_NOT_FOR_STEPS))
