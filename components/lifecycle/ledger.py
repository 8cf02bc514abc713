"""The promotion ledger: one write-once JSON file per decision, chained by hashes.

A row holds who decided what about which version, when, why, on which evidence, and which version was in charge
before. Its hash covers all of it and the hash of the row before, so that an altered, inserted or removed row shows;
only rows cut off at the end do not (the registry's aliases tell of those).
"""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from components.core import storage
from components.core.errors import StorageError, TraceoError
from components.core.verdict import Verdict

GENESIS = "0" * 64
#: Writers that meet at the same number try again this often; each try means that another one got through.
_ATTEMPTS = 20

Action = Literal["promoted", "rejected", "unchanged"]


class Decision(BaseModel):
    """What was decided about one version of a model."""

    model_config = ConfigDict(frozen=True)

    model: str
    version: str
    action: Action
    who: str
    when: datetime
    why: str
    previous: str | None
    run_id: str
    evidence: Verdict


class Row(Decision):
    """A decision in its place in the chain."""

    sequence: int
    previous_hash: str
    hash: str


def rows(home: str) -> list[Row]:
    """Every row in order; StorageError names a file that is not a row."""
    found = []
    for uri in storage.list_files(_folder(home), ".json"):
        try:
            found.append(Row.model_validate_json(storage.read_bytes(uri)))
        except ValidationError as error:
            raise StorageError(f"{uri}: not a ledger row ({error.errors()[0]['msg']}); restore it") from None
    return found


def find(home: str, decision: Decision) -> Row | None:
    """The row of this very decision, if it was written before."""
    wanted = decision.model_dump()
    return next((row for row in rows(home) if row.model_dump(include=set(wanted)) == wanted), None)


def append(home: str, decision: Decision) -> Row:
    """Write one decision at the end of the chain; a decision that stands there already is not written twice."""
    for _ in range(_ATTEMPTS):
        if existing := find(home, decision):
            return existing
        row = _chained(decision, rows(home))
        if storage.create_bytes(_uri(home, row.sequence), row.model_dump_json(indent=1).encode()):
            return row
    raise TraceoError(f"{_folder(home)}: {_ATTEMPTS} writers came first; try again")


def verify(home: str) -> list[str]:
    """What is wrong with the chain, one line per finding; empty where it is whole."""
    problems, expected, previous_hash = [], 1, GENESIS
    for row in rows(home):
        if row.sequence != expected:
            problems.append(f"row {expected} is missing before row {row.sequence}")
        if row.hash != _digest(row):
            problems.append(f"row {row.sequence} was altered: its content does not give its hash")
        if row.previous_hash != previous_hash:
            problems.append(f"row {row.sequence} does not follow the row before it")
        expected, previous_hash = row.sequence + 1, row.hash
    return problems


def champion_at(home: str, model: str, instant: datetime) -> str | None:
    """The version of a model that was in charge at an instant; None before its first promotion."""
    promoted = [row for row in rows(home) if row.model == model and row.action == "promoted" and row.when <= instant]
    return max(promoted, key=lambda row: (row.when, row.sequence)).version if promoted else None


def _chained(decision: Decision, before: list[Row]) -> Row:
    last_hash = before[-1].hash if before else GENESIS
    sequence = before[-1].sequence + 1 if before else 1
    row = Row(**decision.model_dump(), sequence=sequence, previous_hash=last_hash, hash="")
    return row.model_copy(update={"hash": _digest(row)})


def _digest(row: Row) -> str:
    content = row.model_dump(mode="json", exclude={"hash"})
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _folder(home: str) -> str:
    return storage.join(home, "ledger")


def _uri(home: str, sequence: int) -> str:
    return storage.join(_folder(home), f"{sequence:08d}.json")
