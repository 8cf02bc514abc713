"""Daily: compare the last week's features with those before; drift beyond the threshold starts a retraining."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import dag, task

from components.core.launch.airflow import DRIFT as DRIFTED
from components.core.launch.airflow import step
from components.quality.specs import DRIFT


@dag(
    schedule="0 2 * * *",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 2, "retry_delay": timedelta(seconds=30)},
    tags=["traceo"],
    doc_md=__doc__,
)
def traceo_drift() -> None:
    @task.short_circuit
    def exceeded(summary: dict) -> bool:
        return bool(summary["exceeded"])

    drift = step(DRIFT)
    exceeded(drift.output) >> EmptyOperator(task_id="ask_for_retraining", outlets=[DRIFTED])


traceo_drift()
