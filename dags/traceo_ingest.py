"""Every five minutes: fetch what the lake lacks, validate it, publish it, build features.

A run brings the lake up to its own five minutes, whatever earlier runs missed, so nothing is backfilled
by hand and a retry changes nothing.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.sdk import dag

from components.core.launch.airflow import LAKE, step
from components.features.specs import BUILD
from components.quality.specs import VALIDATE
from components.telemetry.specs import INGEST


@dag(
    schedule="*/5 * * * *",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 2, "retry_delay": timedelta(seconds=10)},
    tags=["traceo"],
    doc_md=__doc__,
)
def traceo_ingest() -> None:
    ingest = step(INGEST, end="{{ dag_run.run_after.isoformat() }}")
    ingest >> step(VALIDATE, as_of="{{ dag_run.run_after.isoformat() }}") >> step(BUILD, outlets=[LAKE])


traceo_ingest()
