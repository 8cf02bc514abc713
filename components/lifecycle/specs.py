"""The interface of the lifecycle steps."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from components.core.spec import Params, Port, Resources, Spec

_MODEL_NAME = r"^[a-z0-9][a-z0-9_-]*$"


class RegisterParams(Params):
    """What is registered, and under which name, stands in the model folder's model.json."""


class FetchParams(Params):
    """Which registered model is about to be judged."""

    model: str = Field(default="traceo-anomaly", pattern=_MODEL_NAME, description="name of the registered model")


class GateParams(Params):
    """How sure an improvement must be."""

    min_samples: int = Field(
        default=5,
        ge=2,
        le=10_000,
        description="series that must be compared; below 5 the signed-rank test cannot reach p < 0.05",
    )
    alpha: float = Field(default=0.05, gt=0, lt=0.5, description="p value below which an improvement is not chance")
    resamples: int = Field(default=2000, ge=100, le=100_000, description="bootstrap resamples behind the interval")
    seed: int = Field(default=0, ge=0, description="seed of the resampling")


class PromoteParams(Params):
    """Who decides, and when."""

    decided_at: datetime | None = Field(default=None, description="instant of the decision; required")
    decided_by: str = Field(default="gate", min_length=1, max_length=200, description="who decided")


_CHAMPION = Port("champion", "folder", "the model in charge; absent while there is none", optional=True)
_CHALLENGER = Port("challenger", "folder", "the model that wants to replace it")
_HOLDOUT = Port("holdout", "table", "the hours that no model saw in training")
_CANDIDATES = Port("candidates", "json", "model name, both versions and the challenger's run")
_VERDICT = Port("verdict", "json", "what was compared, by which test, and what follows")

REGISTER = Spec(
    name="lifecycle.register",
    title="make a trained model the challenger in the registry",
    params=RegisterParams,
    inputs=(
        Port("model", "folder", "plain data and model.json with the model's name and loader"),
        _HOLDOUT,
        Port("training", "json", "what training measured, with the run_id of its MLflow run"),
    ),
    outputs=(Port("registered", "json", "model name, version, run and content hash"),),
    resources=Resources(cpu=1, memory_mb=1024),
)
FETCH = Spec(
    name="lifecycle.fetch",
    title="fetch a model's champion, challenger and holdout from the registry",
    params=FetchParams,
    inputs=(),
    outputs=(_CHAMPION, _CHALLENGER, _HOLDOUT, _CANDIDATES),
    resources=Resources(cpu=1, memory_mb=1024),
    example={"model": "traceo-anomaly"},
)
GATE = Spec(
    name="lifecycle.gate",
    title="judge whether the challenger is better than the baseline and the champion",
    params=GateParams,
    inputs=(Port("evaluation", "json", "one row per series: champion, challenger and baseline"), _CANDIDATES),
    outputs=(_VERDICT,),
    resources=Resources(cpu=1, memory_mb=1024),
    example={"resamples": 200},
)
PROMOTE = Spec(
    name="lifecycle.promote",
    title="move the alias champion after a PASS and write the decision into the ledger",
    params=PromoteParams,
    inputs=(_VERDICT, _CANDIDATES),
    outputs=(Port("promotion", "json", "the ledger row"),),
    resources=Resources(cpu=1, memory_mb=1024),
    example={"decided_at": "2026-01-31T12:00:00Z"},
)
SPECS = [REGISTER, FETCH, GATE, PROMOTE]
