"""The lifecycle steps: register, fetch, gate, promote."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

import polars as pl

from components.core import tracking
from components.core.errors import InputError, ParamsError
from components.core.settings import settings
from components.core.step import StepIO
from components.core.times import parse_instant
from components.core.verdict import Verdict
from components.lifecycle import comparison, ledger, registry
from components.lifecycle.specs import FetchParams, GateParams, PromoteParams, RegisterParams


def register(io: StepIO, params: RegisterParams) -> dict[str, Any]:
    """Register the model as a version with the alias challenger; its holdout goes to the training run."""
    training = io.read_json("training")
    if not isinstance(training, dict) or not training.get("run_id"):
        raise InputError(f"{io.uri('training')}: no run_id; a model is registered with the MLflow run that trained it")
    holdout = io.read_table("holdout")
    with io.read_folder("model") as folder, tempfile.TemporaryDirectory() as temporary:
        if registry.digest(folder) != io.meta("model")["sha256"]:
            raise InputError(f"{io.uri('model')}: content and sidecar differ; train again")
        file = Path(temporary, Path(registry.HOLDOUT).name)
        holdout.write_parquet(file, compression="zstd")
        version = registry.register(folder, file, str(training["run_id"]))
    registered = {
        "model": version.name,
        "version": version.version,
        "mlflow_run_id": version.run_id,
        "sha256": version.tags[registry.HASH_TAG],
    }
    io.write_json("registered", registered)
    return registered


def fetch(io: StepIO, params: FetchParams) -> dict[str, Any]:
    """Copy champion (where there is one), challenger and the challenger's holdout out of the registry."""
    chosen = registry.candidates(params.model)
    if chosen.champion_version:
        _fetch_model(io, "champion", params.model, chosen.champion_version)
    _fetch_model(io, "challenger", params.model, chosen.challenger_version)
    with tempfile.TemporaryDirectory() as temporary:
        file = tracking.fetch_attached(chosen.run_id, registry.HOLDOUT, Path(temporary))
        io.write_table("holdout", pl.read_parquet(file))
    content = chosen.model_dump()
    io.write_json("candidates", content)
    return {**content, "mlflow_run_id": chosen.run_id}


def gate(io: StepIO, params: GateParams) -> dict[str, Any]:
    """Judge the challenger by the paired test; see `comparison`."""
    chosen = registry.parse_candidates(io.read_json("candidates"))
    evaluation = comparison.parse_evaluation(io.read_json("evaluation"))
    bar = comparison.Bar(params.min_samples, params.alpha, params.resamples, params.seed)
    verdict = comparison.judge(evaluation, bar, has_champion=chosen.champion_version is not None)
    if chosen.champion_version == chosen.challenger_version:
        reason = f"version {chosen.challenger_version} is the champion already"
        verdict = verdict.model_copy(update={"outcome": "INCONCLUSIVE", "reason": reason})
    io.write_json("verdict", verdict.model_dump(mode="json"))
    return {"model": chosen.model, "version": chosen.challenger_version, **_short(verdict)}


def promote(io: StepIO, params: PromoteParams) -> dict[str, Any]:
    """Act on the verdict and write it down.

    The ledger row comes last: a retry that finds it has nothing left to do, and one that does not repeats moves
    that are safe to repeat.
    """
    if params.decided_at is None:
        raise ParamsError("lifecycle.promote: parameter 'decided_at' is required: the ledger says when")
    chosen = registry.parse_candidates(io.read_json("candidates"))
    verdict = Verdict.model_validate(io.read_json("verdict"))
    decision = ledger.Decision(
        model=chosen.model,
        version=chosen.challenger_version,
        action=_action(chosen, verdict),
        who=params.decided_by,
        when=parse_instant(params.decided_at),
        why=verdict.reason,
        previous=chosen.champion_version,
        run_id=chosen.run_id,
        evidence=verdict,
    )
    home = settings().home
    row = ledger.find(home, decision) or _carry_out(home, chosen, decision)
    io.write_json("promotion", row.model_dump(mode="json"))
    return {"model": row.model, "version": row.version, "action": row.action, "row": row.sequence, **_short(verdict)}


def _carry_out(home: str, chosen: registry.Candidates, decision: ledger.Decision) -> ledger.Row:
    if decision.action == "promoted":
        registry.promote(chosen)
    else:
        registry.reject(chosen, decision.evidence.outcome)
    return ledger.append(home, decision)


def _action(chosen: registry.Candidates, verdict: Verdict) -> ledger.Action:
    if chosen.champion_version == chosen.challenger_version:
        return "unchanged"
    return "promoted" if verdict.outcome == "PASS" else "rejected"


def _short(verdict: Verdict) -> dict[str, Any]:
    return {"outcome": verdict.outcome, "reason": verdict.reason}


def _fetch_model(io: StepIO, port: str, model: str, version: str) -> None:
    with io.write_folder(port) as folder, tempfile.TemporaryDirectory() as temporary:
        source = tracking.download(model, version, Path(temporary))
        shutil.copytree(source, folder, dirs_exist_ok=True)
