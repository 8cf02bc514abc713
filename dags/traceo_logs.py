"""Every five minutes: new blocks of the log files in TRACEO_LOG_FILES to the archive, with their templates.

Paused until it is wanted: unpause it once TRACEO_LOG_FILES names a folder.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.sdk import dag

from components.core.launch.airflow import step
from components.logs.specs import COLLECT


@dag(
    schedule="*/5 * * * *",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 2, "retry_delay": timedelta(seconds=10)},
    tags=["traceo"],
    doc_md=__doc__,
)
def traceo_logs() -> None:
    step(COLLECT)


traceo_logs()
