"""Train the models on what the lake holds, register them, judge each against its champion, promote the better ones."""

from typing import Any, Dict, List

from kfp import dsl

from components.core.launch.kfp import NOT_YET
from kfp_pipelines.observation import observe, refuse_domain, report
from kfp_pipelines.steps.anomaly import anomaly_evaluate, anomaly_train
from kfp_pipelines.steps.features import features_training_set
from kfp_pipelines.steps.forecasting import forecasting_evaluate, forecasting_train
from kfp_pipelines.steps.lifecycle import lifecycle_fetch, lifecycle_gate, lifecycle_promote, lifecycle_register
from kfp_pipelines.tasks import LAKE, observation, outcome, task

_READ = ["metrics", "features"]


def _roll_out(trained: dsl.PipelineTask, evaluate: Any, model: str, gate_params: Any, decided_at: Any) -> None:
    """Register a trained model and let the gate decide; nothing happens while there is too little data to train on."""
    with dsl.If(outcome(trained) != NOT_YET):
        made = {name: trained.outputs[name] for name in ("model", "holdout", "training")}
        fetched = task(lifecycle_fetch, params={"model": model}).after(task(lifecycle_register, **made))
        candidates = fetched.outputs["candidates"]
        met = {name: fetched.outputs[name] for name in ("champion", "challenger", "holdout")}
        evaluation = task(evaluate, **met).outputs["evaluation"]
        gate = task(lifecycle_gate, evaluation=evaluation, candidates=candidates, params=gate_params)
        decided = {"verdict": gate.outputs["verdict"], "candidates": candidates, "decided_at": decided_at}
        # The same step either way: it acts on the verdict and writes it into the ledger. The graph shows which.
        with dsl.If(outcome(gate) == "PASS"):
            task(lifecycle_promote, **decided).set_display_name("promote")
        with dsl.Else():
            task(lifecycle_promote, **decided).set_display_name("reject")


@dsl.pipeline(name="traceo-training", description=__doc__)
def training(
    lake: str = LAKE,
    domains: List[str] = ["anomaly", "forecasting"],
    features_training_set_params: Dict[str, Any] = {},
    anomaly_train_params: Dict[str, Any] = {},
    forecasting_train_params: Dict[str, Any] = {},
    lifecycle_gate_params: Dict[str, Any] = {},
) -> None:
    with dsl.ExitHandler(observation(report)):
        seen = observation(observe, lake=lake, tables=_READ).outputs
        now = {"lake": lake, "state": seen["state"], "as_of": seen["as_of"]}
        features = task(features_training_set, **now, params=features_training_set_params)
        with dsl.ParallelFor(domains) as domain:
            with dsl.If(domain == "anomaly"):
                found = features.outputs["training_set"]
                trained = task(anomaly_train, **now, training_set=found, params=anomaly_train_params)
                _roll_out(trained, anomaly_evaluate, "traceo-anomaly", lifecycle_gate_params, seen["started_at"])
            with dsl.Elif(domain == "forecasting"):
                trained = task(forecasting_train, **now, params=forecasting_train_params)
                _roll_out(
                    trained, forecasting_evaluate, "traceo-forecasting", lifecycle_gate_params, seen["started_at"]
                )
            with dsl.Else():
                observation(refuse_domain, domain=domain)
