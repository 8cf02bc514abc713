"""Score what the lake holds: anomalies, forecasts and log templates, incidents, their causes, alerts."""

from typing import Any, Dict

from kfp import dsl

from kfp_pipelines.observation import observe, report
from kfp_pipelines.steps.actions import actions_alert, actions_correlate
from kfp_pipelines.steps.anomaly import anomaly_score
from kfp_pipelines.steps.features import features_online
from kfp_pipelines.steps.forecasting import forecasting_predict
from kfp_pipelines.steps.logs import logs_mine
from kfp_pipelines.steps.rootcause import rootcause_diagnose
from kfp_pipelines.tasks import LAKE, observation, task

_READ = ["metrics", "spans", "logs", "changes", "features"]
_MODELS = ["traceo-anomaly", "traceo-forecasting"]


@dsl.pipeline(name="traceo-scoring", description=__doc__)
def scoring(
    lake: str = LAKE,
    anomaly_score_params: Dict[str, Any] = {},
    forecasting_predict_params: Dict[str, Any] = {},
    logs_mine_params: Dict[str, Any] = {},
    actions_correlate_params: Dict[str, Any] = {},
    rootcause_diagnose_params: Dict[str, Any] = {},
    actions_alert_params: Dict[str, Any] = {},
) -> None:
    with dsl.ExitHandler(observation(report)):
        seen = observation(observe, lake=lake, tables=_READ, models=_MODELS).outputs
        now = {"lake": lake, "as_of": seen["as_of"]}
        known = {**now, "state": seen["state"]}
        online = task(features_online, **known).outputs["online_features"]
        score = task(anomaly_score, **known, online_features=online, params=anomaly_score_params)
        predict = task(forecasting_predict, **known, params=forecasting_predict_params)
        mine = task(logs_mine, **known, params=logs_mine_params)
        correlate = task(actions_correlate, **known, params=actions_correlate_params).after(score, predict, mine)
        diagnose = task(rootcause_diagnose, **known, params=rootcause_diagnose_params).after(correlate)
        task(actions_alert, **now, params=actions_alert_params).after(diagnose)
