"""Daily, and whenever drift is found: train the models with cross-validation and register them as challengers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.sdk import AssetOrTimeSchedule, CronTriggerTimetable, dag

from components.anomaly import specs as anomaly
from components.core.launch.airflow import CHALLENGER, DRIFT, step
from components.features.specs import TRAINING_SET
from components.forecasting import specs as forecasting
from components.lifecycle.specs import REGISTER


@dag(
    schedule=AssetOrTimeSchedule(timetable=CronTriggerTimetable("0 3 * * *", timezone="UTC"), assets=[DRIFT]),
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 2, "retry_delay": timedelta(seconds=30)},
    tags=["traceo"],
    doc_md=__doc__,
)
def traceo_retrain() -> None:
    training_set = step(TRAINING_SET)
    trained = {
        "anomaly": step(anomaly.TRAIN, uses={"training_set": training_set}),
        "forecasting": step(forecasting.TRAIN),
    }
    registered = [
        step(REGISTER, task_id=f"register_{name}", uses={"model": train, "holdout": train, "training": train})
        for name, train in trained.items()
    ]
    registered[0] >> registered[1]
    registered[1].outlets.append(CHALLENGER)


traceo_retrain()
