"""On new telemetry or a new champion: anomalies, forecasts and log templates → incidents → causes → alerts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.sdk import dag

from components.actions.specs import ALERT, CORRELATE
from components.anomaly.specs import SCORE
from components.core.launch.airflow import CHAMPION, LAKE, step
from components.features.specs import ONLINE
from components.forecasting.specs import PREDICT
from components.logs.specs import MINE
from components.rootcause.specs import DIAGNOSE


@dag(
    schedule=(LAKE | CHAMPION),
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 2, "retry_delay": timedelta(seconds=10)},
    tags=["traceo"],
    doc_md=__doc__,
)
def traceo_score() -> None:
    online = step(ONLINE)
    score = step(SCORE, uses={"online_features": online})
    correlate = step(CORRELATE)
    [score, step(PREDICT), step(MINE)] >> correlate >> step(DIAGNOSE) >> step(ALERT)


traceo_score()
