"""What a version's place in the registry means: candidates, their files, and the move of an alias."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from components.core import tracking
from components.core.errors import InputError, TraceoError

HASH_TAG = "sha256"
REJECTED_TAG = "rejected"
HOLDOUT = "holdout/holdout.parquet"


class ModelCard(BaseModel):
    """The `model.json` of a model folder."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    name: str = Field(min_length=1)
    loader_module: str = Field(min_length=1)


class Candidates(BaseModel):
    """The versions that meet in one judgement."""

    model_config = ConfigDict(extra="ignore", frozen=True, protected_namespaces=())

    model: str
    champion_version: str | None
    challenger_version: str
    run_id: str


def read_card(folder: Path) -> ModelCard:
    """The name and loader of a model folder; InputError where its model.json is absent or lacks them."""
    path = folder / "model.json"
    try:
        return ModelCard.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise InputError(f"{folder}: no model.json; it must give the model's name and loader_module") from None
    except ValidationError as error:
        problem = error.errors()[0]
        field = ".".join(str(part) for part in problem["loc"]) or "content"
        raise InputError(f"model.json: {field}: {problem['msg']}; write name and loader_module") from None


def digest(folder: Path) -> str:
    """SHA-256 over the names and contents of a folder's files, as the step contract computes it."""
    total = hashlib.sha256()
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        total.update(file.relative_to(folder).as_posix().encode() + b"\0" + file.read_bytes())
    return total.hexdigest()


def register(folder: Path, holdout: Path, run_id: str) -> tracking.ModelVersion:
    """Make a model folder the challenger; the same content gets one version, however often this is called."""
    card, sha256 = read_card(folder), digest(folder)
    known = [version for version in tracking.versions(card.name) if version.tags.get(HASH_TAG) == sha256]
    tracking.attach(known[0].run_id if known else run_id, holdout, Path(HOLDOUT).parent.as_posix())
    version = (
        known[0] if known else tracking.register(card.name, run_id, folder, card.loader_module, {HASH_TAG: sha256})
    )
    tracking.set_alias(card.name, "challenger", version.version)
    return version


def candidates(model: str) -> Candidates:
    """Who meets whom; InputError where the model has no challenger."""
    versions = tracking.versions(model)
    by_alias = {alias: version for version in versions for alias in version.aliases}
    if "challenger" not in by_alias:
        state = f"{len(versions)} versions, none of them a challenger" if versions else "not registered"
        raise InputError(f"model {model!r}: {state}; train and register one first")
    champion = by_alias.get("champion")
    return Candidates(
        model=model,
        champion_version=champion.version if champion else None,
        challenger_version=by_alias["challenger"].version,
        run_id=by_alias["challenger"].run_id,
    )


def parse_candidates(content: Any) -> Candidates:
    """Check candidates read from JSON; InputError names the field that is wrong."""
    try:
        return Candidates.model_validate_json(json.dumps(content))
    except ValidationError as error:
        problem = error.errors()[0]
        field = ".".join(str(part) for part in problem["loc"]) or "content"
        raise InputError(f"candidates: {field}: {problem['msg']}; run the fetch step again") from None


def promote(chosen: Candidates) -> None:
    """Point `champion` at the challenger and retire its alias; safe to repeat at any point.

    Raises TraceoError where another version took charge since the candidates met: the evidence is stale.
    """
    current = tracking.version_of(chosen.model, "champion")
    if current not in (chosen.champion_version, chosen.challenger_version):
        raise TraceoError(
            f"model {chosen.model!r}: version {current} took charge since version {chosen.challenger_version} was "
            f"judged against version {chosen.champion_version}; fetch, evaluate and judge again"
        )
    tracking.set_alias(chosen.model, "champion", chosen.challenger_version)
    _retire(chosen)


def reject(chosen: Candidates, outcome: str) -> None:
    """Take the alias `challenger` from a version that did not pass and mark it; safe to repeat."""
    if chosen.challenger_version != chosen.champion_version:
        tracking.tag_version(chosen.model, chosen.challenger_version, REJECTED_TAG, outcome)
    _retire(chosen)


def _retire(chosen: Candidates) -> None:
    # A newer challenger may have taken the alias meanwhile; it keeps it.
    if tracking.version_of(chosen.model, "challenger") == chosen.challenger_version:
        tracking.delete_alias(chosen.model, "challenger")
