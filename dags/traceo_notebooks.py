"""Every morning: run every notebook that needs the lake alone, or the drift report; tasks link page and MLflow run."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.sdk import dag

from components.core.launch.airflow import step
from components.notebook.specs import SPECS as NOTEBOOKS
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
    made = {"drift": step(DRIFT)}
    for spec in NOTEBOOKS:
        needed = {port.name for port in spec.inputs if port.kind != "lake" and not port.optional}
        if needed <= set(made):
            step(spec, uses={name: made[name] for name in needed})


traceo_notebooks()
