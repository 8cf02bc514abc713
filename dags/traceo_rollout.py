"""On new challengers: judge each against its champion on the held-out hours; promote it only when it is better."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.sdk import dag

from components.anomaly import specs as anomaly
from components.core.launch.airflow import CHALLENGER, CHAMPION, step
from components.forecasting import specs as forecasting
from components.lifecycle.specs import FETCH, GATE, PROMOTE

MODELS = {"traceo-anomaly": anomaly.EVALUATE, "traceo-forecasting": forecasting.EVALUATE}


@dag(
    schedule=[CHALLENGER],
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 2, "retry_delay": timedelta(seconds=30)},
    tags=["traceo"],
    doc_md=__doc__,
)
def traceo_rollout() -> None:
    promoted = []
    for model, spec in MODELS.items():
        fetch = step(FETCH, task_id=f"fetch_{spec.domain}", model=model)
        uses = dict.fromkeys(("champion", "challenger", "holdout"), fetch)
        evaluate = step(spec, uses=uses)
        gate = step(GATE, task_id=f"gate_{spec.domain}", uses={"evaluation": evaluate, "candidates": fetch})
        promoted.append(
            step(
                PROMOTE,
                task_id=f"promote_{spec.domain}",
                uses={"verdict": gate, "candidates": fetch},
                decided_at="{{ dag_run.run_after.isoformat() }}",
            )
        )
    # One after the other, so that one event tells of both.
    promoted[0] >> promoted[1]
    promoted[1].outlets.append(CHAMPION)


traceo_rollout()
