"""Bring logs and the telemetry beside them in: ingest, validate, then count log templates and build features."""

from typing import Any, Dict

from kfp import dsl

from kfp_pipelines.observation import observe, report
from kfp_pipelines.steps.features import features_build
from kfp_pipelines.steps.logs import logs_collect, logs_mine
from kfp_pipelines.steps.quality import quality_validate
from kfp_pipelines.steps.telemetry import telemetry_ingest
from kfp_pipelines.tasks import LAKE, observation, task

_READ = ["metrics", "logs", "spans", "changes"]


@dsl.pipeline(name="traceo-logs", description=__doc__)
def logs(
    lake: str = LAKE,
    telemetry_ingest_params: Dict[str, Any] = {},
    quality_validate_params: Dict[str, Any] = {},
    logs_mine_params: Dict[str, Any] = {},
    logs_collect_params: Dict[str, Any] = {},
) -> None:
    with dsl.ExitHandler(observation(report)):
        ingest = task(telemetry_ingest, lake=lake, params=telemetry_ingest_params)
        validate = task(quality_validate, lake=lake, params=quality_validate_params).after(ingest)
        seen = observation(observe, lake=lake, tables=_READ).after(validate).outputs
        known = {"lake": lake, "state": seen["state"], "as_of": seen["as_of"]}
        task(logs_mine, **known, params=logs_mine_params)
        task(features_build, **known)
        task(logs_collect, lake=lake, params=logs_collect_params)
