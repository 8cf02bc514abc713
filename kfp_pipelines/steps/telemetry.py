"""The telemetry steps as Kubeflow components. Generated from the Specs by `make pipelines`."""

from typing import Any, Dict, Optional

from kfp import dsl

from kfp_pipelines.component import component


@component("telemetry.ingest")
def telemetry_ingest(
    lake: str,
    ingested: dsl.Output[dsl.Artifact],
    end: Optional[str] = None,
    params: Dict[str, Any] = {},
) -> str:
    """Import metrics, spans, logs and changes that the lake does not have yet."""
    from components.core.launch.kfp import run_task

    return run_task("telemetry.ingest", locals())
