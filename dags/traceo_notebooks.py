"""Every morning: run the notebooks that report on the platform; each task links its page and its MLflow run."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.sdk import dag

from components.core.launch.airflow import step
from components.notebook.specs import notebook
from components.quality.specs import DRIFT


@dag(
    schedule="0 6 * * *",
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    max_active_tasks=2,
    default_args={"retries": 2, "retry_delay": timedelta(seconds=30)},
    tags=["traceo"],
    doc_md=__doc__,
)
def traceo_notebooks() -> None:
    step(notebook("exploring_the_lake").spec)
    step(notebook("choosing_a_detector").spec)
    step(notebook("backtesting_a_forecast").spec)
    step(notebook("walking_through_an_incident").spec)
    step(notebook("reading_drift").spec, uses={"drift": step(DRIFT)})


traceo_notebooks()
